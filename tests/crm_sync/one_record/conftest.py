"""Looking at one record, and sending it, over real HTTP to an organisation of the sandbox."""

from __future__ import annotations

from typing import Any

import pytest

from activities.models import Activity
from connections.choices import IntegrationKind
from connections.models import Integration, IntegrationRule
from crm_sync.one_record.looking import Look, look_at_record
from crm_sync.one_record.sending import Sent, send_record
from ctms.audit.services import delete_record, save_record
from ctms.clinical.models import Person
from ctms.core.models import VaultRecord
from tests.crm_sync.world import World
from tests.factories.base import build_admin_actor
from tests.factories.clinical import PersonFactory

STUDIES, SITES, OUT = IntegrationKind.STUDY_OUTBOUND, IntegrationKind.SITE_OUTBOUND, IntegrationKind.CALL_OUTBOUND


@pytest.fixture
def person(world: World) -> Person:
    person = PersonFactory.create()
    world.add_accounts([person])
    return person


def get_integration(world: World, kind: IntegrationKind = OUT) -> Integration:
    integrations = Integration.objects.select_related("rule", "connection__authorization")
    return integrations.get(connection=world.connection, kind=kind)


def look(world: World, record: VaultRecord, kind: IntegrationKind = OUT) -> Look:
    return look_at_record(integration=get_integration(world, kind), uid=record.uid)


def send(world: World, record: VaultRecord, kind: IntegrationKind = OUT) -> Sent:
    return send_record(
        integration=get_integration(world, kind), uid=record.uid, name=str(record), actor=build_admin_actor()
    )


def edit(record: Any, **values: Any) -> None:
    record.refresh_from_db()
    for name, value in values.items():
        setattr(record, name, value)
    save_record(record=record, actor=build_admin_actor())


def delete(record: Any) -> None:
    record.refresh_from_db()
    delete_record(record=record, actor=build_admin_actor())


def set_filter(world: World, *conditions: Any, **values: Any) -> IntegrationRule:
    rule = IntegrationRule.objects.get(integration__connection=world.connection, integration__kind=OUT)
    stored = [{"field": name, "operator": each, "values": asked} for name, each, asked in conditions]
    edit(rule, conditions=stored, **values)
    return rule


def list_writes(world: World) -> list[Any]:
    return list(world.crm.request_log.list_written())


def list_sent(world: World) -> set[str]:
    """Return the external ids of the activities that the CRM has."""
    return {str(row["Vault_External_ID_vod__c"]) for row in world.list_interactions()}


def name_all(*activities: Activity) -> set[str]:
    return {str(each.uid) for each in activities}
