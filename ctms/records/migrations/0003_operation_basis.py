from typing import Any

from django.db import migrations, models


def forget_values(apps: Any, _schema_editor: Any) -> None:
    """Drop the values of edits that have ended; check anew what waits to be confirmed, to note what is shown."""
    operations = apps.get_model("records", "BulkOperation").objects
    for operation in operations.filter(kind="edit", state__in=("done", "failed")).only("plan").iterator():
        values = operation.plan.pop("values", None)
        if values is not None:
            operation.plan["fields"] = list(values)
            operation.save(update_fields=["plan"])
    operations.filter(state="draft").update(state="checking")


class Migration(migrations.Migration):
    dependencies = [("records", "0002_tracked_saved_views")]

    operations = [
        migrations.AddField(
            model_name="bulkoperation",
            name="basis",
            field=models.TextField(blank=True, default=""),
        ),
        migrations.RunPython(forget_values, migrations.RunPython.noop),
    ]
