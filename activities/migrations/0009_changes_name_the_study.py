"""A change of a person's contacts names the study, so that roles in others are not read."""

from typing import Any

from django.db import migrations, models


def name_roles(apps: Any, schema_editor: Any) -> None:
    """Let changes that wait name the roles of their persons, whose study nothing tells."""
    del schema_editor
    change: Any = apps.get_model("activities", "ContactChange")
    waiting = change.objects.filter(kind="person")
    roles = models.QuerySet(apps.get_model("clinical", "StudyPerson")).filter(person__in=waiting.values("record"))
    change.objects.bulk_create(
        [change(kind="study_person", record=key) for key in roles.values_list("pk", flat=True).iterator()],
        batch_size=1000,
    )
    waiting.delete()


class Migration(migrations.Migration):
    dependencies = [
        ("activities", "0008_fill_contact_dates"),
    ]

    operations = [
        migrations.RemoveConstraint(
            model_name="contactchange",
            name="contact_change_is_of_a_kind",
        ),
        migrations.AddField(
            model_name="contactchange",
            name="study",
            field=models.BigIntegerField(null=True),
        ),
        migrations.AlterField(
            model_name="contactchange",
            name="kind",
            field=models.CharField(
                choices=[("site", "Site"), ("person", "Person in a study"), ("study_person", "Study person")],
                max_length=20,
            ),
        ),
        migrations.RunPython(name_roles, migrations.RunPython.noop),
        migrations.AddConstraint(
            model_name="contactchange",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("kind", "person"), ("study__isnull", False)),
                    models.Q(("kind__in", ["site", "study_person"]), ("study__isnull", True)),
                    _connector="OR",
                ),
                name="contact_change_is_of_a_kind",
            ),
        ),
    ]
