import uuid

import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):
    initial = True

    dependencies = [
        ("accounts", "0001_initial"),
        ("accounts", "__first__"),
    ]

    operations = [
        migrations.CreateModel(
            name="ReportType",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("uid", models.UUIDField(default=uuid.uuid4, editable=False, unique=True, verbose_name="UID")),
                ("version", models.PositiveIntegerField(default=1, editable=False)),
                ("created_at", models.DateTimeField(editable=False, verbose_name="created date")),
                ("modified_at", models.DateTimeField(db_index=True, editable=False, verbose_name="last modified date")),
                ("name", models.CharField(max_length=128)),
                (
                    "status",
                    models.CharField(
                        choices=[("active__v", "Active"), ("inactive__v", "Inactive")],
                        db_index=True,
                        default="active__v",
                        max_length=20,
                    ),
                ),
                ("object_type", models.CharField(blank=True, default="", editable=False, max_length=80)),
                (
                    "external_id",
                    models.CharField(blank=True, max_length=255, null=True, unique=True, verbose_name="external ID"),
                ),
                ("custom_fields", models.JSONField(blank=True, default=dict, editable=False)),
                ("primary_object", models.CharField(max_length=80)),
                ("related_objects", models.JSONField(blank=True, default=list)),
                (
                    "created_by",
                    models.ForeignKey(
                        editable=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                (
                    "modified_by",
                    models.ForeignKey(
                        editable=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
            ],
            options={
                "ordering": ("name",),
            },
        ),
        migrations.CreateModel(
            name="Report",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("uid", models.UUIDField(default=uuid.uuid4, editable=False, unique=True, verbose_name="UID")),
                ("version", models.PositiveIntegerField(default=1, editable=False)),
                ("created_at", models.DateTimeField(editable=False, verbose_name="created date")),
                ("modified_at", models.DateTimeField(db_index=True, editable=False, verbose_name="last modified date")),
                ("name", models.CharField(max_length=128)),
                (
                    "status",
                    models.CharField(
                        choices=[("active__v", "Active"), ("inactive__v", "Inactive")],
                        db_index=True,
                        default="active__v",
                        max_length=20,
                    ),
                ),
                ("object_type", models.CharField(blank=True, default="", editable=False, max_length=80)),
                (
                    "external_id",
                    models.CharField(blank=True, max_length=255, null=True, unique=True, verbose_name="external ID"),
                ),
                ("custom_fields", models.JSONField(blank=True, default=dict, editable=False)),
                ("description", models.CharField(blank=True, default="", max_length=500)),
                ("filters", models.JSONField(blank=True, default=list)),
                ("columns", models.JSONField(blank=True, default=list)),
                ("sort", models.JSONField(blank=True, default=list)),
                ("groups", models.JSONField(blank=True, default=list)),
                ("chart", models.JSONField(blank=True, default=dict)),
                (
                    "created_by",
                    models.ForeignKey(
                        editable=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                (
                    "modified_by",
                    models.ForeignKey(
                        editable=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                (
                    "report_type",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="reports", to="reports.reporttype"
                    ),
                ),
            ],
            options={
                "ordering": ("name",),
            },
        ),
        migrations.CreateModel(
            name="FlashReport",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("uid", models.UUIDField(default=uuid.uuid4, editable=False, unique=True, verbose_name="UID")),
                ("version", models.PositiveIntegerField(default=1, editable=False)),
                ("created_at", models.DateTimeField(editable=False, verbose_name="created date")),
                ("modified_at", models.DateTimeField(db_index=True, editable=False, verbose_name="last modified date")),
                (
                    "frequency",
                    models.CharField(
                        choices=[("daily", "Daily"), ("weekly", "Weekly"), ("monthly", "Monthly")],
                        default="daily",
                        max_length=20,
                    ),
                ),
                ("hour", models.PositiveSmallIntegerField(default=6, help_text="0–23 UTC")),
                (
                    "only_with_records",
                    models.BooleanField(default=True, verbose_name="Only send when at least one record is returned"),
                ),
                (
                    "created_by",
                    models.ForeignKey(
                        editable=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                (
                    "modified_by",
                    models.ForeignKey(
                        editable=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                (
                    "report",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.PROTECT, related_name="flash", to="reports.report"
                    ),
                ),
            ],
            options={
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(("hour__lte", 23)),
                        name="flash_report_hour_is_an_hour",
                        violation_error_message="Hour: enter 0 to 23 (UTC).",
                    )
                ],
            },
        ),
        migrations.CreateModel(
            name="ReportShare",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("uid", models.UUIDField(default=uuid.uuid4, editable=False, unique=True, verbose_name="UID")),
                ("version", models.PositiveIntegerField(default=1, editable=False)),
                ("created_at", models.DateTimeField(editable=False, verbose_name="created date")),
                ("modified_at", models.DateTimeField(db_index=True, editable=False, verbose_name="last modified date")),
                (
                    "role",
                    models.CharField(
                        choices=[("viewer", "Viewer"), ("editor", "Editor"), ("owner", "Owner")],
                        default="viewer",
                        max_length=20,
                    ),
                ),
                (
                    "created_by",
                    models.ForeignKey(
                        editable=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                (
                    "modified_by",
                    models.ForeignKey(
                        editable=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                (
                    "profile",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="report_shares",
                        to="accounts.securityprofile",
                    ),
                ),
                (
                    "report",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="shares", to="reports.report"
                    ),
                ),
                (
                    "user",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="report_shares",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
            ],
            options={
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(("user__isnull", True), ("profile__isnull", True), _connector="XOR"),
                        name="report_shared_with_user_or_profile",
                        violation_error_message="Share with a user or with a profile, and not with both.",
                    ),
                    models.UniqueConstraint(fields=("report", "user"), name="report_shared_once_per_user"),
                    models.UniqueConstraint(fields=("report", "profile"), name="report_shared_once_per_profile"),
                ],
            },
        ),
    ]
