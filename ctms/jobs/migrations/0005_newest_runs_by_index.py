from django.db import migrations, models

from ctms.core.online_operations import AddIndexOnline


class Migration(migrations.Migration):
    atomic = False

    dependencies = [
        ("jobs", "0004_alter_jobrun_trigger"),
    ]

    operations = [
        AddIndexOnline(
            model_name="jobrun",
            index=models.Index(fields=["definition", "-id"], name="run_by_definition"),
        ),
    ]
