import uuid

import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):
    initial = True

    dependencies = [
        ("accounts", "__first__"),
    ]

    operations = [
        migrations.CreateModel(
            name="BulkOperation",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("uid", models.UUIDField(default=uuid.uuid4, editable=False, unique=True, verbose_name="UID")),
                ("of_object", models.CharField(max_length=80, verbose_name="object")),
                ("kind", models.CharField(choices=[("edit", "Bulk edit"), ("import", "Import")], max_length=20)),
                (
                    "state",
                    models.CharField(
                        choices=[
                            ("checking", "Being checked"),
                            ("draft", "To be confirmed"),
                            ("queued", "Waiting"),
                            ("running", "Running"),
                            ("done", "Done"),
                            ("failed", "Failed"),
                        ],
                        default="draft",
                        max_length=20,
                    ),
                ),
                ("plan", models.JSONField(blank=True, default=dict)),
                ("content", models.TextField(blank=True, default="")),
                ("total", models.PositiveIntegerField(default=0)),
                ("done", models.PositiveIntegerField(default=0)),
                ("failed", models.PositiveIntegerField(default=0)),
                ("counts", models.JSONField(blank=True, default=dict)),
                ("message", models.TextField(blank=True, default="")),
                ("created_at", models.DateTimeField(auto_now_add=True)),
                ("finished_at", models.DateTimeField(blank=True, null=True)),
                ("seen_at", models.DateTimeField(blank=True, null=True)),
                (
                    "user",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="bulk_operations",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
            ],
            options={
                "ordering": ("-id",),
                "indexes": [models.Index(fields=["state"], name="operation_by_state")],
            },
        ),
        migrations.CreateModel(
            name="Favourite",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("of_object", models.CharField(max_length=80, verbose_name="object")),
                ("record_uid", models.UUIDField()),
                ("created_at", models.DateTimeField(auto_now_add=True)),
                (
                    "user",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="favourites",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
            ],
            options={
                "ordering": ("-created_at", "-id"),
                "constraints": [
                    models.UniqueConstraint(fields=("user", "record_uid"), name="favourite_once_per_record")
                ],
            },
        ),
        migrations.CreateModel(
            name="OperationProblem",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("position", models.PositiveIntegerField(help_text="line of the file, or number of the record")),
                ("record_uid", models.UUIDField(blank=True, null=True)),
                ("record_name", models.CharField(blank=True, default="", max_length=255)),
                ("field_label", models.CharField(blank=True, default="", max_length=128)),
                ("value", models.CharField(blank=True, default="", max_length=255)),
                ("message", models.TextField()),
                (
                    "operation",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE, related_name="problems", to="records.bulkoperation"
                    ),
                ),
            ],
            options={
                "ordering": ("id",),
            },
        ),
        migrations.CreateModel(
            name="RecentView",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("of_object", models.CharField(max_length=80, verbose_name="object")),
                ("record_uid", models.UUIDField()),
                ("viewed_at", models.DateTimeField()),
                (
                    "user",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="recent_views",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
            ],
            options={
                "ordering": ("-viewed_at", "-id"),
                "indexes": [models.Index(fields=["user", "-viewed_at"], name="recent_view_by_user")],
                "constraints": [
                    models.UniqueConstraint(fields=("user", "record_uid"), name="recent_view_once_per_record")
                ],
            },
        ),
        migrations.CreateModel(
            name="SavedView",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("uid", models.UUIDField(default=uuid.uuid4, editable=False, unique=True, verbose_name="UID")),
                ("of_object", models.CharField(max_length=80, verbose_name="object")),
                ("name", models.CharField(max_length=80)),
                ("parameters", models.CharField(blank=True, default="", max_length=4000)),
                ("columns", models.JSONField(blank=True, default=list)),
                ("is_shared", models.BooleanField(default=False, verbose_name="shared with everybody")),
                ("created_at", models.DateTimeField(auto_now_add=True)),
                (
                    "user",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="saved_views",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
            ],
            options={
                "ordering": ("name", "id"),
                "constraints": [
                    models.UniqueConstraint(
                        fields=("user", "of_object", "name"),
                        name="saved_view_named_once",
                        violation_error_message="Name: you have a view of this name. Choose another, or replace that one.",
                    )
                ],
            },
        ),
        migrations.CreateModel(
            name="ListPreference",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("of_object", models.CharField(max_length=80, verbose_name="object")),
                ("columns", models.JSONField(blank=True, default=list)),
                ("page_size", models.PositiveSmallIntegerField(default=50)),
                (
                    "user",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="list_preferences",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                (
                    "default_view",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="+",
                        to="records.savedview",
                    ),
                ),
            ],
            options={
                "constraints": [
                    models.UniqueConstraint(fields=("user", "of_object"), name="one_list_preference_per_object")
                ],
            },
        ),
    ]
