from __future__ import annotations

from typing import TYPE_CHECKING

from django.db import migrations, models

if TYPE_CHECKING:
    from django.apps.registry import Apps
    from django.db.backends.base.schema import BaseDatabaseSchemaEditor


def mark_held(apps: Apps, _editor: BaseDatabaseSchemaEditor) -> None:
    """Leases of runs are held; those whose holder is dead are found so by the next ticks."""
    apps.get_model("jobs", "Lease").objects.filter(run__isnull=False).update(is_held=True)


class Migration(migrations.Migration):
    dependencies = [
        ("jobs", "0001_initial"),
    ]

    operations = [
        migrations.AddField(model_name="lease", name="is_held", field=models.BooleanField(default=False)),
        migrations.AddField(
            model_name="lease",
            name="observed_at",
            field=models.DateTimeField(
                blank=True,
                null=True,
                help_text="when somebody last looked for a sign of life; empty since the last one",
            ),
        ),
        migrations.AddField(
            model_name="lease",
            name="silent_seconds",
            field=models.FloatField(default=0, help_text="how long it has been observed without a sign of life"),
        ),
        migrations.RunPython(mark_held, migrations.RunPython.noop),
        migrations.RemoveField(model_name="lease", name="expires_at"),
        migrations.AddField(
            model_name="jobclock",
            name="counted_after",
            field=models.PositiveBigIntegerField(
                default=0, help_text="the number of the newest run at that moment: only what later runs did counts"
            ),
        ),
        migrations.RemoveConstraint(model_name="jobrun", name="job_run_once_per_unit_and_slot"),
    ]
