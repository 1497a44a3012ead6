"""Inbound calls: each has one word, from the rows of the CRM, and what nothing explains can be repaired."""

from __future__ import annotations

import datetime as dt

import pytest
from django.conf import settings

from activities.models import Activity
from connections.choices import IntegrationKind
from connections.models import IntegrationProgress
from crm_sync.models import TransferLink
from crm_sync.reconciliation.verdicts import describe_fields
from crm_sync.sandbox.data.ids import build_id
from ctms.audit.services import delete_record, save_record
from ctms.core.choices import RecordStatus
from ctms.core.models import allow_record_writes
from tests.crm_sync.reconciliation.conftest import Reconcile, list_words, repair_all
from tests.crm_sync.world import World
from tests.factories.base import build_admin_actor
from tests.factories.bulk import create_people

pytestmark = [pytest.mark.django_db, pytest.mark.both_databases]
IN = IntegrationKind.CALL_INBOUND
OBJECT = "Call2_vod__c"
UNKNOWN = build_id(key_prefix="a00", pod="Zz9", number=7)
"""The id of no call."""


@pytest.fixture
def calls(world: World) -> list[str]:
    """Four calls that the Vault has received from accounts of four persons."""
    calls = world.add_calls(world.add_accounts(create_people(4)))
    world.transfer()
    return calls


def change_call(world: World, call: str, **values: object) -> None:
    """Change a call behind everybody's back: without a new stamp."""
    columns = ", ".join(f'"{name}" = ?' for name in values)
    world.crm.organisation.database.execute(
        f'UPDATE "{OBJECT}" SET {columns} WHERE "Id" = ?',  # noqa: S608  names of this test
        [*values.values(), call],
    )


def pass_by(world: World) -> None:
    """Move the watermark past all calls, so that the next transfer reads none of them again."""
    later = dt.timedelta(seconds=2 * settings.CRM_TRANSFER_OVERLAP_SECONDS)
    for progress in IntegrationProgress.objects.filter(integration__kind=IN, watermark__isnull=False):
        assert progress.watermark is not None
        progress.watermark += later
        progress.save()


def change_activity(call: str, **values: object) -> None:
    """Change an activity behind everybody's back: neither version nor trail."""
    with allow_record_writes():
        assert Activity.objects.filter(crm_id=call).update(**values)


def double_activity(call: str, *, crm_id: str) -> Activity:
    """Create an activity as that of a call, with the CRM id of another one."""
    original = Activity.objects.get(crm_id=call)
    double = Activity(
        object_type=original.object_type,
        connection=original.connection,
        crm_id=crm_id,
        person=original.person,
        date=original.date,
        channel=original.channel,
    )
    save_record(record=double, actor=build_admin_actor())
    return double


@pytest.mark.every_dialect
def test_received_calls_are_equal(world: World, calls: list[str], reconcile: Reconcile) -> None:
    found = reconcile(world)

    assert found.counts[IN] == {"equal": 4}
    assert found.is_proof


def test_what_the_transfer_still_has_to_do_or_may_not_do_is_no_difference(
    world: World, calls: list[str], reconcile: Reconcile
) -> None:
    stranger, *_ = world.crm.organisation.insert_records(object_name="Account", records=[{"LastName": "Nobody"}])
    world.add_calls([stranger])
    (refused,) = world.add_calls(world.add_accounts(create_people(1, prefix="REFUSED")), Call_Channel_vod__c=None)
    world.transfer()
    world.change_in_crm(OBJECT, calls[0], Status_vod__c="Planned_vod")
    world.change_in_crm(OBJECT, calls[1], Send_to_Vault_Clinical_vod__c=False)
    delete_record(record=Activity.objects.get(crm_id=calls[2]), actor=build_admin_actor())
    world.delete_in_crm(OBJECT, calls[3])
    world.add_calls(world.add_accounts(create_people(1, prefix="NEW")))

    found = reconcile(world)

    assert found.counts[IN] == {
        "pending": 3,
        "filtered_out": 1,
        "deleted_on_one_side": 1,
        "failed": 1,
        "unmatched": 1,
    }
    assert found.is_proof
    world.transfer()
    assert reconcile(world).counts[IN] == {
        "equal": 3,
        "filtered_out": 1,
        "deleted_on_one_side": 1,
        "failed": 1,
        "unmatched": 1,
    }
    assert refused


@pytest.mark.parametrize("here", [True, False])
def test_an_altered_value_differs_and_the_call_is_read_again(
    world: World, calls: list[str], reconcile: Reconcile, here: bool
) -> None:
    if here:
        change_activity(calls[0], complete=False, from_text="Somebody else")
    else:
        pass_by(world)
        change_call(world, calls[0], Call_Channel_vod__c="Email_vod")

    found = reconcile(world)

    difference = found.differences.get()
    rep = world.crm.user
    assert (difference.crm_id, difference.word) == (calls[0], "differs")
    assert difference.fields == (
        {"complete": [False, True], "from_text": ["Somebody else", f"{rep.first_name} {rep.last_name} ({rep.email})"]}
        if here
        else {"channel": ["phone__v", "email__v"]}
    )
    repair_all(world, found)
    assert reconcile(world).counts[IN] == {"equal": 4}


@pytest.mark.every_dialect
def test_an_activity_of_another_person_differs_and_moves_back(
    world: World, calls: list[str], reconcile: Reconcile
) -> None:
    right, wrong = (Activity.objects.get(crm_id=call).person for call in calls[:2])
    change_activity(calls[0], person=wrong)

    found = reconcile(world)

    assert found.differences.get().fields == {"person_id": [wrong.pk, right.pk]}
    repair_all(world, found)
    assert Activity.objects.get(crm_id=calls[0]).person == right


@pytest.mark.every_dialect
def test_an_activity_lost_without_a_deletion_is_missing_here_and_received_again(
    world: World, calls: list[str], reconcile: Reconcile
) -> None:
    with allow_record_writes():
        Activity.objects.filter(crm_id__in=calls[:2]).delete()
    TransferLink.objects.filter(crm_id=calls[1]).delete()
    pass_by(world)

    found = reconcile(world)

    assert list_words(found) == {calls[0]: "missing_here", calls[1]: "missing_here"}
    repair_all(world, found)
    assert reconcile(world).counts[IN] == {"equal": 4}


def test_a_call_deleted_there_unnoticed_makes_its_activity_inactive(
    world: World, calls: list[str], reconcile: Reconcile
) -> None:
    pass_by(world)
    change_call(world, calls[0], IsDeleted=1)

    found = reconcile(world)

    difference = found.differences.get()
    assert difference.fields == {"Deleted": [False, True]}
    assert describe_fields(difference.fields) == [("", "Deleted in the CRM, not here")]
    repair_all(world, found)
    assert Activity.objects.get(crm_id=calls[0]).status == RecordStatus.INACTIVE
    assert reconcile(world).is_proof


def test_a_revived_call_or_activity_is_deleted_on_one_side(
    world: World, calls: list[str], reconcile: Reconcile
) -> None:
    for call in calls[:2]:
        world.delete_in_crm(OBJECT, call)
    world.transfer()
    pass_by(world)
    change_call(world, calls[0], IsDeleted=0)
    change_activity(calls[1], status=RecordStatus.ACTIVE)

    found = reconcile(world)

    assert dict(found.differences.values_list("crm_id", "word")) == dict.fromkeys(calls[:2], "deleted_on_one_side")
    repair_all(world, found)
    assert reconcile(world).counts[IN] == {"equal": 4}
    assert Activity.objects.get(crm_id=calls[0]).status == RecordStatus.ACTIVE
    assert Activity.objects.get(crm_id=calls[1]).status == RecordStatus.INACTIVE


def test_an_activity_whose_call_does_not_exist_is_orphaned_and_ends_explained(
    world: World, calls: list[str], reconcile: Reconcile
) -> None:
    doubles = [double_activity(calls[0], crm_id=crm_id) for crm_id in (UNKNOWN, "no-id-of-the-CRM")]

    found = reconcile(world)

    assert list_words(found) == {str(double.uid): "orphaned" for double in doubles}
    repair_all(world, found)
    again = reconcile(world)
    assert list_words(again) == {str(doubles[1].uid): "orphaned"}
    assert again.counts[IN]["equal"] == 4


def test_an_orphaned_activity_becomes_inactive_where_the_crm_does_not_know_all_deletions(
    world: World, calls: list[str], reconcile: Reconcile
) -> None:
    double = double_activity(calls[0], crm_id=UNKNOWN)
    found = reconcile(world)
    assert list_words(found) == {str(double.uid): "orphaned"}
    world.empty_deletion_log()

    repair_all(world, found)

    double.refresh_from_db()
    assert double.status == RecordStatus.INACTIVE
    again = reconcile(world)
    assert again.is_proof
    assert again.counts[IN] == {"equal": 4, "inactive_here": 1}


@pytest.mark.every_dialect
def test_a_lost_link_of_a_received_call_differs_because_a_change_would_not_arrive(
    world: World, calls: list[str], reconcile: Reconcile
) -> None:
    TransferLink.objects.filter(crm_id=calls[0]).delete()
    pass_by(world)

    found = reconcile(world)

    assert found.differences.get().fields == {"Link": [None, str(Activity.objects.get(crm_id=calls[0]).uid)]}
    repair_all(world, found)
    assert reconcile(world).counts[IN] == {"equal": 4}
    assert Activity.objects.count() == 4
