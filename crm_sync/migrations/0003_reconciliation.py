"""What the comparison of a connection with its CRM found."""

import django.core.serializers.json
import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("connections", "0001_initial"),
        ("crm_sync", "0002_organisations"),
        ("jobs", "0001_initial"),
    ]

    operations = [
        migrations.CreateModel(
            name="Reconciliation",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("started_at", models.DateTimeField()),
                ("finished_at", models.DateTimeField(null=True)),
                ("counts", models.JSONField(default=dict)),
                ("errors", models.JSONField(default=dict)),
                ("unexplained", models.PositiveIntegerField(default=0)),
                ("api_calls", models.PositiveIntegerField(default=0, verbose_name="API calls")),
                (
                    "connection",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="reconciliations",
                        to="connections.connection",
                    ),
                ),
                (
                    "run",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="reconciliations", to="jobs.jobrun"
                    ),
                ),
            ],
            options={
                "ordering": ("-id",),
            },
        ),
        migrations.CreateModel(
            name="Difference",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("record_uid", models.UUIDField(null=True)),
                ("crm_id", models.CharField(blank=True, default="", max_length=18, verbose_name="CRM id")),
                ("name", models.CharField(max_length=255)),
                (
                    "word",
                    models.CharField(
                        choices=[
                            ("equal", "Equal"),
                            ("pending", "Pending"),
                            ("failed", "Failed"),
                            ("filtered_out", "Filtered out"),
                            ("unmatched", "Unmatched"),
                            ("inactive_here", "Inactive here"),
                            ("missing_there", "Missing there"),
                            ("missing_here", "Missing here"),
                            ("differs", "Differs"),
                            ("orphaned", "Orphaned"),
                            ("deleted_on_one_side", "Deleted on one side"),
                        ],
                        max_length=20,
                    ),
                ),
                ("fields", models.JSONField(default=dict, encoder=django.core.serializers.json.DjangoJSONEncoder)),
                ("is_repaired", models.BooleanField(default=False)),
                (
                    "integration",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="differences",
                        to="connections.integration",
                    ),
                ),
                (
                    "reconciliation",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="differences",
                        to="crm_sync.reconciliation",
                    ),
                ),
            ],
            options={
                "ordering": ("id",),
            },
        ),
        migrations.AddIndex(
            model_name="reconciliation",
            index=models.Index(fields=["connection", "-id"], name="reconciliation_by_connection"),
        ),
        migrations.AddIndex(
            model_name="difference",
            index=models.Index(fields=["reconciliation", "word", "id"], name="difference_by_word"),
        ),
    ]
