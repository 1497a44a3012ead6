"""Forms tell where a CRM keeps fewer characters of a text than the Vault, as the CRM described its fields."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Any

import pytest
import time_machine
from django.test import Client
from django.urls import reverse

from activities.models import Activity
from connections.choices import IntegrationKind
from connections.models import FieldRule
from crm_sync.contributions.form_lengths import list_kept_lengths
from crm_sync.diagnostics.connection_test import check_connection
from crm_sync.models import FieldLength
from ctms.audit.services import delete_record, save_record
from ctms.core.choices import RecordStatus
from tests.admin_forms import fill, log_in_admin, read_form
from tests.crm_sync.world import World
from tests.factories.activities import ActivityFactory
from tests.factories.base import build_admin_actor
from tests.factories.clinical import PersonFactory

pytestmark = [pytest.mark.django_db, pytest.mark.both_databases]

CREATE = "/records/crm_activity__v/create/"
QUICK = "/records/crm_activity__v/quick/"
CLINICAL = "clinical_activity__v"
SUBJECT = [("NA", "subject__v", 255)]


def find_rule(world: World, target: str = "Subject_vod__c") -> FieldRule:
    return FieldRule.objects.get(
        rule__integration__connection=world.connection,
        rule__integration__kind=IntegrationKind.CALL_OUTBOUND,
        target=target,
    )


def save(record: Any, **values: Any) -> None:
    record.refresh_from_db()
    for name, value in values.items():
        setattr(record, name, value)
    save_record(record=record, actor=build_admin_actor())


def list_told(object_name: str = "crm_activity__v", object_type: str = CLINICAL) -> list[tuple[str, str, int]]:
    kept = list_kept_lengths(object_name, object_type)
    return [(each.keeper, each.field_name, each.length) for each in kept if each.field_name == "subject__v"]


# -- What is known ---------------------------------------------------------------------------------
def test_test_connection_learns_the_lengths_once_with_the_time(world: World) -> None:
    assert list_told() == []
    with time_machine.travel(datetime(2026, 3, 4, 12, tzinfo=UTC), tick=False):
        check_connection(connection=world.connection)
    check_connection(connection=world.connection)
    assert list_told() == SUBJECT
    known = FieldLength.objects.get(field_rule=find_rule(world))
    assert (known.crm_field, known.known_since) == (
        "Vault_Clinical_Interaction_vod__c.Subject_vod__c",
        datetime(2026, 3, 4, 12, tzinfo=UTC),
    )
    # A date has no length.
    assert not FieldLength.objects.filter(field_rule=find_rule(world, "Interaction_Date_vod__c")).exists()


def test_a_transfer_with_new_rules_learns_them_and_one_without_asks_nothing(world: World) -> None:
    world.transfer()
    assert list_told() == SUBJECT
    before = len([entry for entry in world.crm.request_log if entry.path.endswith("/describe")])
    world.transfer()
    assert len([entry for entry in world.crm.request_log if entry.path.endswith("/describe")]) == before == 3


@pytest.mark.parametrize(("status", "code"), [(403, "INSUFFICIENT_ACCESS"), (503, "SERVER_UNAVAILABLE")])
def test_a_transfer_does_not_need_the_description(world: World, status: int, code: str) -> None:
    world.misbehave(match={"path": "/describe$"}, effect={"status": status, "error_code": code})
    activity = ActivityFactory.create(person=PersonFactory.create())
    world.add_accounts([activity.person])
    run = world.transfer()
    assert world.count(run, IntegrationKind.CALL_OUTBOUND) == {"selected": 1, "sent": 1, "created": 1}
    assert list_told() == []


def test_a_rule_that_is_switched_off_or_names_another_field_tells_nothing(world: World) -> None:
    check_connection(connection=world.connection)
    rule = find_rule(world)
    save(rule, status="inactive__v")
    assert list_told() == []
    # As an older program may have left it; a field that the CRM has not described is refused today.
    rule.status, rule.target = RecordStatus.ACTIVE, "Other_Subject__c"
    save_record(record=rule, actor=build_admin_actor(), validate=False)
    assert list_told() == []
    save(rule, target="Subject_vod__c")
    assert list_told() == SUBJECT
    save(world.connection, status="inactive__v")
    assert list_told() == []


def test_calls_that_are_received_and_other_objects_are_told_nothing(world: World) -> None:
    check_connection(connection=world.connection)
    assert list_told(object_type="medical_activity__v") == []
    assert list_told(object_name="site__v") == []


def test_it_goes_with_its_rule(world: World) -> None:
    check_connection(connection=world.connection)
    delete_record(record=find_rule(world), actor=build_admin_actor())
    assert not FieldLength.objects.filter(crm_field__endswith="Subject_vod__c").exists()


def test_test_connection_shows_what_is_known_and_since_when(world: World, client: Client) -> None:
    log_in_admin(client)
    url = reverse("admin:connections_connection_test_connection", args=(world.connection.pk,))
    assert "Lengths of fields" not in client.get(url).content.decode()
    with time_machine.travel(datetime(2026, 3, 4, 12, tzinfo=UTC), tick=False):
        check_connection(connection=world.connection)
    page = client.get(url).content.decode()
    assert "Vault_Clinical_Interaction_vod__c.Subject_vod__c" in page
    assert "4 Mar 2026, 12:00 UTC" in page


# -- What forms tell -------------------------------------------------------------------------------
def test_forms_tell_the_length_describe_the_input_by_it_and_save_what_is_longer(world: World, client: Client) -> None:
    log_in_admin(client)
    assert "keeps" not in client.get(CREATE).content.decode()
    check_connection(connection=world.connection)
    for url in (CREATE, QUICK):
        page = client.get(url).content.decode()
        assert "NA takes 255 characters" in page
        assert re.search(r'<input[^>]* aria-describedby="([^"]+subject__v_kept)"', page), url
    activity = ActivityFactory.create(subject="🙂" * 127)
    edit = f"/records/crm_activity__v/{activity.uid}/edit/"
    assert "; 1 left" in client.get(edit).content.decode()
    client.post(edit, fill(read_form(client.get(edit), form_id="record-form"), typed={"subject__v": "🙂" * 128}))
    assert Activity.objects.get().subject == "🙂" * 128
    assert "; 1 too many" in client.get(edit).content.decode()
    field = client.get(f"/records/crm_activity__v/{activity.uid}/fields/subject__v/", headers={"HX-Request": "true"})
    assert "; 1 too many" in field.content.decode()


def test_two_organisations_of_one_length_are_one_note(world: World, second_world: World, client: Client) -> None:
    log_in_admin(client)
    for each in (world, second_world):
        check_connection(connection=each.connection)
    assert "EMEA and NA take 255 characters" in client.get(CREATE).content.decode()


def test_a_length_that_the_vault_keeps_too_is_not_told(world: World, client: Client) -> None:
    log_in_admin(client)
    check_connection(connection=world.connection)
    FieldLength.objects.filter(field_rule=find_rule(world)).update(length=500)
    assert "NA keeps" not in client.get(CREATE).content.decode()
