"""Numbers of studies and sites are the same if they differ only in case, dashes, blanks or invisible characters."""

from typing import Any

from django.core.management.base import CommandError
from django.db import migrations, models

from ctms.core.models import NUMBER_TAKEN, SAME_NUMBERS
from ctms.core.text.numbers import build_number_key

_ROWS = 1000


def fill_keys(apps: Any, schema_editor: Any) -> None:
    """Fill the keys; refuse, naming the records, if two numbers are the same now."""
    del schema_editor
    refusals: list[str] = []
    keyed: list[tuple[Any, list[Any]]] = []
    for model_name, label, parent in (("Study", "Studies", None), ("StudySite", "Sites", "study_id")):
        model: Any = apps.get_model("clinical", model_name)
        # Django's own query set: nothing of the record changes that the audit trail would hold.
        rows: list[Any] = list(models.QuerySet(model).order_by("pk").only("pk", "name", *([parent] if parent else [])))
        found: dict[tuple[Any, str], list[str]] = {}
        for row in rows:
            row.number_key = build_number_key(row.name)
            found.setdefault((getattr(row, parent) if parent else None, row.number_key), []).append(row.name)
        same = [", ".join(map(repr, names)) for names in found.values() if len(names) > 1]
        if same:
            refusals.append(f"{label}: {'; '.join(same)}.")
        keyed.append((model, rows))
    if refusals:
        raise CommandError(
            f"Nothing was migrated. {SAME_NUMBERS} These are: {' '.join(refusals)} With the former release, rename all "
            "but one of each, then migrate again."
        )
    for model, rows in keyed:
        models.QuerySet(model).bulk_update(rows, ["number_key"], batch_size=_ROWS)


class Migration(migrations.Migration):
    dependencies = [("clinical", "0003_assignment_limits")]

    operations = [
        migrations.RemoveConstraint(model_name="study", name="study_number_once"),
        migrations.RemoveConstraint(model_name="studysite", name="site_number_once_per_study"),
        migrations.AddField(
            model_name="study",
            name="number_key",
            field=models.CharField(default="", editable=False, max_length=255),
        ),
        migrations.AddField(
            model_name="studysite",
            name="number_key",
            field=models.CharField(default="", editable=False, max_length=255),
        ),
        migrations.RunPython(fill_keys, migrations.RunPython.noop),
        migrations.AddConstraint(
            model_name="study",
            constraint=models.UniqueConstraint(
                fields=("number_key",),
                name="study_number_once",
                violation_error_code=NUMBER_TAKEN,
                violation_error_message=f"A study of this number exists. {SAME_NUMBERS}",
            ),
        ),
        migrations.AddConstraint(
            model_name="studysite",
            constraint=models.UniqueConstraint(
                fields=("study", "number_key"),
                name="site_number_once_per_study",
                violation_error_code=NUMBER_TAKEN,
                violation_error_message=f"The study has a site of this number already. {SAME_NUMBERS}",
            ),
        ),
    ]
