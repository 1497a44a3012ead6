import uuid

import django.core.validators
import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models

import connections.validators
import ctms.core.fields


class Migration(migrations.Migration):
    initial = True

    dependencies = [
        ("accounts", "__first__"),
    ]

    operations = [
        migrations.CreateModel(
            name="ConnectionAuthorization",
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
                ("username", models.CharField(max_length=255)),
                ("password", ctms.core.fields.EncryptedTextField(blank=True, default="", editable=False)),
                ("password_set_at", models.DateTimeField(blank=True, editable=False, null=True)),
                ("consumer_key", ctms.core.fields.EncryptedTextField(blank=True, default="", editable=False)),
                ("consumer_secret", ctms.core.fields.EncryptedTextField(blank=True, default="", editable=False)),
                (
                    "grant_flow",
                    models.CharField(
                        choices=[("password", "Username and password"), ("client_credentials", "Client credentials")],
                        default="password",
                        editable=False,
                        max_length=32,
                    ),
                ),
                ("connected_app_set_at", models.DateTimeField(blank=True, editable=False, null=True)),
                (
                    "connected_app_set_by",
                    models.ForeignKey(
                        editable=False,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
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
                    "password_set_by",
                    models.ForeignKey(
                        editable=False,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
            ],
            options={
                "verbose_name": "connection authorization",
                "verbose_name_plural": "connection authorizations",
                "ordering": ("name",),
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(("object_type", "basic_auth__sys")),
                        name="authorization_type_is_known",
                        violation_error_message="Object type: choose Basic Auth.",
                    )
                ],
            },
        ),
        migrations.CreateModel(
            name="Connection",
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
                (
                    "api_name",
                    models.CharField(
                        blank=True,
                        max_length=80,
                        unique=True,
                        validators=[
                            django.core.validators.RegexValidator(
                                "^[a-z][a-z0-9_]{0,60}__(c|v|sys)\\Z",
                                "Use small letters, digits and underscores, ending in __c, e.g. na_crm__c.",
                            )
                        ],
                        verbose_name="API name",
                    ),
                ),
                ("slot", models.PositiveSmallIntegerField(editable=False, unique=True)),
                (
                    "url",
                    models.CharField(
                        error_messages={
                            "unique": "Another connection leads to this organisation; calls would be received twice."
                        },
                        help_text="https:// and the organisation's host name, e.g. https://your-org.my.salesforce.com",
                        max_length=255,
                        unique=True,
                        validators=[connections.validators.validate_connection_url],
                        verbose_name="URL",
                    ),
                ),
                ("description", models.CharField(blank=True, default="", max_length=500)),
                ("contact_email", models.EmailField(blank=True, default="", max_length=254)),
                (
                    "connect_timeout",
                    models.PositiveSmallIntegerField(
                        default=10,
                        help_text="seconds",
                        validators=[
                            django.core.validators.MinValueValidator(1),
                            django.core.validators.MaxValueValidator(60),
                        ],
                    ),
                ),
                (
                    "read_timeout",
                    models.PositiveSmallIntegerField(
                        default=60,
                        help_text="seconds",
                        validators=[
                            django.core.validators.MinValueValidator(1),
                            django.core.validators.MaxValueValidator(300),
                        ],
                    ),
                ),
                (
                    "concurrency",
                    models.PositiveSmallIntegerField(
                        default=4,
                        help_text="requests at once",
                        validators=[
                            django.core.validators.MinValueValidator(1),
                            django.core.validators.MaxValueValidator(10),
                        ],
                    ),
                ),
                (
                    "quota_percent",
                    models.PositiveSmallIntegerField(
                        default=90,
                        help_text="share of the organisation's daily API calls at which a transfer stops",
                        validators=[
                            django.core.validators.MinValueValidator(1),
                            django.core.validators.MaxValueValidator(100),
                        ],
                    ),
                ),
                (
                    "authorized_connection_user",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
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
                    "authorization",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="connections",
                        to="connections.connectionauthorization",
                    ),
                ),
            ],
            options={
                "verbose_name": "connection",
                "verbose_name_plural": "connections",
                "ordering": ("name",),
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(("slot__gte", 1), ("slot__lte", 10)), name="at_most_ten_connections"
                    ),
                    models.UniqueConstraint(fields=("name",), name="connection_name_once"),
                    models.CheckConstraint(
                        condition=models.Q(("url__startswith", "https://")), name="connection_url_is_https"
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="CrmConnectionIdentifierMapping",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("uid", models.UUIDField(default=uuid.uuid4, editable=False, unique=True, verbose_name="UID")),
                ("version", models.PositiveIntegerField(default=1, editable=False)),
                ("created_at", models.DateTimeField(editable=False, verbose_name="created date")),
                ("modified_at", models.DateTimeField(db_index=True, editable=False, verbose_name="last modified date")),
                (
                    "clinical_person_identifier",
                    models.CharField(
                        blank=True,
                        default="",
                        help_text="API name of a Person field; empty: the one of Application Settings",
                        max_length=80,
                        verbose_name="Clinical Person Identifier",
                    ),
                ),
                (
                    "crm_account_identifier",
                    models.CharField(
                        help_text="API name of the Account field in this organisation",
                        max_length=80,
                        verbose_name="CRM Account Identifier",
                    ),
                ),
                (
                    "connection",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="identifier_mapping",
                        to="connections.connection",
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
                "verbose_name": "CRM connection identifier mapping",
                "verbose_name_plural": "CRM connection identifier mappings",
            },
        ),
        migrations.CreateModel(
            name="Integration",
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
                (
                    "kind",
                    models.CharField(
                        choices=[
                            ("crm_call_inbound__v", "CRM Call Inbound Integration"),
                            ("crm_call_outbound__v", "CRM Call Outbound Integration"),
                            ("clinical_study_outbound__v", "Clinical Study Outbound Integration"),
                            ("clinical_site_outbound__v", "Clinical Site Outbound Integration"),
                        ],
                        max_length=40,
                    ),
                ),
                (
                    "connection",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="integrations",
                        to="connections.connection",
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
                "verbose_name": "integration",
                "verbose_name_plural": "integrations",
                "ordering": ("connection", "kind"),
                "constraints": [
                    models.UniqueConstraint(fields=("connection", "kind"), name="integration_once_per_connection")
                ],
            },
        ),
        migrations.CreateModel(
            name="IntegrationProgress",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("last_successful_run_at", models.DateTimeField(null=True, verbose_name="last successful run time")),
                ("watermark", models.DateTimeField(help_text="greatest SystemModstamp received", null=True)),
                (
                    "organisation_id",
                    models.CharField(
                        blank=True,
                        default="",
                        help_text="of the CRM organisation that records are linked to",
                        max_length=15,
                    ),
                ),
                ("rules_digest", models.CharField(blank=True, default="", max_length=64)),
                ("outcome_unknown", models.BooleanField(default=False)),
                (
                    "integration",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="progress",
                        to="connections.integration",
                    ),
                ),
            ],
            options={
                "verbose_name_plural": "integration progress",
            },
        ),
        migrations.CreateModel(
            name="IntegrationRule",
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
                ("vault_object", models.CharField(help_text="API name", max_length=80)),
                ("vault_object_type", models.CharField(blank=True, default="", help_text="empty: all", max_length=80)),
                (
                    "vault_filter_field",
                    models.CharField(
                        blank=True,
                        default="",
                        help_text="Yes/No field of the Vault object that must be Yes; empty: all",
                        max_length=80,
                    ),
                ),
                ("conditions", models.JSONField(blank=True, default=list, editable=False, verbose_name="filter")),
                (
                    "crm_object",
                    models.CharField(
                        max_length=80,
                        validators=[
                            django.core.validators.RegexValidator(
                                "^[A-Za-z][A-Za-z0-9_]*(\\.[A-Za-z][A-Za-z0-9_]*)*\\Z",
                                "Use the API name in the CRM: letters, digits, underscores.",
                            )
                        ],
                        verbose_name="CRM object",
                    ),
                ),
                (
                    "crm_external_id_field",
                    models.CharField(
                        blank=True,
                        default="",
                        max_length=80,
                        validators=[
                            django.core.validators.RegexValidator(
                                "^[A-Za-z][A-Za-z0-9_]*(\\.[A-Za-z][A-Za-z0-9_]*)*\\Z",
                                "Use the API name in the CRM: letters, digits, underscores.",
                            )
                        ],
                        verbose_name="CRM external id field",
                    ),
                ),
                (
                    "crm_filter_field",
                    models.CharField(
                        blank=True,
                        default="",
                        help_text="checkbox of the CRM object that marks what to receive; empty: all",
                        max_length=80,
                        validators=[
                            django.core.validators.RegexValidator(
                                "^[A-Za-z][A-Za-z0-9_]*(\\.[A-Za-z][A-Za-z0-9_]*)*\\Z",
                                "Use the API name in the CRM: letters, digits, underscores.",
                            )
                        ],
                        verbose_name="CRM filter field",
                    ),
                ),
                (
                    "deletion_mode",
                    models.CharField(
                        choices=[
                            ("append", "Append text to a field"),
                            ("set", "Set a field"),
                            ("inactivate", "Make the Vault record Inactive"),
                        ],
                        max_length=20,
                    ),
                ),
                (
                    "deletion_field",
                    models.CharField(
                        blank=True,
                        default="",
                        max_length=80,
                        validators=[
                            django.core.validators.RegexValidator(
                                "^[A-Za-z][A-Za-z0-9_]*(\\.[A-Za-z][A-Za-z0-9_]*)*\\Z",
                                "Use the API name in the CRM: letters, digits, underscores.",
                            )
                        ],
                    ),
                ),
                ("deletion_value", models.CharField(blank=True, default="", max_length=80)),
                (
                    "deletion_max_length",
                    models.PositiveIntegerField(default=255, help_text="length of the field in the CRM"),
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
                    "integration",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.PROTECT, related_name="rule", to="connections.integration"
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
                "verbose_name": "integration rule",
                "verbose_name_plural": "integration rules",
                "ordering": ("integration", "name"),
            },
        ),
        migrations.CreateModel(
            name="FieldRule",
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
                ("position", models.PositiveSmallIntegerField(default=0)),
                (
                    "kind",
                    models.CharField(
                        choices=[
                            ("copy", "Copy"),
                            ("constant", "Constant"),
                            ("picklist", "Picklist map"),
                            ("person_account", "Person ↔ Account"),
                            ("reference", "Reference by external id"),
                            ("formatted_person", "Formatted person"),
                            ("record_link", "Link to the record"),
                        ],
                        default="copy",
                        max_length=20,
                    ),
                ),
                (
                    "source",
                    models.CharField(
                        blank=True,
                        default="",
                        max_length=160,
                        validators=[
                            django.core.validators.RegexValidator(
                                "^[A-Za-z][A-Za-z0-9_]*(\\.[A-Za-z][A-Za-z0-9_]*)*\\Z",
                                "Use the API name in the CRM: letters, digits, underscores.",
                            )
                        ],
                    ),
                ),
                (
                    "target",
                    models.CharField(
                        max_length=160,
                        validators=[
                            django.core.validators.RegexValidator(
                                "^[A-Za-z][A-Za-z0-9_]*(\\.[A-Za-z][A-Za-z0-9_]*)*\\Z",
                                "Use the API name in the CRM: letters, digits, underscores.",
                            )
                        ],
                    ),
                ),
                ("is_required", models.BooleanField(default=False, verbose_name="required")),
                ("constant", models.CharField(blank=True, default="", help_text="for kind Constant", max_length=255)),
                (
                    "picklist_map",
                    models.JSONField(
                        blank=True,
                        default=dict,
                        help_text='for kind Picklist map: {"value here": "value there"}; "*" stands for any other',
                    ),
                ),
                (
                    "reference_object",
                    models.CharField(
                        blank=True,
                        default="",
                        help_text="for Person ↔ Account: the account object; for references: the CRM object referred to",
                        max_length=80,
                        validators=[
                            django.core.validators.RegexValidator(
                                "^[A-Za-z][A-Za-z0-9_]*(\\.[A-Za-z][A-Za-z0-9_]*)*\\Z",
                                "Use the API name in the CRM: letters, digits, underscores.",
                            )
                        ],
                    ),
                ),
                (
                    "reference_field",
                    models.CharField(
                        blank=True,
                        default="",
                        help_text="for references: external id field of the object referred to",
                        max_length=80,
                        validators=[
                            django.core.validators.RegexValidator(
                                "^[A-Za-z][A-Za-z0-9_]*(\\.[A-Za-z][A-Za-z0-9_]*)*\\Z",
                                "Use the API name in the CRM: letters, digits, underscores.",
                            )
                        ],
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
                    "rule",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="field_rules",
                        to="connections.integrationrule",
                    ),
                ),
            ],
            options={
                "verbose_name": "field rule",
                "verbose_name_plural": "field rules",
                "ordering": ("rule", "position", "id"),
                "constraints": [
                    models.UniqueConstraint(
                        fields=("rule", "target"),
                        name="target_once_per_rule",
                        violation_error_message="Another field rule fills this target field.",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            ("kind", "constant"),
                            ("kind", "record_link"),
                            models.Q(("source", ""), _negated=True),
                            _connector="OR",
                        ),
                        name="field_rule_has_a_source",
                        violation_error_message="Source: name the field to read, unless the kind is Constant or Link to the record.",
                    ),
                ],
            },
        ),
    ]
