"""Calendar feeds, the hour of the daily digest, and whether a user has settled the time zone."""

import uuid
from typing import Any

import django.core.validators
import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models


def settle_chosen_zones(apps: Any, _schema_editor: Any) -> None:
    """Offer nothing to users who have another zone than the default one: somebody chose it."""
    users = apps.get_model("accounts", "User")._default_manager.exclude(time_zone="UTC")
    models.QuerySet.update(users, has_settled_time_zone=True)


class Migration(migrations.Migration):
    dependencies = [
        ("accounts", "0011_compact_lists"),
    ]

    operations = [
        migrations.CreateModel(
            name="CalendarFeed",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("uid", models.UUIDField(default=uuid.uuid4, editable=False, unique=True, verbose_name="UID")),
                (
                    "contents",
                    models.CharField(
                        choices=[("mine", "What is mine"), ("studies", "All of my studies")],
                        default="mine",
                        max_length=10,
                    ),
                ),
                ("digest", models.CharField(editable=False, max_length=64, unique=True)),
                ("created_at", models.DateTimeField(auto_now_add=True)),
                ("last_used_at", models.DateTimeField(blank=True, null=True)),
                ("revoked_at", models.DateTimeField(blank=True, null=True)),
            ],
            options={
                "ordering": ("-created_at", "-id"),
                "base_manager_name": "objects",
            },
        ),
        migrations.AddField(
            model_name="user",
            name="digest_hour",
            field=models.PositiveSmallIntegerField(
                blank=True,
                db_default=7,
                default=7,
                help_text="The hour (0–23) of the e-mail of what is due, by the user's time zone. Empty: it is not sent.",
                null=True,
                validators=[django.core.validators.MaxValueValidator(23)],
                verbose_name="daily digest",
            ),
        ),
        migrations.AddField(
            model_name="user",
            name="has_settled_time_zone",
            field=models.BooleanField(db_default=False, default=False, editable=False),
        ),
        migrations.AddConstraint(
            model_name="user",
            constraint=models.CheckConstraint(
                condition=models.Q(("digest_hour__isnull", True), ("digest_hour__lte", 23), _connector="OR"),
                name="digest_hour_of_a_day",
                violation_error_message="Daily digest: choose an hour of the day, or none.",
            ),
        ),
        migrations.AddField(
            model_name="calendarfeed",
            name="user",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.CASCADE, related_name="calendar_feeds", to=settings.AUTH_USER_MODEL
            ),
        ),
        migrations.AddConstraint(
            model_name="calendarfeed",
            constraint=models.UniqueConstraint(
                condition=models.Q(("revoked_at__isnull", True)),
                fields=("user",),
                name="one_calendar_feed_per_user",
                violation_error_message="You have an address already. Load the page again.",
            ),
        ),
        migrations.AddConstraint(
            model_name="calendarfeed",
            constraint=models.CheckConstraint(
                condition=models.Q(("contents__in", ["mine", "studies"])),
                name="calendar_feed_contents",
                violation_error_message="Contents: choose what is yours, or all of your studies.",
            ),
        ),
        migrations.RunPython(settle_chosen_zones, migrations.RunPython.noop),
    ]
