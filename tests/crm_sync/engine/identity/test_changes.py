"""No record stays with a wrong person or account: identifiers that change on either side are followed in every run."""

from __future__ import annotations

import threading
from typing import Any

import pytest
from django.db import connections

from activities.models import Activity
from connections.models import Connection, CrmConnectionIdentifierMapping
from crm_sync.crm.errors import ConfigurationError
from crm_sync.engine.identity.account_matching import spell_identifier
from crm_sync.engine.identity.organisation import claim_organisation, refuse_other_organisation
from crm_sync.models import OrganisationProgress, TransferLink
from ctms.audit.models import AuditEntry
from ctms.audit.services import save_record
from ctms.clinical.models import Person
from ctms.jobs.choices import RunState
from tests.crm_sync.world import World
from tests.factories.activities import ActivityFactory
from tests.factories.base import build_admin_actor
from tests.factories.clinical import PersonFactory
from tests.factories.connections import ConnectionFactory

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _hosts(settings: Any, world: World) -> None:
    """Further addresses of the organisation."""
    more = {f"na{number}.crm.test": world.crm.base_url for number in (2, 3)}
    settings.CRM_SANDBOX_ORIGINS = {**settings.CRM_SANDBOX_ORIGINS, **more}


def save(person: Person, **values: Any) -> None:
    for name, value in values.items():
        setattr(person, name, value)
    save_record(record=person, actor=build_admin_actor())


def swap(world: World, first: str, second: str, people: list[Person]) -> None:
    """Exchange the identifiers of two accounts in the CRM."""
    world.change_in_crm("Account", first, External_ID_vod__c="in between")
    world.change_in_crm("Account", second, External_ID_vod__c=people[0].external_id)
    world.change_in_crm("Account", first, External_ID_vod__c=people[1].external_id)


def list_accounts(world: World) -> dict[str, str]:
    return {row["Subject_vod__c"]: row["Account_vod__c"] for row in world.list_interactions()}


# -- Identifiers that move in the CRM -----------------------------------------------------------------------------
def test_records_follow_an_identifier_that_moves_to_another_account_in_the_same_run(world: World) -> None:
    people = PersonFactory.create_batch(2)
    first, second = world.add_accounts(people)
    ActivityFactory.create(person=people[0], subject="old of the first")
    ActivityFactory.create(person=people[1], subject="old of the second")
    world.transfer()
    swap(world, first, second, people)
    ActivityFactory.create(person=people[0], subject="new of the first")
    world.transfer()
    assert list_accounts(world) == {
        "old of the first": second,
        "old of the second": first,
        "new of the first": second,
    }


def test_an_identifier_that_changes_without_a_stamp_does_not_lead_a_new_record_astray(world: World) -> None:
    people = PersonFactory.create_batch(2)
    first, second = world.add_accounts(people)
    ActivityFactory.create(person=people[0], subject="old")
    world.transfer()
    database = world.crm.organisation.database
    with database.transaction():
        for account, value in ((first, "in between"), (second, people[0].external_id), (first, people[1].external_id)):
            database.execute('UPDATE "Account" SET "External_ID_vod__c"=? WHERE "Id"=?', (value, account))
    ActivityFactory.create(person=people[0], subject="new")
    world.transfer()
    assert list_accounts(world)["new"] == second
    world.transfer()
    assert list_accounts(world) == {"old": second, "new": second}


def test_a_day_later_identifiers_that_changed_without_a_stamp_are_followed_too(world: World, settings: Any) -> None:
    people = PersonFactory.create_batch(2)
    first, second = world.add_accounts(people)
    ActivityFactory.create(person=people[0], subject="old")
    database = world.crm.organisation.database
    with database.transaction():
        database.execute('UPDATE "Account" SET "SystemModstamp"=?', ("2026-01-01T00:00:00.000+0000",))
    world.transfer()
    with database.transaction():
        for account, value in ((first, "in between"), (second, people[0].external_id)):
            database.execute('UPDATE "Account" SET "External_ID_vod__c"=? WHERE "Id"=?', (value, account))
    world.transfer()
    assert list_accounts(world) == {"old": first}
    settings.CRM_ACCOUNT_RECHECK_SECONDS = 0
    world.transfer()
    assert list_accounts(world) == {"old": second}


def test_received_calls_move_to_the_person_whom_their_account_names_now(world: World) -> None:
    wrong, right = PersonFactory.create_batch(2)
    (account,) = world.add_accounts([wrong])
    (call,) = world.add_calls([account])
    world.transfer()
    activity = Activity.objects.get(crm_id=call)
    assert activity.person == wrong
    world.change_in_crm("Account", account, External_ID_vod__c=right.external_id)
    world.transfer()
    activity.refresh_from_db()
    assert activity.person == right
    entry = AuditEntry.objects.filter(record_uid=activity.uid).latest("id")
    assert entry.changes["person"] == [wrong.pk, right.pk]


def test_a_second_account_with_the_same_identifier_is_noticed_with_the_next_record(world: World) -> None:
    mapping = CrmConnectionIdentifierMapping(
        connection=world.connection, clinical_person_identifier="external_id__v", crm_account_identifier="NPI_vod__c"
    )
    save_record(record=mapping, actor=build_admin_actor())
    person = PersonFactory.create()
    insert = world.crm.organisation.insert_records
    insert(object_name="Account", records=[{"LastName": "A", "NPI_vod__c": person.external_id}])
    ActivityFactory.create(person=person, subject="one")
    world.transfer()
    assert list(list_accounts(world)) == ["one"]
    insert(object_name="Account", records=[{"LastName": "B", "NPI_vod__c": person.external_id}])
    ActivityFactory.create(person=person, subject="two")
    world.transfer()
    (item,) = world.list_exceptions()
    assert "2 accounts in NA have the NPI_vod__c" in item.error_message
    assert list(list_accounts(world)) == ["one"]


# -- Identifiers that move in the Vault ---------------------------------------------------------------------------
def test_received_calls_follow_an_identifier_that_moves_to_another_person(world: World) -> None:
    wrong, right = PersonFactory.create_batch(2)
    identifier = wrong.external_id
    (account,) = world.add_accounts([wrong])
    (call,) = world.add_calls([account])
    world.transfer()
    save(wrong, external_id="ANOTHER")
    save(right, external_id=identifier)
    world.transfer()
    assert Activity.objects.get(crm_id=call).person == right
    assert world.list_exceptions() == []


def test_a_person_who_changes_otherwise_lets_no_call_be_read_again(world: World) -> None:
    person = PersonFactory.create()
    world.add_calls(world.add_accounts([person]))
    world.transfer()
    world.transfer()
    world.crm.request_log.clear()
    save(person, email="another@example.org")
    world.transfer()
    assert not TransferLink.objects.filter(pending=True).exists()
    # Accounts that changed, and calls that changed; none is read by its id.
    assert world.crm.request_log.count(path_contains="/query") == 2


# -- Numbers ------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("value", "spelled"),
    [(1234567890.0, "1234567890"), (1234567890, "1234567890"), ("00123", "00123"), (None, ""), (1.5, "1.5")],
)
def test_a_number_as_identifier_is_spelled_as_people_write_it(value: Any, spelled: str) -> None:
    assert spell_identifier(value) == spelled


# -- Organisations ------------------------------------------------------------------------------------------------
def renew_no_lease() -> None:
    """No run holds a lease here."""


def test_an_organisation_is_claimed_before_the_first_write(world: World) -> None:
    person = PersonFactory.create()
    world.add_accounts([person])
    ActivityFactory.create(person=person)
    world.crm.misbehaviour.add_rule(match={"path": "composite"}, effect={"status": 500})
    assert world.transfer().state == RunState.FAILED
    organisation_id = OrganisationProgress.objects.get(connection=world.connection).organisation_id
    assert organisation_id == world.crm.organisation.id[:15]
    other = ConnectionFactory.create(name="Copy", url="https://na2.crm.test")
    with pytest.raises(ConfigurationError, match="the same CRM organisation as NA"):
        claim_organisation(connection=other, organisation_id=organisation_id, renew_lease=renew_no_lease)


def test_a_connection_without_records_may_turn_to_another_organisation(world: World) -> None:
    connection = ConnectionFactory.create(name="Copy", url="https://na2.crm.test")
    for organisation_id in ("00D000000000001", "00D000000000002"):
        claim_organisation(connection=connection, organisation_id=organisation_id, renew_lease=renew_no_lease)
    TransferLink.objects.create(integration=connection.integrations.all()[0], crm_id="a00000000000001AAA")
    with pytest.raises(ConfigurationError, match="its records are in 00D000000000002"):
        refuse_other_organisation(connection=connection, organisation_id="00D000000000003")


@pytest.mark.postgresql
@pytest.mark.django_db(transaction=True)
def test_of_two_connections_that_claim_an_organisation_at_once_one_succeeds(world: World) -> None:
    copies = [ConnectionFactory.create(name=f"Copy {n}", url=f"https://na{n}.crm.test") for n in (2, 3)]
    together, told = threading.Barrier(2), []

    def wait_for_the_other() -> None:
        together.wait(60)

    def claim(connection: Connection) -> None:
        try:
            claim_organisation(connection=connection, organisation_id="00D000000000009", renew_lease=wait_for_the_other)
        except ConfigurationError as error:
            told.append(str(error))
        connections.close_all()

    threads = [threading.Thread(target=claim, args=(each,)) for each in copies]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert OrganisationProgress.objects.filter(organisation_id="00D000000000009").count() == 1
    assert ["leads to the same CRM organisation" in each for each in told] == [True]


def test_identifiers_that_change_after_a_crm_clock_was_set_right_are_followed(world: World) -> None:
    people = PersonFactory.create_batch(2)
    world.crm.misbehaviour.clock_skew_seconds = 7200.0
    first, second = world.add_accounts(people)
    ActivityFactory.create(person=people[0], subject="old")
    world.transfer()
    world.transfer()
    world.crm.misbehaviour.clock_skew_seconds = 0.0
    world.transfer()
    swap(world, first, second, people)
    world.transfer()
    assert list_accounts(world) == {"old": second}
