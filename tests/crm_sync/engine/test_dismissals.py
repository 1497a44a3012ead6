"""Dismissed failures: their records are skipped until they change or somebody retries them."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from activities.models import Activity
from connections.choices import IntegrationKind
from connections.models import IntegrationProgress
from crm_sync.actions.retry_now import retry_items
from crm_sync.engine.outbound import dismissals
from crm_sync.models import TransferLink
from crm_sync.preview.run import preview_transfer
from ctms.audit.services import delete_record, save_record
from ctms.core.choices import RecordStatus
from ctms.core.clock import get_now
from ctms.jobs.choices import RunState
from ctms.jobs.services import execute_run
from exceptions_log.dismissals import dismiss_items, undo_dismissals
from exceptions_log.models import ExceptionItem, ExceptionMessage
from exceptions_log.selectors import list_dismissed_items
from tests.crm_sync.world import World
from tests.factories.activities import ActivityFactory
from tests.factories.base import build_admin_actor
from tests.factories.clinical import PersonFactory, StudyFactory

pytestmark = [pytest.mark.django_db, pytest.mark.both_databases]
OUT, IN = IntegrationKind.CALL_OUTBOUND, IntegrationKind.CALL_INBOUND


def dismiss(item: ExceptionItem) -> ExceptionItem:
    dismiss_items(keys=[item.pk], reason="A test person", actor=build_admin_actor())
    return item


def retry(item: ExceptionItem) -> str:
    """Retry an item, run the transfer as a worker would, and return the state of the run."""
    [each] = retry_items(keys=[item.pk], actor=build_admin_actor())
    assert each.run is not None, each.refusal
    finished = execute_run(each.run.pk)
    assert finished is not None
    return finished.state


def is_dismissed(item: ExceptionItem) -> bool:
    return ExceptionItem.objects.get(pk=item.pk).is_dismissed


def count_active() -> int:
    return ExceptionMessage.objects.filter(status=RecordStatus.ACTIVE).count()


@pytest.fixture
def failed(world: World) -> tuple[Activity, ExceptionItem]:
    """Return an activity whose person has no account, and its item after a run."""
    activity = ActivityFactory.create(person=PersonFactory.create(external_id="P-1"))
    world.transfer()
    [item] = world.list_exceptions()
    return activity, item


# -- Outbound -------------------------------------------------------------------------------------
@pytest.mark.every_dialect
def test_a_dismissed_record_is_left_alone_whatever_else_changes_and_stays_reported(
    world: World, failed: tuple[Activity, ExceptionItem]
) -> None:
    _, item = failed
    dismiss(item)
    assert count_active() == 0
    world.add_accounts([PersonFactory.build(external_id="P-1")])

    for _ in range(2):
        run = world.transfer()
        assert (run.state, world.count(run, OUT)) == (RunState.SUCCEEDED, {"selected": 1, "unchanged": 1})

    assert (world.list_interactions(), world.list_exceptions()) == ([], [])
    assert list(list_dismissed_items()) == [item]


@pytest.mark.every_dialect
def test_a_dismissed_record_is_left_alone_when_the_rules_change(
    world: World, failed: tuple[Activity, ExceptionItem]
) -> None:
    _, item = failed
    dismiss(item)
    rule = world.connection.integrations.get(kind=OUT).rule.field_rules.get(target="From_vod__c")
    rule.status = RecordStatus.INACTIVE
    save_record(record=rule, actor=build_admin_actor())

    run = world.transfer()

    assert world.count(run, OUT) == {"selected": 1, "unchanged": 1}
    assert is_dismissed(item)


@pytest.mark.every_dialect
def test_a_dismissed_record_that_changes_fails_anew_as_a_fresh_item(
    world: World, failed: tuple[Activity, ExceptionItem]
) -> None:
    activity, item = failed
    dismiss(item)
    activity.subject = "Another subject"
    save_record(record=activity, actor=build_admin_actor())

    world.transfer()

    [fresh] = world.list_exceptions()
    assert (fresh.key, fresh.attempts, fresh.dismissed_at) == (item.key, 1, None)
    assert fresh.first_failed_at > item.first_failed_at
    assert not is_dismissed(item)


@pytest.mark.every_dialect
def test_a_dismissed_record_is_tried_again_when_a_record_changes_whose_values_it_shows(
    world: World, failed: tuple[Activity, ExceptionItem]
) -> None:
    activity, item = failed
    dismiss(item)
    world.add_accounts([PersonFactory.build(external_id="P-RIGHT")])
    activity.person.external_id = "P-RIGHT"
    save_record(record=activity.person, actor=build_admin_actor())

    run = world.transfer()

    assert (run.state, len(world.list_interactions())) == (RunState.SUCCEEDED, 1)
    assert not is_dismissed(item)


@pytest.mark.every_dialect
def test_other_items_of_the_message_fail_on_without_the_dismissed_one(world: World) -> None:
    for number in range(2):
        ActivityFactory.create(person=PersonFactory.create(external_id=f"P-{number}"))
    world.transfer()
    dismissed, other = world.list_exceptions()
    dismiss(dismissed)
    assert count_active() == 1

    run = world.transfer()

    [item] = world.list_exceptions()
    assert (item.key, item.attempts) == (other.key, 2)
    assert world.count(run, OUT) == {"selected": 2, "unchanged": 1, "failed": 1}
    assert is_dismissed(dismissed)


@pytest.mark.every_dialect
def test_a_dismissed_record_that_is_deleted_is_not_reported_any_more(
    world: World, failed: tuple[Activity, ExceptionItem]
) -> None:
    activity, item = failed
    dismiss(item)
    delete_record(record=activity, actor=build_admin_actor())

    run = world.transfer()

    assert (run.state, world.list_exceptions(), is_dismissed(item)) == (RunState.SUCCEEDED, [], False)


def test_a_dismissed_update_leaves_the_crm_as_it_is_and_a_later_deletion_still_arrives(world: World) -> None:
    person = PersonFactory.create()
    world.add_accounts([person])
    activity = ActivityFactory.create(person=person, subject="fits")
    world.transfer()
    activity.subject = "y" * 300
    save_record(record=activity, actor=build_admin_actor())
    world.transfer()
    [item] = world.list_exceptions()
    dismiss(item)
    world.crm.request_log.clear()
    world.transfer()
    assert [row["Subject_vod__c"] for row in world.list_interactions()] == ["fits"]
    assert world.crm.request_log.count(method="PATCH") == 0

    delete_record(record=activity, actor=build_admin_actor())
    world.transfer()

    assert [row["Subject_vod__c"] for row in world.list_interactions()] == ["fits Deleted"]
    assert not is_dismissed(item)


def test_a_deletion_that_the_crm_refuses_is_dismissed_for_good(world: World) -> None:
    study = StudyFactory.create()
    world.transfer()
    delete_record(record=study, actor=build_admin_actor())
    rule = world.connection.integrations.get(kind=IntegrationKind.STUDY_OUTBOUND).rule
    rule.deletion_value = "D" * 80
    save_record(record=rule, actor=build_admin_actor())
    world.transfer()
    [item] = world.list_exceptions()
    dismiss(item)
    world.crm.request_log.clear()

    run = world.transfer()

    assert (run.state, world.list_exceptions(), is_dismissed(item)) == (RunState.SUCCEEDED, [], True)
    assert world.crm.request_log.count(method="PATCH") == 0

    rule.deletion_value = "Deleted in Vault Clinical"
    save_record(record=rule, actor=build_admin_actor())
    assert retry(item) == RunState.SUCCEEDED
    assert [row["Status_vod__c"] for row in world.list_studies()] == ["Deleted in Vault Clinical"]


@pytest.mark.every_dialect
def test_a_preview_leaves_dismissed_records_alone_too(world: World, failed: tuple[Activity, ExceptionItem]) -> None:
    _, item = failed
    dismiss(item)
    [preview] = [each for each in preview_transfer(world.connection) if each.integration.kind == OUT]
    assert (preview.counts.selected, preview.counts.unchanged, preview.counts.failed) == (1, 1, 0)
    assert is_dismissed(item)


# -- Inbound --------------------------------------------------------------------------------------
@pytest.fixture
def failed_call(world: World) -> tuple[str, ExceptionItem]:
    """Return the id of a call of a person unknown to the Vault, and its item after a run."""
    [account] = world.add_accounts([PersonFactory.build(external_id="P-UNKNOWN")])
    [crm_id] = world.add_calls([account])
    world.transfer()
    [item] = world.list_exceptions()
    return crm_id, item


@pytest.mark.every_dialect
def test_a_dismissed_call_is_not_even_read_until_it_changes(
    world: World, failed_call: tuple[str, ExceptionItem], settings: Any
) -> None:
    crm_id, item = failed_call
    dismiss(item)
    settings.CRM_TRANSFER_OVERLAP_SECONDS = 0
    IntegrationProgress.objects.filter(integration__kind=IN).update(watermark=get_now() + timedelta(seconds=30))

    run = world.transfer()

    assert (run.state, world.count(run, IN), is_dismissed(item)) == (RunState.SUCCEEDED, {}, True)
    assert TransferLink.objects.get(crm_id=crm_id).pending


@pytest.mark.every_dialect
def test_a_dismissed_call_that_is_read_again_counts_as_unchanged(
    world: World, failed_call: tuple[str, ExceptionItem]
) -> None:
    _, item = failed_call
    dismiss(item)
    PersonFactory.create(external_id="P-UNKNOWN")

    run = world.transfer()

    assert world.count(run, IN) == {"selected": 1, "unchanged": 1}
    assert (world.list_exceptions(), is_dismissed(item)) == ([], True)


@pytest.mark.every_dialect
def test_a_dismissed_call_that_changes_in_the_crm_is_tried_again(
    world: World, failed_call: tuple[str, ExceptionItem]
) -> None:
    crm_id, item = failed_call
    dismiss(item)
    world.change_in_crm("Call2_vod__c", crm_id, Call_Channel_vod__c="Email_vod")

    world.transfer()

    [fresh] = world.list_exceptions()
    assert (fresh.key, fresh.attempts, is_dismissed(item)) == (crm_id, 1, False)


@pytest.mark.every_dialect
def test_a_dismissed_call_that_is_deleted_in_the_crm_is_not_reported_any_more(
    world: World, failed_call: tuple[str, ExceptionItem]
) -> None:
    crm_id, item = failed_call
    dismiss(item)
    world.delete_in_crm("Call2_vod__c", crm_id)

    world.transfer()

    assert (world.list_exceptions(), is_dismissed(item)) == ([], False)


# -- Retry now ------------------------------------------------------------------------------------
@pytest.mark.every_dialect
def test_retry_takes_a_dismissed_record_up_again(world: World, failed: tuple[Activity, ExceptionItem]) -> None:
    _, item = failed
    dismiss(item)
    world.transfer()
    world.add_accounts([PersonFactory.build(external_id="P-1")])

    assert retry(item) == RunState.SUCCEEDED

    assert (len(world.list_interactions()), world.list_exceptions(), is_dismissed(item)) == (1, [], False)


@pytest.mark.every_dialect
def test_retry_takes_a_dismissed_call_up_again(world: World, failed_call: tuple[str, ExceptionItem]) -> None:
    _, item = failed_call
    dismiss(item)
    world.transfer()
    PersonFactory.create(external_id="P-UNKNOWN")
    IntegrationProgress.objects.filter(integration__kind=IN).update(watermark=get_now() + timedelta(days=1))

    assert retry(item) == RunState.SUCCEEDED

    assert Activity.objects.filter(crm_id=item.crm_id).count() == 1


@pytest.mark.every_dialect
def test_retry_of_what_fails_again_goes_on_counting_its_attempts(
    world: World, failed: tuple[Activity, ExceptionItem]
) -> None:
    _, item = failed

    assert retry(item) == RunState.WITH_EXCEPTIONS

    [again] = world.list_exceptions()
    assert (again.key, again.attempts, again.first_failed_at) == (item.key, 2, item.first_failed_at)


# -- During a run ----------------------------------------------------------------------------------
@pytest.mark.every_dialect
def test_what_is_dismissed_while_a_run_tries_it_is_not_reported_as_failing(
    world: World, failed: tuple[Activity, ExceptionItem], monkeypatch: pytest.MonkeyPatch
) -> None:
    _, item = failed
    leave = dismissals.leave_dismissed

    def dismiss_meanwhile(**given: Any) -> None:
        leave(**given)
        if given["session"].integration.kind == OUT and not is_dismissed(item):
            dismiss(item)

    monkeypatch.setattr("crm_sync.engine.outbound.run.leave_dismissed", dismiss_meanwhile)
    world.transfer()

    assert (world.list_exceptions(), count_active(), is_dismissed(item)) == ([], 0, True)
    assert world.count(world.transfer(), OUT) == {"selected": 1, "unchanged": 1}


def test_what_is_retried_while_a_run_leaves_it_alone_is_reported_as_failing_until_the_next_one(
    world: World, failed: tuple[Activity, ExceptionItem], monkeypatch: pytest.MonkeyPatch
) -> None:
    _, item = failed
    dismiss(item)
    leave = dismissals.leave_dismissed

    def undo_meanwhile(**given: Any) -> None:
        leave(**given)
        if given["session"].integration.kind == OUT:
            undo_dismissals(keys=[item.pk], actor=build_admin_actor())

    monkeypatch.setattr("crm_sync.engine.outbound.run.leave_dismissed", undo_meanwhile)
    world.transfer()
    monkeypatch.undo()

    [open_item] = world.list_exceptions()
    assert (open_item.key, count_active()) == (item.key, 1)
    assert world.count(world.transfer(), OUT) == {"selected": 1, "failed": 1}


def test_a_run_that_cannot_log_in_lets_no_dismissal_lapse(world: World, failed: tuple[Activity, ExceptionItem]) -> None:
    _, item = failed
    dismiss(item)
    authorization = world.connection.authorization
    assert authorization is not None
    authorization.username = "nobody@example.com"
    save_record(record=authorization, actor=build_admin_actor())

    run = world.transfer()

    assert (run.state, is_dismissed(item)) == (RunState.FAILED, True)
    assert [each.error_type for each in world.list_exceptions()] == ["authentication__v"]
