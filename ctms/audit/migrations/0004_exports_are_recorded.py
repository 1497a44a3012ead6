from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("audit", "0003_guarded_base_manager")]

    operations = [
        migrations.AlterField(
            model_name="auditentry",
            name="action",
            field=models.CharField(
                choices=[
                    ("created", "Created"),
                    ("changed", "Changed"),
                    ("deleted", "Deleted"),
                    ("logged_in", "Logged in"),
                    ("logged_out", "Logged out"),
                    ("login_failed", "Log-in failed"),
                    ("exported", "Exported"),
                    ("event", "Event"),
                ],
                max_length=20,
            ),
        ),
    ]
