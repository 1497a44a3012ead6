from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("accounts", "0004_user_sessions")]

    operations = [
        migrations.AddField(
            "user",
            "must_change_password",
            models.BooleanField(
                default=False,
                help_text="Until then, the user gets to no other page. Set with every password that an admin sets.",
            ),
        ),
        migrations.AddField(
            "user", "invitation_digest", models.CharField(editable=False, max_length=64, null=True, unique=True)
        ),
        migrations.AddField(
            "user",
            "invited_until",
            models.DateTimeField(editable=False, null=True, verbose_name="invitation valid until"),
        ),
    ]
