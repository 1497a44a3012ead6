"""An organisation belongs to one connection, and received calls know their account."""

from typing import Any

import django.db.models.deletion
from django.apps.registry import Apps
from django.db import migrations, models
from django.db.backends.base.schema import BaseDatabaseSchemaEditor


def take_over_organisations(apps: Apps, _schema_editor: BaseDatabaseSchemaEditor) -> None:
    """Give each organisation to the connection that had it first, and let calls be read again, with their accounts."""
    # Models as of then, which the types of today do not describe.
    progress: Any = apps.get_model("connections", "IntegrationProgress")
    organisations: Any = apps.get_model("crm_sync", "OrganisationProgress")
    owners: dict[str, int] = {}
    known = progress.objects.exclude(organisation_id="").order_by("integration__connection_id")
    for organisation_id, connection_id in known.values_list("organisation_id", "integration__connection_id"):
        if owners.setdefault(organisation_id, connection_id) == connection_id:
            organisations.objects.get_or_create(
                connection_id=connection_id, defaults={"organisation_id": organisation_id}
            )
    progress.objects.update(watermark=None)


class Migration(migrations.Migration):
    dependencies = [("connections", "0002_bookmark"), ("crm_sync", "0001_initial")]

    operations = [
        migrations.CreateModel(
            name="OrganisationProgress",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "connection",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="organisation_progress",
                        to="connections.connection",
                    ),
                ),
                ("organisation_id", models.CharField(max_length=15, null=True, unique=True)),
                (
                    "accounts_watermark",
                    models.DateTimeField(help_text="greatest SystemModstamp of the accounts read", null=True),
                ),
                (
                    "accounts_read_at",
                    models.DateTimeField(help_text="the CRM's clock when changed accounts were last read", null=True),
                ),
                (
                    "accounts_compared_at",
                    models.DateTimeField(help_text="when all known accounts were last compared", null=True),
                ),
                (
                    "persons_bookmark",
                    models.TextField(
                        blank=True,
                        default="",
                        editable=False,
                        help_text="place in the audit trail up to which persons were compared",
                    ),
                ),
            ],
            options={"verbose_name_plural": "organisation progress"},
        ),
        migrations.AddField(
            model_name="transferlink",
            name="account_id",
            field=models.CharField(blank=True, default="", max_length=18),
        ),
        migrations.AddIndex(
            model_name="transferlink",
            index=models.Index(
                condition=models.Q(("account_id", ""), _negated=True),
                fields=["account_id", "integration"],
                name="link_account",
            ),
        ),
        migrations.RunPython(take_over_organisations, migrations.RunPython.noop),
    ]
