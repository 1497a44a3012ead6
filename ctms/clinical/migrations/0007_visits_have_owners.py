"""Visits that exist belong to whoever entered them, unless a job did. Sites belong to nobody until somebody is named."""

from typing import Any

from django.db import migrations, models

SYSTEM = "system"


def fill_owners(apps: Any, schema_editor: Any) -> None:
    """Fill the owners in one statement. The records keep their versions, so that nothing is transferred for it."""
    del schema_editor
    event: Any = apps.get_model("clinical", "MonitoringEvent")
    # Django's own query set: the audit trail says who entered a record already.
    models.QuerySet(event).filter(owner=None).exclude(created_by__username=SYSTEM).update(owner=models.F("created_by"))


class Migration(migrations.Migration):
    dependencies = [("clinical", "0006_owners"), ("accounts", "__first__")]

    operations = [migrations.RunPython(fill_owners, migrations.RunPython.noop)]
