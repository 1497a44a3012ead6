"""One bad row costs one row, whether the CRM's answer, the field rules or the Vault's database make it bad."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.db import connection as database

from activities.choices import ActivityType
from activities.models import Activity
from connections.choices import IntegrationKind
from connections.models import IntegrationProgress
from crm_sync.engine.identity.account_matching import match_persons
from crm_sync.models import TransferLink
from ctms.audit.models import AuditEntry
from ctms.audit.services import create_records, delete_record, save_record
from ctms.core.choices import RecordStatus
from ctms.jobs.choices import RunState
from tests.crm_sync.altered_answers import AlteringProxy, Answer
from tests.crm_sync.world import World
from tests.factories.base import build_admin_actor
from tests.factories.bulk import create_people
from tests.factories.clinical import PersonFactory

pytestmark = [pytest.mark.django_db, pytest.mark.both_databases]
IN = IntegrationKind.CALL_INBOUND
CALL = "Call2_vod__c"


@pytest.fixture
def calls(world: World) -> list[str]:
    """Return the ids of three calls to receive."""
    return world.add_calls(world.add_accounts(create_people(3)))


def list_received() -> set[str]:
    return set(Activity.objects.exclude(crm_id="").values_list("crm_id", flat=True))


def change_row(crm_id: str, **values: Any) -> Callable[[Answer], None]:
    """Return what changes values in the row of one call, in every page."""

    def alter(answer: Answer) -> None:
        if answer.is_query_of_calls:
            for row in answer.payload["records"]:
                if row["Id"] == crm_id:
                    row.update(values)

    return alter


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"SystemModstamp": "yesterday"}, "SystemModstamp is 'yesterday', which is no date and time"),
        ({"SystemModstamp": None}, "SystemModstamp is None, which is no date and time"),
        ({"SystemModstamp": "2026-03-04T10:00:00"}, "which is no date and time"),
        ({"SystemModstamp": 20260304}, "SystemModstamp is 20260304, which is no date and time"),
        ({"IsDeleted": "false"}, "IsDeleted is 'false', which is neither true nor false"),
        ({"Call_Date_vod__c": True}, "value True in Call_Date_vod__c does not fit date"),
        ({"Call_Date_vod__c": 20260304}, "value 20260304 in Call_Date_vod__c does not fit date"),
        ({"Call_Date_vod__c": ["2026-03-04"]}, "in Call_Date_vod__c does not fit date"),
        ({"Call_Date_vod__c": "2026-02-30"}, "value '2026-02-30' in Call_Date_vod__c does not fit date"),
        ({"Account_vod__r": ["a list"]}, "The CRM does not show the account"),
        ({"Account_vod__r": None}, "it was deleted, or the CRM user may not see it"),
        ({"Account_vod__r": {"External_ID_vod__c": "9" * 256}}, "a value of 256 characters in External_ID_vod__c"),
        ({"CreatedBy": {"FirstName": "x" * 500}}, "in CreatedBy does not fit from"),
    ],
)
def test_a_row_with_a_value_of_the_wrong_form_is_an_item_and_the_others_arrive(
    world: World, altered: AlteringProxy, calls: list[str], values: dict[str, Any], words: str
) -> None:
    altered.alter = change_row(calls[1], **values)

    run = world.transfer()

    (item,) = world.list_exceptions()
    assert (run.state, list_received()) == (RunState.WITH_EXCEPTIONS, {calls[0], calls[2]})
    assert world.count(run, IN) == {"selected": 3, "received": 2, "created": 2, "failed": 1}
    assert item.crm_id == calls[1]
    assert words in item.error_message
    altered.alter = lambda _: None
    IntegrationProgress.objects.filter(integration__kind=IN).update(watermark="2026-01-01T00:00:00Z")

    run = world.transfer()

    assert (run.state, list_received(), world.list_exceptions()) == (RunState.SUCCEEDED, set(calls), [])


@pytest.mark.parametrize("value", [None, 7, "", "not-an-id", ["a0100000000000AAAA"]])
def test_a_row_without_an_id_is_an_item_and_is_read_again_until_it_has_one(
    world: World, altered: AlteringProxy, calls: list[str], value: Any
) -> None:
    altered.alter = change_row(calls[1], Id=value)

    run = world.transfer()

    (item,) = world.list_exceptions()
    assert (run.state, list_received()) == (RunState.WITH_EXCEPTIONS, {calls[0], calls[2]})
    assert f"A call came whose Id is {value!r}, which is not one of the CRM's" in item.error_message
    assert IntegrationProgress.objects.get(integration__kind=IN).watermark is None
    altered.alter = lambda _: None

    world.transfer()

    assert (list_received(), world.list_exceptions()) == (set(calls), [])


def create_activity_of(world: World, crm_id: str) -> Activity:
    """Create the Medical Activity of a call that no transfer has received: it stands in the way of the call's own."""
    activity = Activity(
        object_type=ActivityType.MEDICAL,
        person=PersonFactory.create(),
        date="2026-03-04",
        channel="phone__v",
        connection=world.connection,
        crm_id=crm_id,
    )
    create_records(records=[activity], actor=build_admin_actor())
    return activity


def test_a_call_whose_record_the_database_refuses_is_an_item_and_the_others_arrive(world: World) -> None:
    calls = world.add_calls(world.add_accounts(create_people(10)) * 13)
    obstacles = [create_activity_of(world, crm_id) for crm_id in (calls[0], calls[57])]

    run = world.transfer()

    items = world.list_exceptions()
    assert (run.state, {item.crm_id for item in items}) == (RunState.WITH_EXCEPTIONS, {calls[0], calls[57]})
    assert world.count(run, IN) == {"selected": 130, "received": 128, "created": 128, "failed": 2}
    assert "CRM id: this call was received already." in items[0].error_message
    assert AuditEntry.objects.filter(action="created", object_name="crm_activity__v").count() == 130
    for obstacle in obstacles:
        delete_record(record=obstacle, actor=build_admin_actor())

    run = world.transfer()

    assert (run.state, list_received(), world.list_exceptions()) == (RunState.SUCCEEDED, set(calls), [])


@pytest.mark.every_dialect
@pytest.mark.django_db(transaction=True)
def test_a_person_deleted_while_calls_are_received_costs_their_own_call(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    people = [PersonFactory.create() for _ in range(3)]
    calls = world.add_calls(world.add_accounts(people))

    def match_and_delete(**options: Any) -> Any:
        matched = match_persons(**options)
        monkeypatch.setattr("crm_sync.engine.inbound.applying.match_persons", match_persons)
        delete_record(record=people[1], actor=build_admin_actor())
        return matched

    monkeypatch.setattr("crm_sync.engine.inbound.applying.match_persons", match_and_delete)

    run = world.transfer()

    (item,) = world.list_exceptions()
    assert (run.state, list_received()) == (RunState.WITH_EXCEPTIONS, {calls[0], calls[2]})
    assert "The Vault refused the call's record: person instance" in item.error_message


@pytest.fixture
def refused_text() -> str:
    """Let the database refuse every change to an activity that is then from this text, and return the text."""
    text = "refused by a trigger"
    if database.vendor == "sqlite":
        statement = f"""
            CREATE TRIGGER refuse BEFORE UPDATE ON activities_activity WHEN NEW.from_text = '{text}'
            BEGIN SELECT RAISE(ABORT, 'refused'); END
        """
    else:
        statement = f"ALTER TABLE activities_activity ADD CONSTRAINT refuse CHECK (from_text <> '{text}')"
    with database.cursor() as cursor:
        cursor.execute(statement)
    return text


def test_a_change_that_the_database_refuses_is_an_item_and_leaves_the_record_as_it_was(
    world: World, altered: AlteringProxy, calls: list[str], refused_text: str
) -> None:
    world.transfer()
    for crm_id in calls:
        world.change_in_crm(CALL, crm_id, Status_vod__c="Planned_vod")
    altered.alter = change_row(calls[2], CreatedBy={"LastName": refused_text})

    run = world.transfer()

    (item,) = world.list_exceptions()
    assert world.count(run, IN) == {"selected": 3, "received": 2, "updated": 2, "failed": 1}
    assert (item.crm_id, run.state) == (calls[2], RunState.WITH_EXCEPTIONS)
    assert "The Vault could not write the call's record (IntegrityError)" in item.error_message
    states = dict(Activity.objects.values_list("crm_id", "complete"))
    assert [states[crm_id] for crm_id in calls] == [False, False, True]
    altered.alter = lambda _: None

    run = world.transfer()

    assert (run.state, world.list_exceptions()) == (RunState.SUCCEEDED, [])
    assert list(Activity.objects.values_list("complete", "version")) == [(False, 2)] * 3


def test_a_listener_that_fails_for_one_record_costs_that_record_and_no_other(
    world: World, calls: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    world.transfer()
    for crm_id in calls:
        world.change_in_crm(CALL, crm_id, Status_vod__c="Planned_vod")

    def listen(written: list[tuple[Any, dict[str, Any]]]) -> None:
        if any(getattr(record, "crm_id", "") == calls[0] for record, _ in written):
            raise KeyError(calls[0])

    monkeypatch.setattr("ctms.audit.services.notify_listeners", listen)

    run = world.transfer()

    (item,) = world.list_exceptions()
    assert (item.crm_id, world.count(run, IN)["updated"]) == (calls[0], 2)
    assert "The Vault could not write the call's record (KeyError)" in item.error_message
    monkeypatch.undo()

    run = world.transfer()

    assert (run.state, world.list_exceptions()) == (RunState.SUCCEEDED, [])
    assert list(Activity.objects.values_list("complete", "version")) == [(False, 2)] * 3


@pytest.mark.every_dialect
@pytest.mark.parametrize("keeps_digest", [True, False])
def test_a_call_that_is_to_be_read_again_moves_its_activity_to_the_person_of_its_account(
    world: World, keeps_digest: bool
) -> None:
    person, other = PersonFactory.create(), PersonFactory.create()
    (call,) = world.add_calls(world.add_accounts([person]))
    world.transfer()
    activity = Activity.objects.get(crm_id=call)
    if keeps_digest:  # somebody, or a mistake, has moved the activity here
        activity.person = other
        save_record(record=activity, actor=build_admin_actor())
        right, wrong = person, other
    else:
        identifier, person.external_id = person.external_id, "P-TMP"
        save_record(record=person, actor=build_admin_actor())
        other.external_id = identifier
        save_record(record=other, actor=build_admin_actor())
        right, wrong = other, person
    TransferLink.objects.filter(crm_id=call).update(pending=True)

    run = world.transfer()

    activity.refresh_from_db()
    assert (activity.person, world.count(run, IN)["updated"]) == (right, 1)
    entry = AuditEntry.objects.filter(record_uid=activity.uid, action="changed").first()
    assert entry is not None
    assert list(entry.changes) == ["person"]
    assert not TransferLink.objects.filter(pending=True).exists()
    assert wrong.activities.count() == 0


@pytest.mark.every_dialect
def test_a_call_that_is_to_be_read_again_and_is_as_before_changes_nothing(world: World, calls: list[str]) -> None:
    world.transfer()
    TransferLink.objects.filter(crm_id__in=calls).update(pending=True)

    run = world.transfer()

    assert world.count(run, IN) == {"selected": 3, "unchanged": 3}
    assert set(Activity.objects.values_list("version", "status")) == {(1, RecordStatus.ACTIVE)}
    assert not TransferLink.objects.filter(pending=True).exists()
