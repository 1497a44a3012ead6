"""Custom fields get properties, references any object, picklist values an API name and a status; labels are unique."""

from __future__ import annotations

from typing import Any

import django.core.validators
import django.db.models.deletion
from django.db import migrations, models


def convert_rows(apps: Any, schema_editor: Any) -> None:  # noqa: ARG001  Django's signature
    """Bring fields into the new form: records hold the same as before, labels that two fields had get the API name."""
    taken: set[tuple[str, str]] = set()
    for row in apps.get_model("configuration", "CustomField").objects.order_by("pk"):
        if row.kind == "person":
            row.kind, row.reference_object = "reference", "person__sys"
        row.picklist_values = [
            {"api_name": each, "label": each, "is_active": True} if isinstance(each, str) else each
            for each in row.picklist_values
        ]
        if (row.of_object, row.label.casefold()) in taken:
            row.label = f"{row.label[:60]} ({row.api_name})"
        row.label_key = row.label.casefold()[:256]
        taken.add((row.of_object, row.label_key))
        row.save()


class Migration(migrations.Migration):
    dependencies = [("configuration", "0003_field_kinds_are_registered")]

    operations = [
        migrations.AddField("customfield", "label_key", models.CharField(default="", editable=False, max_length=256)),
        migrations.AddField("customfield", "help_text", models.CharField(blank=True, default="", max_length=255)),
        migrations.AddField("customfield", "is_required", models.BooleanField(default=False, verbose_name="required")),
        migrations.AddField("customfield", "is_unique", models.BooleanField(default=False, verbose_name="unique")),
        migrations.AddField(
            "customfield", "default_value", models.JSONField(blank=True, null=True, verbose_name="default")
        ),
        migrations.AddField(
            "customfield", "max_length", models.PositiveIntegerField(blank=True, null=True, verbose_name="length")
        ),
        migrations.AddField(
            "customfield",
            "decimals",
            models.PositiveSmallIntegerField(
                blank=True, null=True, validators=[django.core.validators.MaxValueValidator(6)]
            ),
        ),
        migrations.AddField(
            "customfield",
            "least",
            models.DecimalField(blank=True, decimal_places=6, max_digits=15, null=True, verbose_name="smallest value"),
        ),
        migrations.AddField(
            "customfield",
            "greatest",
            models.DecimalField(blank=True, decimal_places=6, max_digits=15, null=True, verbose_name="largest value"),
        ),
        migrations.AddField(
            "customfield",
            "reference_object",
            models.CharField(
                blank=True, default="", help_text="API name of the object", max_length=80, verbose_name="refers to"
            ),
        ),
        migrations.RunPython(convert_rows, migrations.RunPython.noop, elidable=True),
        migrations.AddConstraint(
            "customfield",
            models.UniqueConstraint(
                fields=("of_object", "label_key"),
                name="custom_field_labelled_once",
                violation_error_message="Label: another custom field of this object has it, active or not. Choose "
                "another, because people could not tell the two apart.",
            ),
        ),
        migrations.CreateModel(
            name="UniqueValue",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("value", models.CharField(max_length=255)),
                ("record_uid", models.UUIDField()),
                (
                    "field",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="unique_values",
                        to="configuration.customfield",
                    ),
                ),
            ],
            options={
                "constraints": [
                    models.UniqueConstraint(fields=("field", "value"), name="unique_value_once_per_field"),
                    models.UniqueConstraint(fields=("field", "record_uid"), name="one_unique_value_per_record"),
                ],
            },
        ),
    ]
