from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("connections", "0001_initial")]

    operations = [
        migrations.AddField(
            model_name="integrationprogress",
            name="bookmark",
            field=models.TextField(
                blank=True,
                default="",
                editable=False,
                help_text="place in the audit trail up to which everything was sent",
            ),
        ),
    ]
