from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("accounts", "0010_oidc_identities"),
    ]

    operations = [
        migrations.AddField(
            model_name="user",
            name="has_compact_lists",
            field=models.BooleanField(default=False, verbose_name="compact lists"),
        ),
    ]
