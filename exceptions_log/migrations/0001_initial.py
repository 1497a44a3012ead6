import uuid

import django.core.serializers.json
import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):
    initial = True

    dependencies = [
        ("accounts", "__first__"),
        ("connections", "0001_initial"),
        ("jobs", "0001_initial"),
    ]

    operations = [
        migrations.CreateModel(
            name="ExceptionMessage",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("uid", models.UUIDField(default=uuid.uuid4, editable=False, unique=True, verbose_name="UID")),
                ("name", models.CharField(max_length=255)),
                (
                    "status",
                    models.CharField(
                        choices=[("active__v", "Active"), ("inactive__v", "Inactive")],
                        default="inactive__v",
                        max_length=20,
                    ),
                ),
                ("is_draft", models.BooleanField(default=True, editable=False)),
                ("created_at", models.DateTimeField(verbose_name="created date")),
                (
                    "connection",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="exception_messages",
                        to="connections.connection",
                    ),
                ),
                (
                    "integration",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="exception_messages",
                        to="connections.integration",
                    ),
                ),
                (
                    "job",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="exception_messages",
                        to="jobs.jobdefinition",
                    ),
                ),
                (
                    "run",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="exception_messages", to="jobs.jobrun"
                    ),
                ),
            ],
            options={
                "verbose_name": "user exception message",
                "verbose_name_plural": "user exception messages",
                "ordering": ("-id",),
                "constraints": [
                    models.UniqueConstraint(
                        condition=models.Q(("status", "active__v")),
                        fields=("integration",),
                        name="one_active_message_per_integration",
                    ),
                    models.UniqueConstraint(
                        condition=models.Q(("status", "active__v")), fields=("job",), name="one_active_message_per_job"
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(
                                ("connection__isnull", False), ("integration__isnull", False), ("job__isnull", True)
                            ),
                            models.Q(
                                ("connection__isnull", True), ("integration__isnull", True), ("job__isnull", False)
                            ),
                            _connector="OR",
                        ),
                        name="message_is_of_an_integration_or_a_job",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("is_draft", False), ("status", "inactive__v"), _connector="OR"),
                        name="draft_message_is_inactive",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="ExceptionItem",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("uid", models.UUIDField(default=uuid.uuid4, editable=False, unique=True, verbose_name="UID")),
                ("key", models.CharField(editable=False, max_length=80)),
                ("name", models.CharField(max_length=255, verbose_name="exception item name")),
                (
                    "error_type",
                    models.CharField(
                        choices=[
                            ("configuration__v", "Configuration"),
                            ("authentication__v", "Authentication"),
                            ("mapping__v", "Mapping"),
                            ("matching__v", "Matching"),
                            ("rejected__v", "Rejected by CRM"),
                            ("connectivity__v", "Connectivity"),
                            ("limit__v", "Limit"),
                        ],
                        max_length=32,
                    ),
                ),
                ("error_message", models.TextField()),
                ("item", models.CharField(max_length=255)),
                (
                    "item_data",
                    models.JSONField(blank=True, default=dict, encoder=django.core.serializers.json.DjangoJSONEncoder),
                ),
                ("record_object", models.CharField(blank=True, default="", max_length=80)),
                ("record_uid", models.UUIDField(db_index=True, null=True)),
                ("crm_id", models.CharField(blank=True, default="", max_length=18, verbose_name="CRM id")),
                ("record_version", models.PositiveIntegerField(editable=False, null=True)),
                ("dependency_version", models.PositiveBigIntegerField(editable=False, null=True)),
                ("attempts", models.PositiveIntegerField(default=1)),
                ("first_failed_at", models.DateTimeField()),
                ("last_failed_at", models.DateTimeField()),
                ("dismissed_at", models.DateTimeField(blank=True, null=True)),
                ("dismissal_reason", models.CharField(blank=True, default="", max_length=500)),
                ("dismissal_lapsed_at", models.DateTimeField(blank=True, null=True)),
                (
                    "dismissed_by",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                (
                    "message",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="items",
                        to="exceptions_log.exceptionmessage",
                    ),
                ),
            ],
            options={
                "verbose_name": "user exception item",
                "verbose_name_plural": "user exception items",
                "ordering": ("message", "id"),
                "indexes": [
                    models.Index(
                        condition=models.Q(("dismissal_lapsed_at__isnull", True), ("dismissed_at__isnull", False)),
                        fields=["record_uid"],
                        name="dismissal_in_force",
                    )
                ],
                "constraints": [
                    models.UniqueConstraint(fields=("message", "key"), name="exception_item_once_per_message"),
                    models.CheckConstraint(
                        condition=models.Q(
                            ("dismissed_at__isnull", True),
                            models.Q(("dismissal_reason", ""), _negated=True),
                            _connector="OR",
                        ),
                        name="dismissal_has_a_reason",
                        violation_error_message="Dismissal reason: say why this item needs no correction.",
                    ),
                ],
            },
        ),
    ]
