"""Every attempt of the transfer is a row."""

import django.core.serializers.json
import django.db.models.deletion
from django.db import migrations, models

import ctms.core.clock


class Migration(migrations.Migration):
    dependencies = [
        ("connections", "0004_organisations"),
        ("crm_sync", "0003_reconciliation"),
        ("jobs", "0002_leases_are_observed"),
    ]

    operations = [
        migrations.CreateModel(
            name="TransferAttempt",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("at", models.DateTimeField(default=ctms.core.clock.get_now)),
                ("record_uid", models.UUIDField(null=True)),
                ("crm_id", models.CharField(blank=True, default="", max_length=18, verbose_name="CRM id")),
                (
                    "outcome",
                    models.CharField(
                        choices=[
                            ("created", "Created"),
                            ("updated", "Updated"),
                            ("deleted", "Shown as deleted"),
                            ("refused", "Refused"),
                        ],
                        max_length=10,
                    ),
                ),
                ("error_code", models.CharField(blank=True, default="", max_length=80)),
                ("values", models.JSONField(default=dict, encoder=django.core.serializers.json.DjangoJSONEncoder)),
                (
                    "integration",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="attempts",
                        to="connections.integration",
                    ),
                ),
                (
                    "run",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="attempts", to="jobs.jobrun"
                    ),
                ),
            ],
            options={
                "ordering": ("-id",),
                "indexes": [
                    models.Index(fields=["record_uid", "-id"], name="attempt_record"),
                    models.Index(fields=["crm_id", "-id"], name="attempt_crm_id"),
                    models.Index(fields=["at"], name="attempt_time"),
                ],
            },
        ),
    ]
