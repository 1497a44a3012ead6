"""Generated activities that users deleted are remembered by their source and person."""

import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("activities", "0001_initial"),
        ("clinical", "0001_initial"),
    ]

    operations = [
        migrations.CreateModel(
            name="DeclinedActivity",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "monitoring_event",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="+",
                        to="clinical.monitoringevent",
                    ),
                ),
                (
                    "person",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE, related_name="+", to="clinical.person"
                    ),
                ),
                (
                    "study_communication",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="+",
                        to="clinical.studycommunicationlog",
                    ),
                ),
            ],
            options={
                "verbose_name_plural": "declined activities",
                "constraints": [
                    models.UniqueConstraint(
                        fields=("monitoring_event", "person"), name="declined_once_per_event_and_person"
                    ),
                    models.UniqueConstraint(
                        fields=("study_communication", "person"), name="declined_once_per_communication_and_person"
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("monitoring_event__isnull", False), ("study_communication__isnull", True)),
                            models.Q(("monitoring_event__isnull", True), ("study_communication__isnull", False)),
                            _connector="OR",
                        ),
                        name="declined_activity_has_one_source",
                    ),
                ],
            },
        ),
    ]
