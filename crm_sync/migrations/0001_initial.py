import django.db.models.deletion
import django.db.models.expressions
from django.db import migrations, models


class Migration(migrations.Migration):
    initial = True

    dependencies = [
        ("clinical", "0001_initial"),
        ("connections", "0001_initial"),
        ("jobs", "0001_initial"),
    ]

    operations = [
        migrations.CreateModel(
            name="AccountMatch",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("identifier", models.CharField(help_text="person field = account field", max_length=170)),
                ("value", models.CharField(max_length=255)),
                ("account_id", models.CharField(max_length=18)),
                ("checked_at", models.DateTimeField(editable=False, null=True)),
                (
                    "connection",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="account_matches",
                        to="connections.connection",
                    ),
                ),
                (
                    "person",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="account_matches",
                        to="clinical.person",
                    ),
                ),
            ],
            options={
                "verbose_name_plural": "account matches",
                "constraints": [
                    models.UniqueConstraint(fields=("connection", "person"), name="one_account_per_person")
                ],
            },
        ),
        migrations.CreateModel(
            name="IntegrationRun",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "state",
                    models.CharField(
                        choices=[
                            ("running", "Running"),
                            ("succeeded", "Succeeded"),
                            ("with_exceptions", "Finished with exceptions"),
                            ("failed", "Failed"),
                            ("stopped", "Stopped at a limit"),
                            ("interrupted", "Interrupted"),
                        ],
                        default="running",
                        max_length=20,
                    ),
                ),
                ("started_at", models.DateTimeField()),
                ("finished_at", models.DateTimeField(null=True)),
                ("selected", models.PositiveIntegerField(default=0)),
                ("sent", models.PositiveIntegerField(default=0)),
                ("received", models.PositiveIntegerField(default=0)),
                ("created", models.PositiveIntegerField(default=0)),
                ("updated", models.PositiveIntegerField(default=0)),
                ("deleted", models.PositiveIntegerField(default=0)),
                ("unchanged", models.PositiveIntegerField(default=0)),
                ("failed", models.PositiveIntegerField(default=0)),
                ("blocked", models.PositiveIntegerField(default=0)),
                ("api_calls", models.PositiveIntegerField(default=0)),
                (
                    "integration",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="runs", to="connections.integration"
                    ),
                ),
                (
                    "run",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="integration_runs", to="jobs.jobrun"
                    ),
                ),
            ],
            options={
                "ordering": ("-id",),
                "constraints": [
                    models.UniqueConstraint(fields=("run", "integration"), name="integration_once_per_run"),
                    models.CheckConstraint(
                        condition=models.Q(
                            (
                                "selected",
                                django.db.models.expressions.CombinedExpression(
                                    django.db.models.expressions.CombinedExpression(
                                        django.db.models.expressions.CombinedExpression(
                                            django.db.models.expressions.CombinedExpression(
                                                models.F("sent"), "+", models.F("received")
                                            ),
                                            "+",
                                            models.F("unchanged"),
                                        ),
                                        "+",
                                        models.F("failed"),
                                    ),
                                    "+",
                                    models.F("blocked"),
                                ),
                            )
                        ),
                        name="every_selected_record_is_counted_once",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            (
                                "sent",
                                django.db.models.expressions.CombinedExpression(
                                    django.db.models.expressions.CombinedExpression(
                                        django.db.models.expressions.CombinedExpression(
                                            models.F("created"), "+", models.F("updated")
                                        ),
                                        "+",
                                        models.F("deleted"),
                                    ),
                                    "-",
                                    models.F("received"),
                                ),
                            )
                        ),
                        name="every_transferred_record_is_counted_once",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="TransferLink",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("record_uid", models.UUIDField(null=True)),
                ("crm_id", models.CharField(blank=True, default="", max_length=18, verbose_name="CRM id")),
                ("version", models.PositiveIntegerField(default=0)),
                ("dependency_version", models.PositiveBigIntegerField(default=0)),
                ("digest", models.CharField(blank=True, default="", max_length=64)),
                ("deletion_base", models.TextField(blank=True, default="")),
                ("crm_modstamp", models.DateTimeField(null=True)),
                (
                    "state",
                    models.CharField(
                        choices=[
                            ("live", "Live on both sides"),
                            ("deleted_in_vault", "Deleted in the Vault"),
                            ("deleted_in_crm", "Deleted in the CRM"),
                        ],
                        default="live",
                        max_length=20,
                    ),
                ),
                ("pending", models.BooleanField(default=False)),
                (
                    "integration",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="links",
                        to="connections.integration",
                    ),
                ),
            ],
            options={
                "indexes": [
                    models.Index(condition=models.Q(("pending", True)), fields=["integration"], name="link_pending")
                ],
                "constraints": [
                    models.UniqueConstraint(fields=("integration", "record_uid"), name="link_once_per_record"),
                    models.UniqueConstraint(
                        condition=models.Q(("crm_id", ""), _negated=True),
                        fields=("integration", "crm_id"),
                        name="link_once_per_crm_record",
                    ),
                ],
            },
        ),
    ]
