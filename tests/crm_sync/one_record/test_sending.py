"""Sending one record goes the transfer's way under its lease and sends nothing else; for nothing is it a transfer."""

from __future__ import annotations

import json
from typing import Any

import pytest

from connections.choices import IntegrationKind
from connections.models import Connection, Integration, IntegrationProgress
from connections.services import set_connection_status
from crm_sync.actions.pausing import pause_connection, resume_connection
from crm_sync.diagnostics.states import list_connection_states
from crm_sync.jobs import ONE_RECORD_JOB_KEY, TRANSFER_JOB_KEY, build_lease_key, build_unit
from crm_sync.models import ConnectionAlert, IntegrationRun, LiveProgress, TransferAttempt, TransferLink
from crm_sync.one_record.findings import OneRecordOutcome
from crm_sync.one_record.sending import RecordNotSentError
from ctms.audit.models import AuditEntry
from ctms.clinical.models import Person
from ctms.core.choices import RecordStatus
from ctms.jobs.cancellation import cancel_run
from ctms.jobs.choices import RunState, RunTrigger
from ctms.jobs.leases import acquire_lease
from ctms.jobs.models import JobDefinition, JobRun
from ctms.jobs.queue import take_over_interrupted
from ctms.jobs.services import create_run, execute_run
from exceptions_log.models import ExceptionItem, ExceptionMessage
from tests.crm_sync.one_record.conftest import (
    OUT,
    STUDIES,
    delete,
    edit,
    get_integration,
    list_sent,
    list_writes,
    look,
    name_all,
    send,
    set_filter,
)
from tests.crm_sync.world import World
from tests.factories.activities import ActivityFactory
from tests.factories.base import build_admin_actor
from tests.factories.clinical import PersonFactory, StudyFactory

pytestmark = [pytest.mark.django_db, pytest.mark.both_databases]
INTERACTION = "Vault_Clinical_Interaction_vod__c"


def read_progress(world: World) -> list[Any]:
    return list(IntegrationProgress.objects.filter(integration__connection=world.connection).order_by("pk").values())


def get_state(world: World) -> Any:
    connection = Connection.objects.get(pk=world.connection.pk)
    return list_connection_states([connection])[connection.pk]


def test_one_record_is_sent_and_nothing_else_and_the_next_transfer_sends_the_others(
    world: World, person: Person
) -> None:
    chosen, other = ActivityFactory.create_batch(2, person=person)
    study = StudyFactory.create()
    before = read_progress(world)

    sent = send(world, chosen)

    assert sent.finding is not None
    assert (sent.finding.outcome, sent.finding.label) == (OneRecordOutcome.CREATE, "Created")
    (write,) = sent.writes
    assert write.status == 200
    assert sent.finding.crm_id in write.answer
    assert list_sent(world) == name_all(chosen)
    assert world.list_studies() == []
    assert read_progress(world) == before  # neither bookmark nor last success nor digest of the rules moved
    link = TransferLink.objects.get()
    assert (link.record_uid, link.crm_id, link.pending) == (chosen.uid, sent.finding.crm_id, False)
    attempt = TransferAttempt.objects.get()
    assert (attempt.run, attempt.outcome, attempt.record_uid) == (sent.run, "created", chosen.uid)
    assert world.count(sent.run, OUT) == {"selected": 1, "sent": 1, "created": 1}

    run = world.transfer()

    assert list_sent(world) == name_all(chosen, other)
    assert world.count(run, OUT) == {"selected": 2, "sent": 1, "created": 1, "unchanged": 1}
    assert [row["Vault_External_ID_vod__c"] for row in world.list_studies()] == [str(study.uid)]


def test_it_is_a_run_of_its_own_kind_with_the_user_and_in_the_audit_trail(world: World, person: Person) -> None:
    activity = ActivityFactory.create(person=person)
    run = send(world, activity).run
    assert (run.definition.key, run.trigger, run.state) == (
        ONE_RECORD_JOB_KEY,
        RunTrigger.START_NOW,
        RunState.SUCCEEDED,
    )
    assert run.requested_by == build_admin_actor().user
    assert run.message.startswith(f"{activity}: NA created the record ")
    assert run.result[OUT]["sent"] == 1
    entry = AuditEntry.objects.filter(record_uid=world.connection.uid).latest("pk")
    assert entry.reason.startswith(f"Test of one record with CRM Call Outbound Integration, run {run.pk}: {activity}")


def test_changes_deletions_and_what_is_unchanged_take_the_transfers_way(world: World, person: Person) -> None:
    changed, deleted, same = ActivityFactory.create_batch(3, person=person)
    world.transfer()
    edit(changed, subject="Another subject")
    delete(deleted)
    writes = len(list_writes(world))

    assert send(world, changed).finding.outcome == OneRecordOutcome.UPDATE  # type: ignore[union-attr]
    assert send(world, deleted).finding.outcome == OneRecordOutcome.DELETE  # type: ignore[union-attr]
    unchanged = send(world, same)

    assert unchanged.finding is not None
    assert (unchanged.finding.outcome, unchanged.writes) == (OneRecordOutcome.UNCHANGED, [])
    assert len(list_writes(world)) == writes + 2
    counts = world.count(world.transfer(), OUT)
    # As after a transfer: nothing is sent. How many are looked at depends on which transactions have ended.
    assert counts == {"selected": counts["unchanged"], "unchanged": counts["unchanged"]}


def test_a_refused_record_is_an_exception_with_the_answer_and_is_resolved_when_it_goes(
    world: World, person: Person
) -> None:
    failing, elsewhere = ActivityFactory.create(person=person), ActivityFactory.create()
    world.transfer()
    edit(failing, subject="Another subject")
    other = ExceptionItem.objects.get(record_uid=elsewhere.uid)
    code = "FIELD_CUSTOM_VALIDATION_EXCEPTION"
    crm_id = TransferLink.objects.get(record_uid=failing.uid).crm_id
    world.misbehave(match={"method": "PATCH", "count": 1}, effect={"row_errors": {crm_id: code}})

    refused = send(world, failing)

    assert refused.run.state == RunState.WITH_EXCEPTIONS
    assert refused.finding is not None
    assert refused.finding.outcome == OneRecordOutcome.FAIL
    assert code in refused.writes[-1].answer
    item = ExceptionItem.objects.get(record_uid=failing.uid, resolved_at=None)
    assert item.error_message == refused.finding.sentence
    # The exception of the other record goes on as it was.
    other.refresh_from_db()
    assert (other.resolved_at, other.attempts, other.message) == (None, 1, item.message)
    assert ExceptionMessage.objects.filter(status=RecordStatus.ACTIVE).get() == item.message

    assert send(world, failing).finding.outcome == OneRecordOutcome.UPDATE  # type: ignore[union-attr]
    item.refresh_from_db()
    other.refresh_from_db()
    assert item.resolved_at is not None
    assert other.resolved_at is None


def test_a_person_without_an_account_fails_without_a_call_that_writes(world: World) -> None:
    activity = ActivityFactory.create(person=PersonFactory.create(external_id="P-UNKNOWN"))
    sent = send(world, activity)
    assert sent.finding is not None
    assert (sent.finding.outcome, sent.writes) == (OneRecordOutcome.UNMATCHED, [])
    assert ExceptionItem.objects.get(record_uid=activity.uid, resolved_at=None).attempts == 1


def test_a_record_that_a_crm_user_deleted_is_not_created_again(world: World, person: Person) -> None:
    activity = ActivityFactory.create(person=person)
    world.transfer()
    world.delete_in_crm(INTERACTION, TransferLink.objects.get(record_uid=activity.uid).crm_id)
    edit(activity, subject="Another")
    sent = send(world, activity)
    assert sent.finding is not None
    assert sent.finding.outcome == OneRecordOutcome.GONE
    assert list_sent(world) == set()
    world.undelete_in_crm(TransferLink.objects.get(record_uid=activity.uid).crm_id)
    assert send(world, activity).finding.outcome == OneRecordOutcome.UPDATE  # type: ignore[union-attr]


def test_a_record_left_out_is_not_sent(world: World, person: Person) -> None:
    activity = ActivityFactory.create(person=person, channel="phone__v")
    set_filter(world, ("channel__v", "is", ["video__v"]))
    sent = send(world, activity)
    assert sent.finding is not None
    assert (sent.finding.outcome, sent.exchanges) == (OneRecordOutcome.LEFT_OUT, [])


# -- It is no transfer --------------------------------------------------------------------------------
def test_a_green_test_does_not_turn_a_failing_connection_to_ok(world: World, person: Person) -> None:
    activity = ActivityFactory.create(person=person)
    password = world.crm.user.password
    world.crm.organisation.database.execute("UPDATE sandbox_logins SET password = 'another'")
    world.transfer()
    failing = get_state(world)
    assert failing.key == "failing"
    world.crm.organisation.database.execute("UPDATE sandbox_logins SET password = ?", [password])

    assert send(world, activity).finding.outcome == OneRecordOutcome.CREATE  # type: ignore[union-attr]

    now = get_state(world)
    assert (now.key, now.since, now.last_run_id) == (failing.key, failing.since, failing.last_run_id)
    assert ExceptionItem.objects.filter(resolved_at=None, record_uid=None).count() == 1
    world.transfer()
    assert get_state(world).key == "ok"


def test_a_test_that_fails_as_a_whole_leaves_the_state_and_is_told(world: World, person: Person) -> None:
    activity = ActivityFactory.create(person=person)
    world.transfer()
    edit(activity, subject="Another")
    before, progress = get_state(world), read_progress(world)
    world.crm.organisation.database.execute("UPDATE sandbox_logins SET password = 'another'")

    sent = send(world, activity)

    assert sent.run.state == RunState.FAILED
    assert "refused the log-in" in sent.error
    assert get_state(world) == before
    assert read_progress(world) == progress
    assert not ExceptionItem.objects.exists()
    assert not ConnectionAlert.objects.exists()
    assert not LiveProgress.objects.exists()


def test_a_send_whose_answer_is_lost_is_found_by_the_next_transfer(world: World, person: Person) -> None:
    activity = ActivityFactory.create(person=person)
    world.transfer()
    lost = ActivityFactory.create(person=person)
    world.misbehave(match={"object": INTERACTION, "method": "PATCH", "count": 2}, effect={"drop": "after"})

    sent = send(world, lost)

    assert sent.error
    assert sent.run.state == RunState.FAILED
    assert get_integration(world).progress.outcome_unknown
    assert list_sent(world) == name_all(activity, lost)
    world.transfer()
    assert list_sent(world) == name_all(activity, lost)
    assert not get_integration(world).progress.outcome_unknown


def test_what_was_unconfirmed_before_remains_so(world: World, person: Person) -> None:
    activity = ActivityFactory.create(person=person)
    IntegrationProgress.objects.filter(integration=get_integration(world)).update(outcome_unknown=True)
    assert send(world, activity).finding.outcome == OneRecordOutcome.CREATE  # type: ignore[union-attr]
    assert get_integration(world).progress.outcome_unknown


# -- What refuses it --------------------------------------------------------------------------------
def test_a_paused_or_inactive_connection_refuses_with_the_remedy(world: World, person: Person) -> None:
    activity, actor = ActivityFactory.create(person=person), build_admin_actor()
    pause_connection(connection=world.connection, reason="Migration", actor=actor)
    with pytest.raises(RecordNotSentError, match=r"NA is paused \(Migration\).* Resume it first\."):
        send(world, activity)
    resume_connection(connection=world.connection, actor=actor)
    world.connection.refresh_from_db()
    integration = Integration.objects.get(pk=get_integration(world).pk)
    edit(integration, status=RecordStatus.INACTIVE)
    with pytest.raises(RecordNotSentError, match="Activate the integration and its rule first"):
        send(world, activity)
    set_connection_status(connection=world.connection, status=RecordStatus.INACTIVE, actor=actor)
    with pytest.raises(RecordNotSentError, match="Activate it first"):
        send(world, activity)
    assert list_writes(world) == []
    assert not JobRun.objects.exists()


def test_a_run_that_is_at_work_is_not_raced(world: World, person: Person) -> None:
    activity = ActivityFactory.create(person=person)
    definition = JobDefinition.objects.get(key=TRANSFER_JOB_KEY)
    running = create_run(definition=definition, unit=build_unit(world.connection), user=None)
    JobRun.objects.filter(pk=running.pk).update(state=RunState.RUNNING)
    lease = acquire_lease(key=build_lease_key(world.connection), run=running)
    assert lease is not None

    with pytest.raises(RecordNotSentError, match="is running, and the record was not sent"):
        send(world, activity)

    assert list_writes(world) == []
    assert list(JobRun.objects.all()) == [running]
    # What it would do may be looked at meanwhile, since that writes nothing.
    assert look(world, activity).finding.outcome == OneRecordOutcome.CREATE  # type: ignore[union-attr]


def test_a_pause_between_the_page_and_the_lease_is_seen(
    world: World, person: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    activity = ActivityFactory.create(person=person)

    def pause_first(**given: Any) -> Any:
        pause_connection(connection=world.connection, reason="Now", actor=build_admin_actor())
        return create_run(**given)

    monkeypatch.setattr("crm_sync.one_record.sending.create_run", pause_first)
    sent = send(world, activity)
    assert sent.run.state == RunState.SKIPPED
    assert "NA is paused (Now)" in sent.error
    assert list_writes(world) == []


def test_a_run_that_is_cancelled_says_so(world: World, person: Person, monkeypatch: pytest.MonkeyPatch) -> None:
    activity = ActivityFactory.create(person=person)

    def cancel_and_open(**given: Any) -> Any:
        cancel_run(run=given["run"], actor=build_admin_actor())
        given["lease"].renew()
        given["lease"].stop_if_cancelled()

    monkeypatch.setattr("crm_sync.one_record.sending.open_session", cancel_and_open)
    sent = send(world, activity)
    assert sent.run.state == RunState.CANCELLED
    assert "cancelled" in sent.error
    assert list_writes(world) == []


def test_a_page_that_holds_the_lease_is_not_raced(world: World, person: Person) -> None:
    activity = ActivityFactory.create(person=person)
    assert acquire_lease(key=build_lease_key(world.connection), run=None) is not None
    sent = send(world, activity)
    assert sent.run.state == RunState.SKIPPED
    assert sent.error.startswith("A page of the Vault was at work on the same.")
    assert list_writes(world) == []


def test_a_worker_that_meets_the_run_of_a_page_that_is_gone_sends_nothing(world: World, person: Person) -> None:
    ActivityFactory.create(person=person)
    definition = JobDefinition.objects.get(key=ONE_RECORD_JOB_KEY)
    run = execute_run(create_run(definition=definition, unit=build_unit(world.connection), user=None).pk)
    assert run is not None
    assert run.state == RunState.SKIPPED
    assert "The next transfer finds out" in run.message
    assert list_writes(world) == []
    assert take_over_interrupted() == 0
    assert not IntegrationRun.objects.exists()


def test_secrets_are_in_nothing_that_is_shown(world: World, person: Person) -> None:
    activity = ActivityFactory.create(person=person)
    shown = [*look(world, activity).exchanges, *send(world, activity).exchanges]
    text = json.dumps([{name: str(getattr(each, name)) for name in each.__slots__} for each in shown])
    authorization = world.connection.authorization
    assert authorization is not None
    secrets = [
        authorization.password.reveal(),
        authorization.consumer_secret.reveal(),
        authorization.consumer_key.reveal(),
    ]
    tokens = world.crm.organisation.database.fetch_all("SELECT token FROM sandbox_sessions")
    assert tokens
    for secret in [*secrets, *(row[0] for row in tokens)]:
        assert secret not in text


def test_the_kinds_that_are_sent_are_those_of_the_vault(world: World) -> None:
    study = StudyFactory.create()
    assert send(world, study, STUDIES).finding.outcome == OneRecordOutcome.CREATE  # type: ignore[union-attr]
    assert IntegrationRun.objects.get().integration.kind == IntegrationKind.STUDY_OUTBOUND
