"""What changes while a reconciliation runs is no difference."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

import pytest

from activities.models import Activity
from connections.choices import IntegrationKind
from crm_sync.engine.run_session import RunSession
from crm_sync.reconciliation.unmatched import UnmatchedPersons
from ctms.audit.services import delete_record, save_record
from tests.crm_sync.reconciliation.conftest import Reconcile
from tests.crm_sync.world import World
from tests.factories.base import build_admin_actor
from tests.factories.bulk import create_activities, create_people

if TYPE_CHECKING:
    from crm_sync.crm.dialect import Pages

pytestmark = pytest.mark.django_db
OBJECT = "Vault_Clinical_Interaction_vod__c"


def interrupt_first_page(monkeypatch: pytest.MonkeyPatch, work: Callable[[], None]) -> None:
    """Do `work` after the first page that holds rows was read, before the Vault's records are."""
    read_pages = RunSession.read_pages
    is_done = False

    def read(session: RunSession, pages: Pages) -> Pages:
        nonlocal is_done
        for page in read_pages(session, pages):
            if page and not is_done:
                is_done = True
                work()
            yield page

    monkeypatch.setattr(RunSession, "read_pages", read)


def test_edits_of_both_sides_during_a_reconciliation_are_pending_or_looked_at_once_more(
    world: World, reconcile: Reconcile, monkeypatch: pytest.MonkeyPatch
) -> None:
    people = create_people(4)
    world.add_accounts(people)
    activities = create_activities(4, people=people)
    world.transfer()
    database = world.crm.organisation.database
    name = str(activities[0].uid)
    alter = f'UPDATE "{OBJECT}" SET "Subject_vod__c" = ? WHERE "Vault_External_ID_vod__c" = ?'  # noqa: S608  names of this test
    database.execute(alter, ["For a moment", name])

    def work() -> None:
        database.execute(alter, [activities[0].subject, name])
        activities[1].subject = "Edited meanwhile"
        save_record(record=activities[1], actor=build_admin_actor())
        delete_record(record=activities[2], actor=build_admin_actor())
        create_activities(1, people=people)

    interrupt_first_page(monkeypatch, work)
    found = reconcile(world)

    assert found.is_proof
    assert found.counts[IntegrationKind.CALL_OUTBOUND] == {"equal": 2, "pending": 2}
    world.transfer()
    assert reconcile(world).counts[IntegrationKind.CALL_OUTBOUND] == {"equal": 5}


def test_a_second_account_that_is_gone_again_during_a_reconciliation_is_no_difference(
    world: World, reconcile: Reconcile, monkeypatch: pytest.MonkeyPatch
) -> None:
    people = create_people(1)
    world.add_accounts(people)
    create_activities(1, people=people)
    world.transfer()
    (second,) = world.add_accounts(people)
    find = UnmatchedPersons.look_up

    def look_up_and_delete(persons: UnmatchedPersons, records: Iterable[Activity]) -> None:
        read = list(records)
        find(persons, read)
        if read and second in {row["Id"] for row in world.crm.organisation.list_records(object_name="Account")}:
            world.delete_in_crm("Account", second)

    monkeypatch.setattr(UnmatchedPersons, "look_up", look_up_and_delete)

    assert reconcile(world).counts[IntegrationKind.CALL_OUTBOUND] == {"equal": 1}


def test_calls_that_change_during_a_reconciliation_are_no_difference(
    world: World, reconcile: Reconcile, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = world.add_calls(world.add_accounts(create_people(4)))
    world.transfer()
    database = world.crm.organisation.database
    alter = 'UPDATE "Call2_vod__c" SET "Call_Channel_vod__c" = ? WHERE "Id" = ?'
    database.execute(alter, ["Email_vod", calls[0]])

    def work() -> None:
        database.execute(alter, ["Phone_vod", calls[0]])
        world.delete_in_crm("Call2_vod__c", calls[1])
        delete_record(record=Activity.objects.get(crm_id=calls[2]), actor=build_admin_actor())

    interrupt_first_page(monkeypatch, work)
    found = reconcile(world)

    assert found.is_proof
    world.transfer()
    assert reconcile(world).counts[IntegrationKind.CALL_INBOUND] == {"equal": 3, "deleted_on_one_side": 1}
