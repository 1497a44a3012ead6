import uuid

import django.core.validators
import django.db.models.constraints
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
            name="ObjectType",
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
                ("api_name", models.CharField(max_length=80, verbose_name="API name")),
                ("label", models.CharField(max_length=128)),
                (
                    "status",
                    models.CharField(
                        choices=[("active__v", "Active"), ("inactive__v", "Inactive")],
                        default="active__v",
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
            ],
            options={
                "ordering": ("of_object", "id"),
                "constraints": [
                    models.UniqueConstraint(fields=("of_object", "api_name"), name="object_type_once_per_object")
                ],
            },
        ),
        migrations.CreateModel(
            name="ConfiguredObject",
            fields=[],
            options={
                "verbose_name": "object",
                "verbose_name_plural": "objects",
                "proxy": True,
                "indexes": [],
                "constraints": [],
            },
            bases=("configuration.objecttype",),
        ),
        migrations.CreateModel(
            name="ObjectTypeAction",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("uid", models.UUIDField(default=uuid.uuid4, editable=False, unique=True, verbose_name="UID")),
                ("version", models.PositiveIntegerField(default=1, editable=False)),
                ("created_at", models.DateTimeField(editable=False, verbose_name="created date")),
                ("modified_at", models.DateTimeField(db_index=True, editable=False, verbose_name="last modified date")),
                (
                    "action_name",
                    models.CharField(help_text="API name of the action", max_length=80, verbose_name="action"),
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
                    "object_type",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="actions",
                        to="configuration.objecttype",
                    ),
                ),
            ],
            options={
                "constraints": [
                    models.UniqueConstraint(fields=("object_type", "action_name"), name="action_once_per_object_type")
                ],
            },
        ),
        migrations.CreateModel(
            name="ObjectTypeField",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("uid", models.UUIDField(default=uuid.uuid4, editable=False, unique=True, verbose_name="UID")),
                ("version", models.PositiveIntegerField(default=1, editable=False)),
                ("created_at", models.DateTimeField(editable=False, verbose_name="created date")),
                ("modified_at", models.DateTimeField(db_index=True, editable=False, verbose_name="last modified date")),
                (
                    "field_name",
                    models.CharField(help_text="API name of the field", max_length=80, verbose_name="field"),
                ),
                ("is_assigned", models.BooleanField(default=True, verbose_name="assigned")),
                ("is_required", models.BooleanField(default=False, verbose_name="required")),
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
                    "object_type",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="fields",
                        to="configuration.objecttype",
                    ),
                ),
            ],
            options={
                "constraints": [
                    models.UniqueConstraint(fields=("object_type", "field_name"), name="field_once_per_object_type")
                ],
            },
        ),
        migrations.CreateModel(
            name="PageLayout",
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
                    "object_type",
                    models.CharField(blank=True, default="", help_text="empty: every object type", max_length=80),
                ),
                ("name", models.CharField(max_length=128)),
                ("revision", models.PositiveIntegerField(default=1, editable=False)),
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
                "ordering": ("of_object", "object_type"),
                "constraints": [
                    models.UniqueConstraint(fields=("of_object", "object_type"), name="one_layout_per_object_type")
                ],
            },
        ),
        migrations.CreateModel(
            name="LayoutSection",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("uid", models.UUIDField(default=uuid.uuid4, editable=False, unique=True, verbose_name="UID")),
                ("version", models.PositiveIntegerField(default=1, editable=False)),
                ("created_at", models.DateTimeField(editable=False, verbose_name="created date")),
                ("modified_at", models.DateTimeField(db_index=True, editable=False, verbose_name="last modified date")),
                ("position", models.PositiveSmallIntegerField()),
                (
                    "kind",
                    models.CharField(
                        choices=[("fields", "Fields"), ("related", "Related object")], default="fields", max_length=20
                    ),
                ),
                ("title", models.CharField(max_length=128)),
                ("related_object", models.CharField(blank=True, default="", max_length=80)),
                (
                    "related_field",
                    models.CharField(
                        blank=True,
                        default="",
                        help_text="field of the related object that refers to this one",
                        max_length=80,
                    ),
                ),
                ("items", models.JSONField(blank=True, default=list, verbose_name="fields or columns")),
                ("prevent_creation", models.BooleanField(default=False, verbose_name="prevent record creation")),
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
                    "layout",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="sections",
                        to="configuration.pagelayout",
                    ),
                ),
            ],
            options={
                "ordering": ("layout", "position"),
                "constraints": [
                    models.UniqueConstraint(
                        deferrable=django.db.models.constraints.Deferrable["DEFERRED"],
                        fields=("layout", "position"),
                        name="one_section_per_position",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(
                                ("kind", "related"),
                                models.Q(("related_object", ""), _negated=True),
                                models.Q(("related_field", ""), _negated=True),
                            ),
                            models.Q(("kind", "fields"), ("related_object", "")),
                            _connector="OR",
                        ),
                        name="related_section_names_its_object",
                        violation_error_message="Related object: a section of related records names their object and the field that refers to this one, a section of fields names none.",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="ApplicationSettings",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("uid", models.UUIDField(default=uuid.uuid4, editable=False, unique=True, verbose_name="UID")),
                ("version", models.PositiveIntegerField(default=1, editable=False)),
                ("created_at", models.DateTimeField(editable=False, verbose_name="created date")),
                ("modified_at", models.DateTimeField(db_index=True, editable=False, verbose_name="last modified date")),
                (
                    "enable_global_crm_mapping",
                    models.BooleanField(default=False, verbose_name="Enable Global CRM Connection Identifier Mapping"),
                ),
                (
                    "clinical_person_identifier",
                    models.CharField(
                        blank=True,
                        default="",
                        help_text="API name of the Person field that identifies a person, e.g. external_id__v. Case-sensitive, unique.",
                        max_length=80,
                        verbose_name="Clinical Person Identifier",
                    ),
                ),
                (
                    "crm_account_identifier",
                    models.CharField(
                        blank=True,
                        default="",
                        help_text="API name of the Account field with the same value, e.g. External_ID_vod__c. Case-sensitive, unique.",
                        max_length=80,
                        verbose_name="CRM Account Identifier",
                    ),
                ),
                ("singleton", models.BooleanField(default=True, editable=False, unique=True)),
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
                "verbose_name": "application settings",
                "verbose_name_plural": "application settings",
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(("singleton", True)), name="one_row_of_application_settings"
                    )
                ],
            },
        ),
        migrations.CreateModel(
            name="CustomField",
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
                    "api_name",
                    models.CharField(
                        max_length=64,
                        validators=[
                            django.core.validators.RegexValidator(
                                "^[a-z][a-z0-9_]{0,60}__c\\Z",
                                "Use small letters, digits and underscores, ending in __c, e.g. favourite_colour__c.",
                            )
                        ],
                        verbose_name="API name",
                    ),
                ),
                ("label", models.CharField(max_length=128)),
                (
                    "kind",
                    models.CharField(
                        choices=[
                            ("text", "Text"),
                            ("long_text", "Long text"),
                            ("number", "Number"),
                            ("date", "Date"),
                            ("datetime", "Date and time"),
                            ("yes_no", "Yes/No"),
                            ("picklist", "Picklist"),
                            ("person", "Reference to a Person"),
                        ],
                        default="text",
                        max_length=20,
                    ),
                ),
                ("picklist_values", models.JSONField(blank=True, default=list)),
                (
                    "status",
                    models.CharField(
                        choices=[("active__v", "Active"), ("inactive__v", "Inactive")],
                        default="active__v",
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
            ],
            options={
                "ordering": ("of_object", "api_name"),
                "constraints": [
                    models.UniqueConstraint(fields=("of_object", "api_name"), name="custom_field_once_per_object"),
                    models.CheckConstraint(
                        condition=models.Q(("api_name__endswith", "__c")), name="custom_field_ends_in_c"
                    ),
                ],
            },
        ),
    ]
