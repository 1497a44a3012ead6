from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("crm_sync", "0003_plural_names")]

    operations = [
        migrations.AddField(
            model_name="accountmatch",
            name="checked_at",
            field=models.DateTimeField(editable=False, null=True),
        ),
    ]
