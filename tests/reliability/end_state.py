"""Describes what Vault and CRM hold after a transfer, without ids and times that the CRM gives anew in each run."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from activities.models import Activity
from connections.models import IntegrationProgress
from crm_sync.choices import IntegrationRunState
from crm_sync.models import IntegrationRun, TransferLink
from crm_sync.sandbox.data.schema import VENDOR
from ctms.jobs.choices import UNFINISHED_STATES
from ctms.jobs.models import JobRun
from exceptions_log.models import Failure
from tests.crm_sync.world import World

OBJECTS = ("Clinical_Study_vod__c", "Clinical_Site_vod__c", "Vault_Clinical_Interaction_vod__c")
EXTERNAL_ID = "Vault_External_ID_vod__c"
# Columns whose values the CRM gives, different for each organisation and each write.
OF_THE_CRM = {
    "Id",
    "CreatedById",
    "CreatedDate",
    "LastModifiedById",
    "LastModifiedDate",
    "OwnerId",
    "SystemModstamp",
}

Row = tuple[tuple[str, Any], ...]


def describe_end_state(world: World) -> dict[str, list[Any]]:
    """Return all results of a transfer. They are equal for two organisations with the same data.

    The keys name what is compared. The values are lists and not sets, so that a duplicate record shows.
    """
    return {
        **{name: list_crm_rows(world, object_name=name) for name in OBJECTS},
        "Medical Activities": list_medical_activities(world),
        "links": list_links(world),
        "active exceptions": [item.error_message for item in world.list_exceptions()],
        "draft exceptions": list(
            Failure.objects.filter(integration__connection=world.connection).values_list("name", flat=True)
        ),
        "outcomes unknown": list(
            IntegrationProgress.objects.filter(
                integration__connection=world.connection, outcome_unknown=True
            ).values_list("integration__name", flat=True)
        ),
        "unfinished runs": list(
            JobRun.objects.filter(unit_key=str(world.connection.uid), state__in=UNFINISHED_STATES).values_list(
                "state", flat=True
            )
        ),
        "unfinished parts of runs": list(
            IntegrationRun.objects.filter(
                run__unit_key=str(world.connection.uid), state=IntegrationRunState.RUNNING
            ).values_list("integration__name", flat=True)
        ),
    }


def list_external_ids(world: World, *, object_name: str = "Vault_Clinical_Interaction_vod__c") -> list[str]:
    """Return the external ids of an object's rows that are not deleted, sorted, with duplicates."""
    rows = world.crm.organisation.list_records(object_name=object_name)
    return sorted(str(row[EXTERNAL_ID]) for row in rows)


def list_crm_rows(world: World, *, object_name: str) -> list[Row]:
    """Return an object's rows, also deleted ones, with external ids in place of references."""
    names = _name_references(world)
    ignored = OF_THE_CRM | ({"Name"} if VENDOR[object_name].name_field.auto_number else set())
    rows = world.crm.organisation.list_records(object_name=object_name, include_deleted=True)
    return sorted(
        (
            tuple((column, names.get(value, value)) for column, value in row.items() if column not in ignored)
            for row in rows
        ),
        key=repr,
    )


def list_medical_activities(world: World) -> list[Any]:
    """Return the Medical Activities received from the organisation, with the columns that come from there."""
    columns = ("person__external_id", "date", "channel", "complete", "status", "from_text")
    rows = Activity.objects.filter(connection=world.connection).values_list(*columns)
    return sorted((*values, author.replace(world.crm.user.email, "author@crm.test")) for *values, author in rows)


def list_links(world: World) -> list[Any]:
    """Return the Vault's transfer links, by which the next run decides. Medical Activities are named by person."""
    received = Activity.objects.filter(connection=world.connection)
    people: dict[UUID | None, str | None] = dict(received.values_list("uid", "person__external_id"))
    links = TransferLink.objects.filter(integration__connection=world.connection).select_related("integration")
    return sorted(
        (
            (
                link.integration.kind,
                people.get(link.record_uid, str(link.record_uid)),
                link.version,
                link.dependency_version,
                link.state,
                link.pending,
                link.crm_id != "",
            )
            for link in links
        ),
        key=repr,
    )


def _name_references(world: World) -> dict[str, str]:
    named = {
        str(row["Id"]): str(row[EXTERNAL_ID])
        for name in OBJECTS
        for row in world.crm.organisation.list_records(object_name=name, include_deleted=True)
    }
    accounts = world.crm.organisation.list_records(object_name="Account")
    return named | {str(row["Id"]): str(row["External_ID_vod__c"]) for row in accounts}
