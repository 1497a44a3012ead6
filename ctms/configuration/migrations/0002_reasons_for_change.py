"""Admins say which changes need a reason."""

import uuid

import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("configuration", "0001_initial"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name="ReasonRule",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("uid", models.UUIDField(default=uuid.uuid4, editable=False, unique=True, verbose_name="UID")),
                ("version", models.PositiveIntegerField(default=1, editable=False)),
                ("created_at", models.DateTimeField(editable=False, verbose_name="created date")),
                ("modified_at", models.DateTimeField(db_index=True, editable=False, verbose_name="last modified date")),
                (
                    "of_object",
                    models.CharField(help_text="API name of the object", max_length=80, verbose_name="object"),
                ),
                (
                    "field_name",
                    models.CharField(
                        blank=True,
                        default="",
                        help_text="API name of the field; empty: all, and deletion",
                        max_length=80,
                        verbose_name="field",
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
            ],
            options={
                "verbose_name": "reason for change",
                "verbose_name_plural": "reasons for change",
                "ordering": ("of_object", "field_name"),
                "constraints": [
                    models.UniqueConstraint(
                        fields=("of_object", "field_name"),
                        name="reason_once_per_field",
                        violation_error_message="The reason for this change is asked for already.",
                    )
                ],
            },
        ),
    ]
