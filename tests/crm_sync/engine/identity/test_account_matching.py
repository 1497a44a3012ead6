"""Accounts are asked for by identifiers of every form: text, numbers, and values that no account can have."""

from __future__ import annotations

from typing import Any

import pytest

from activities.models import Activity
from connections.choices import IntegrationKind
from crm_sync.actions.repair_now import reconcile_now
from crm_sync.diagnostics.connection_test import CheckState
from crm_sync.diagnostics.identifier_lookup import look_up_samples
from crm_sync.diagnostics.identifier_stats import list_mappings
from crm_sync.models import AccountMatch, Reconciliation
from ctms.audit.services import save_record
from ctms.clinical.models import Person
from ctms.configuration.models import CustomField
from ctms.jobs.services import execute_run
from tests.crm_sync.plain_crm import PlainWorld
from tests.crm_sync.reconciliation.conftest import reconcile_world
from tests.crm_sync.world import World
from tests.factories.activities import ActivityFactory
from tests.factories.base import build_admin_actor
from tests.factories.bulk import create_people
from tests.factories.clinical import PersonFactory
from tests.factories.configuration import map_identifiers

pytestmark = [pytest.mark.django_db, pytest.mark.both_databases]

OUT, IN = IntegrationKind.CALL_OUTBOUND, IntegrationKind.CALL_INBOUND


def add_numbered_accounts(world: World, *numbers: float) -> list[str]:
    return world.crm.organisation.insert_records(
        object_name="Account",
        records=[{"LastName": str(number), "Customer_Number__c": number} for number in numbers],
    )


def list_accounts(world: World) -> dict[str, str]:
    return {row["Subject_vod__c"]: row["Account_vod__c"] for row in world.list_interactions()}


@pytest.fixture
def numbered(world: World) -> World:
    """A world whose accounts are identified by a number, and persons by their NPI."""
    map_identifiers(person_field="npi__v", account_field="Customer_Number__c")
    return world


# -- Numbers ---------------------------------------------------------------------------------------
def test_persons_are_matched_by_a_number_and_a_value_that_is_none_costs_one_item(numbered: World) -> None:
    first, second = add_numbered_accounts(numbered, 4711, 12.5)
    for npi in ("4711", "12.5", "004711", "HCP-1"):
        ActivityFactory.create(person=PersonFactory.create(npi=npi), subject=npi)
    run = numbered.transfer()
    assert numbered.count(run, OUT) == {"selected": 4, "sent": 2, "created": 2, "failed": 2}
    assert list_accounts(numbered) == {"4711": first, "12.5": second}
    told = {item.error_message for item in numbered.list_exceptions()}
    assert len(told) == 2
    assert all("Customer_Number__c of the accounts in NA is a number" in message for message in told)
    assert any("has the NPI '004711'" in message for message in told)
    # Matches rest on the number as it is spelled, so that a second run has nothing to send.
    assert "sent" not in numbered.count(numbered.transfer(), OUT)


def test_a_number_that_no_account_has_is_told_as_such(numbered: World) -> None:
    ActivityFactory.create(person=PersonFactory.create(npi="815"))
    numbered.transfer()
    (item,) = numbered.list_exceptions()
    assert item.error_message.startswith("No account in NA has the Customer_Number__c '815', which is the NPI of ")


def test_calls_and_their_reconciliation_find_persons_by_a_number(numbered: World) -> None:
    person = PersonFactory.create(npi="4711")
    (account,) = add_numbered_accounts(numbered, 4711)
    numbered.add_calls([account])
    numbered.transfer()
    assert Activity.objects.get().person == person
    execute_run(reconcile_now(connection=numbered.connection, user=None).pk)
    assert Reconciliation.objects.get().is_proof


def test_check_identifiers_looks_numbers_up(numbered: World) -> None:
    add_numbered_accounts(numbered, 4711)
    for npi in ("4711", "HCP-1"):
        PersonFactory.create(npi=npi)
    found = look_up_samples(mappings=list_mappings(), persons=Person.objects.all())[numbered.connection.pk]
    assert found.state == CheckState.PASSED
    assert found.message.startswith("1 of the first 2 persons")


def test_another_refusal_is_told_as_the_crm_gave_it(world: World) -> None:
    map_identifiers(account_field="No_Such_Field__c")
    ActivityFactory.create(person=PersonFactory.create())
    world.transfer()
    assert any("No_Such_Field__c" in item.error_message for item in world.list_exceptions())


# -- Spellings that only the CRM takes for equal -----------------------------------------------------
def test_an_account_that_is_found_by_two_spellings_in_two_calls_is_one_account(world: World) -> None:
    map_identifiers(account_field="NPI_vod__c")
    first, *others = create_people(201, prefix="p")
    last = PersonFactory.create(external_id=str(first.external_id).upper())
    world.crm.organisation.insert_records(
        object_name="Account", records=[{"LastName": "Weber", "NPI_vod__c": first.external_id}]
    )
    ActivityFactory.create(person=first, subject="First")
    for person in (*others, last):
        ActivityFactory.create(person=person)
    world.transfer()
    assert set(list_accounts(world)) == {"First"}


# -- Long values -----------------------------------------------------------------------------------
@pytest.fixture
def without_bounds(world: World) -> PlainWorld:
    """A CRM whose fields have no bounds, and persons who are identified by a custom text."""
    assert isinstance(world, PlainWorld)
    field = CustomField(of_object="person__sys", api_name="veeva_id__c", label="Veeva ID")
    save_record(record=field, actor=build_admin_actor())
    map_identifiers(person_field="veeva_id__c")
    return world


@pytest.mark.parametrize("world", ["plain"], indirect=True)
@pytest.mark.parametrize("long", ["V" * 256, "🙂" * 128], ids=["letters", "emojis"])
def test_a_value_that_is_too_long_costs_its_record_and_its_call_and_nothing_else(
    without_bounds: PlainWorld, long: str
) -> None:
    world, fit = without_bounds, "V" * 255
    people: list[Any] = [PersonFactory.create(custom_fields={"veeva_id__c": value}) for value in (fit, long)]
    accounts = [world.plain.insert("Account", {"External_ID_vod__c": value}).crm_id for value in (fit, long)]
    for person in people:
        ActivityFactory.create(person=person)
    calls = world.add_calls(accounts)

    run = world.transfer()

    assert world.count(run, OUT) == {"selected": 2, "sent": 1, "created": 1, "failed": 1}
    assert world.count(run, IN) == {"selected": 2, "received": 1, "created": 1, "failed": 1}
    assert sorted(item.error_message.partition(", ")[0] for item in world.list_exceptions()) == sorted(
        [
            f"{people[1].name} has a value of 256 characters in Veeva ID",
            "The account in NA has a value of 256 characters in External_ID_vod__c",
        ]
    )
    assert AccountMatch.objects.get().person == people[0]
    assert Activity.objects.exclude(crm_id="").get().crm_id == calls[0]
    reconciled = reconcile_world(world)
    assert (reconciled.counts[OUT], reconciled.counts[IN]) == ({"equal": 1, "unmatched": 1},) * 2
    assert reconciled.is_proof


@pytest.mark.parametrize("world", ["plain"], indirect=True)
def test_a_value_that_became_too_long_leaves_what_was_sent_and_is_unmatched(without_bounds: PlainWorld) -> None:
    world = without_bounds
    person: Any = PersonFactory.create(custom_fields={"veeva_id__c": "V-1"})
    account = world.plain.insert("Account", {"External_ID_vod__c": "V-1"})
    ActivityFactory.create(person=person)
    (call,) = world.add_calls([account.crm_id])
    world.transfer()
    person.custom_fields = {"veeva_id__c": "V" * 256}
    save_record(record=person, actor=build_admin_actor())
    world.change_in_crm("Account", account.crm_id, External_ID_vod__c="V" * 256)

    run = world.transfer()

    assert (world.count(run, OUT)["failed"], world.count(run, IN)["failed"]) == (1, 1)
    assert Activity.objects.get(crm_id=call).person == person
    reconciled = reconcile_world(world)
    assert (reconciled.counts[OUT], reconciled.counts[IN]) == ({"unmatched": 1},) * 2
