import uuid

import django.core.validators
import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models

import ctms.core.clock


class Migration(migrations.Migration):
    initial = True

    dependencies = [
        ("accounts", "__first__"),
    ]

    operations = [
        migrations.CreateModel(
            name="JobDefinition",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("uid", models.UUIDField(default=uuid.uuid4, editable=False, unique=True, verbose_name="UID")),
                ("version", models.PositiveIntegerField(default=1, editable=False)),
                ("created_at", models.DateTimeField(editable=False, verbose_name="created date")),
                ("modified_at", models.DateTimeField(db_index=True, editable=False, verbose_name="last modified date")),
                ("key", models.CharField(editable=False, max_length=80, unique=True)),
                ("name", models.CharField(max_length=128)),
                (
                    "status",
                    models.CharField(
                        choices=[("active__v", "Active"), ("inactive__v", "Inactive")],
                        default="inactive__v",
                        max_length=20,
                    ),
                ),
                (
                    "frequency",
                    models.CharField(
                        choices=[("hourly", "Hourly"), ("daily", "Daily"), ("weekly", "Weekly"), ("cron", "Cron")],
                        default="hourly",
                        max_length=20,
                    ),
                ),
                (
                    "minute",
                    models.PositiveSmallIntegerField(
                        default=0, help_text="0–59", validators=[django.core.validators.MaxValueValidator(59)]
                    ),
                ),
                (
                    "hour",
                    models.PositiveSmallIntegerField(
                        default=0,
                        help_text="0–23 UTC; not used by hourly jobs",
                        validators=[django.core.validators.MaxValueValidator(23)],
                    ),
                ),
                (
                    "weekday",
                    models.PositiveSmallIntegerField(
                        choices=[
                            (0, "Monday"),
                            (1, "Tuesday"),
                            (2, "Wednesday"),
                            (3, "Thursday"),
                            (4, "Friday"),
                            (5, "Saturday"),
                            (6, "Sunday"),
                        ],
                        default=0,
                        help_text="used by weekly jobs",
                    ),
                ),
                (
                    "cron",
                    models.CharField(
                        blank=True,
                        default="",
                        help_text="Five fields: minute, hour, day of month, month, day of week. In UTC.",
                        max_length=100,
                        verbose_name="cron expression",
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
                    "owner",
                    models.ForeignKey(
                        blank=True,
                        help_text="Is told by e-mail, beside the admins, when the job is overdue.",
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
            ],
            options={
                "ordering": ("name",),
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(("minute__lte", 59), ("hour__lte", 23)), name="job_time_is_a_time"
                    )
                ],
            },
        ),
        migrations.CreateModel(
            name="JobClock",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("next_run_at", models.DateTimeField()),
                (
                    "counted_from",
                    models.DateTimeField(
                        default=ctms.core.clock.get_now,
                        help_text="since when the job is expected to run as it is scheduled",
                    ),
                ),
                (
                    "notified_at",
                    models.DateTimeField(blank=True, help_text="when people were told that it is overdue", null=True),
                ),
                (
                    "definition",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.CASCADE, related_name="clock", to="jobs.jobdefinition"
                    ),
                ),
            ],
        ),
        migrations.CreateModel(
            name="JobRun",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("unit_key", models.CharField(blank=True, default="", max_length=80)),
                ("unit_label", models.CharField(blank=True, default="", max_length=128)),
                ("slot", models.DateTimeField(help_text="the time it was due")),
                ("attempt", models.PositiveSmallIntegerField(default=1)),
                (
                    "trigger",
                    models.CharField(
                        choices=[
                            ("schedule", "Schedule"),
                            ("start_now", "Start Now"),
                            ("command", "Command line"),
                            ("takeover", "Takeover of an interrupted run"),
                        ],
                        default="schedule",
                        max_length=20,
                    ),
                ),
                (
                    "state",
                    models.CharField(
                        choices=[
                            ("queued", "Scheduled"),
                            ("running", "Running"),
                            ("succeeded", "Succeeded"),
                            ("with_exceptions", "Finished with exceptions"),
                            ("failed", "Failed"),
                            ("interrupted", "Interrupted"),
                            ("skipped", "Skipped"),
                            ("cancelled", "Cancelled"),
                        ],
                        db_index=True,
                        default="queued",
                        max_length=20,
                    ),
                ),
                ("queued_at", models.DateTimeField()),
                ("started_at", models.DateTimeField(blank=True, null=True)),
                ("finished_at", models.DateTimeField(blank=True, null=True)),
                ("result", models.JSONField(blank=True, default=dict)),
                ("message", models.TextField(blank=True, default="", help_text="how it ended, in a sentence")),
                ("log", models.TextField(blank=True, default="")),
                ("cancel_requested_at", models.DateTimeField(blank=True, null=True)),
                (
                    "cancel_requested_by",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                (
                    "definition",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="runs", to="jobs.jobdefinition"
                    ),
                ),
                (
                    "requested_by",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
            ],
            options={
                "ordering": ("-id",),
                "indexes": [
                    models.Index(
                        fields=["definition", "unit_key", "state", "finished_at"], name="run_by_unit_and_state"
                    )
                ],
                "constraints": [
                    models.UniqueConstraint(
                        fields=("definition", "unit_key", "slot", "attempt"), name="job_run_once_per_unit_and_slot"
                    ),
                    models.UniqueConstraint(
                        condition=models.Q(("state__in", ("queued", "running"))),
                        fields=("definition", "unit_key"),
                        name="one_unfinished_run_per_unit",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="Lease",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("key", models.CharField(max_length=170, unique=True)),
                ("token", models.PositiveBigIntegerField(default=0)),
                ("expires_at", models.DateTimeField()),
                ("progress", models.JSONField(blank=True, default=dict)),
                (
                    "run",
                    models.ForeignKey(
                        null=True, on_delete=django.db.models.deletion.PROTECT, related_name="leases", to="jobs.jobrun"
                    ),
                ),
            ],
        ),
    ]
