"""What organisations describe is kept; copies wait for their test; rules are named for their direction."""

from typing import Any

import django.db.models.deletion
import django.db.models.functions.text
from django.apps.registry import Apps
from django.conf import settings
from django.db import migrations, models
from django.db.backends.base.schema import BaseDatabaseSchemaEditor

# Rules are named for their direction; names that admins have given stay.
_NAMES = {
    ("study__v ↔ Clinical_Study_vod__c", "clinical_study_outbound__v"): "Study → Clinical Study",
    ("study_site__v ↔ Clinical_Site_vod__c", "clinical_site_outbound__v"): "Study Site → Clinical Site",
    (
        "crm_activity__v ↔ Vault_Clinical_Interaction_vod__c",
        "crm_call_outbound__v",
    ): "Clinical Activity → Vault Clinical Interaction",
    ("crm_activity__v ↔ Call2_vod__c", "crm_call_inbound__v"): "Call → Medical Activity",
}


def name_by_direction(apps: Apps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    """Name the delivered rules for their direction."""
    rules: Any = apps.get_model("connections", "IntegrationRule").objects.using(schema_editor.connection.alias)
    for (old, kind), new in _NAMES.items():
        rules.filter(name=old, integration__kind=kind).update(name=new)


def name_by_objects(apps: Apps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    """Name them as they were."""
    rules: Any = apps.get_model("connections", "IntegrationRule").objects.using(schema_editor.connection.alias)
    for (old, kind), new in _NAMES.items():
        rules.filter(name=new, integration__kind=kind).update(name=old)


class Migration(migrations.Migration):
    dependencies = [
        ("connections", "0012_log_in_by_certificate"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name="CrmFieldChange",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "field",
                    models.CharField(blank=True, default="", help_text="empty: the object itself", max_length=255),
                ),
                (
                    "aspect",
                    models.CharField(
                        choices=[
                            ("presence", "Presence"),
                            ("type", "Type"),
                            ("length", "Length"),
                            ("needed", "Required"),
                            ("unique", "Unique"),
                            ("access", "Access of the CRM user"),
                            ("values", "Picklist values"),
                            ("reference", "Refers to"),
                        ],
                        max_length=20,
                    ),
                ),
                ("before", models.TextField(blank=True, default="")),
                ("after", models.TextField(blank=True, default="")),
                ("noticed_at", models.DateTimeField()),
                ("seen_at", models.DateTimeField(blank=True, null=True)),
            ],
            options={
                "ordering": ("-noticed_at", "field", "aspect", "id"),
            },
        ),
        migrations.CreateModel(
            name="CrmObjectDescription",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("name", models.CharField(max_length=80)),
                ("content", models.JSONField(default=dict)),
                ("is_missing", models.BooleanField(default=False)),
                ("described_at", models.DateTimeField()),
                (
                    "origin",
                    models.CharField(
                        choices=[
                            ("asked", "Refreshed by hand"),
                            ("test", "Test Connection"),
                            ("transfer", "Transfer"),
                            ("daily", "Reconcile CRM (daily)"),
                        ],
                        max_length=20,
                    ),
                ),
            ],
            options={
                "ordering": ("name",),
            },
        ),
        migrations.CreateModel(
            name="CrmObjectList",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("labels", models.JSONField(default=dict)),
                ("listed_at", models.DateTimeField()),
            ],
        ),
        migrations.AddField(
            model_name="connection",
            name="awaits_test",
            field=models.BooleanField(default=False, editable=False, verbose_name="waits for its first test"),
        ),
        migrations.AddConstraint(
            model_name="connection",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    ("awaits_test", False), models.Q(("status", "active__v"), _negated=True), _connector="OR"
                ),
                name="copy_is_tested_before_it_is_active",
                violation_error_message="A copied connection has to pass its test before it is activated: choose its Authorization, then use Test Connection.",
            ),
        ),
        migrations.AddField(
            model_name="crmfieldchange",
            name="seen_by",
            field=models.ForeignKey(
                blank=True,
                null=True,
                on_delete=django.db.models.deletion.SET_NULL,
                related_name="+",
                to=settings.AUTH_USER_MODEL,
            ),
        ),
        migrations.AddField(
            model_name="crmobjectdescription",
            name="connection",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.CASCADE,
                related_name="crm_descriptions",
                to="connections.connection",
            ),
        ),
        migrations.AddField(
            model_name="crmobjectdescription",
            name="described_by",
            field=models.ForeignKey(
                blank=True,
                null=True,
                on_delete=django.db.models.deletion.SET_NULL,
                related_name="+",
                to=settings.AUTH_USER_MODEL,
            ),
        ),
        migrations.AddField(
            model_name="crmfieldchange",
            name="description",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.CASCADE,
                related_name="changes",
                to="connections.crmobjectdescription",
            ),
        ),
        migrations.AddField(
            model_name="crmobjectlist",
            name="connection",
            field=models.OneToOneField(
                on_delete=django.db.models.deletion.CASCADE, related_name="crm_objects", to="connections.connection"
            ),
        ),
        migrations.AddConstraint(
            model_name="crmobjectdescription",
            constraint=models.UniqueConstraint(
                models.F("connection"), django.db.models.functions.text.Lower("name"), name="crm_object_described_once"
            ),
        ),
        migrations.RunPython(name_by_direction, name_by_objects, elidable=False),
    ]
