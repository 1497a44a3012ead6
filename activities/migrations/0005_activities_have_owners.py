"""Clinical Activities that exist belong to whoever logged them; generated ones to the owner of their visit."""

from typing import Any

from django.db import migrations, models

SYSTEM = "system"


def fill_owners(apps: Any, schema_editor: Any) -> None:
    """Fill the owners in two statements. The records keep their versions, so that nothing is transferred for it."""
    del schema_editor
    activity: Any = apps.get_model("activities", "Activity")
    event: Any = apps.get_model("clinical", "MonitoringEvent")
    # Django's own query set: the audit trail says who logged a record already.
    ownerless: Any = models.QuerySet(activity).filter(owner=None, object_type="clinical_activity__v")
    ownerless.filter(is_generated=False).exclude(created_by__username=SYSTEM).update(owner=models.F("created_by"))
    of_event = event.objects.filter(pk=models.OuterRef("monitoring_event")).values("owner")
    ownerless.filter(is_generated=True, monitoring_event__isnull=False).update(owner=models.Subquery(of_event))


class Migration(migrations.Migration):
    dependencies = [("activities", "0004_owners"), ("clinical", "0007_visits_have_owners")]

    operations = [migrations.RunPython(fill_owners, migrations.RunPython.noop)]
