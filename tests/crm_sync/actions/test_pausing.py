"""Paused connections are transferred by nothing until they are resumed."""

from __future__ import annotations

import pytest
from django.core.exceptions import ValidationError
from django.core.management import CommandError, call_command
from django.db import IntegrityError, transaction
from django.test import Client
from django.urls import reverse

from connections.callbacks import issue_session, list_live_sessions
from connections.models import Connection
from connections.services import save_connection
from crm_sync.actions.pausing import pause_all, pause_connection, resume_all, resume_connection
from crm_sync.actions.retry_now import retry_items
from crm_sync.jobs import TRANSFER_JOB_KEY, build_unit, list_scheduled_transfer_units, list_transfer_units
from ctms.audit.models import AuditEntry
from ctms.core.choices import RecordStatus
from ctms.core.clock import get_now
from ctms.core.models import allow_record_writes
from ctms.jobs.choices import RunState
from ctms.jobs.models import JobDefinition, JobRun
from ctms.jobs.services import create_run, execute_run, start_now, start_unit
from tests.admin_forms import list_messages, log_in_admin
from tests.admin_rows import create_exception_item
from tests.crm_sync.world import World
from tests.factories.accounts import SecurityProfileFactory, UserFactory
from tests.factories.base import build_admin_actor
from tests.factories.clinical import StudyFactory
from tests.factories.connections import ConnectionFactory

pytestmark = [pytest.mark.django_db, pytest.mark.both_databases]


def pause(connection: Connection, reason: str = "The CRM is being upgraded") -> None:
    assert pause_connection(connection=connection, reason=reason, actor=build_admin_actor())


def get_transfer() -> JobDefinition:
    return JobDefinition.objects.get(key=TRANSFER_JOB_KEY)


def build_url(connection: Connection, page: str) -> str:
    return f"/admin/connections/connection/{connection.pk}/{page}/"


def test_a_paused_connection_sends_nothing_whoever_starts_the_run_and_goes_on_once_resumed(world: World) -> None:
    StudyFactory.create()
    pause(world.connection)
    run = world.transfer()
    assert (run.state, run.message) == (
        RunState.SKIPPED,
        "NA is paused, so nothing was transferred: The CRM is being upgraded",
    )
    assert world.list_studies() == []
    assert resume_connection(connection=world.connection, actor=build_admin_actor())
    assert world.transfer().state != RunState.SKIPPED
    assert world.list_studies()


def test_neither_the_schedule_nor_start_now_takes_a_paused_connection_along() -> None:
    paused, other = ConnectionFactory.create(), ConnectionFactory.create()
    pause(paused)
    assert [unit.key for unit in list_transfer_units()] == [str(other.uid)]
    assert [unit.key for unit in list_scheduled_transfer_units()] == [str(other.uid)]
    assert [run.unit_key for run in start_now(definition=get_transfer(), user=None)] == [str(other.uid)]


def test_a_queued_run_is_cancelled_and_a_running_one_is_asked_to_stop() -> None:
    queued, running = ConnectionFactory.create(), ConnectionFactory.create()
    runs = [start_unit(definition=get_transfer(), unit=build_unit(each), user=None) for each in (queued, running)]
    JobRun.objects.filter(pk=runs[1].pk).update(state=RunState.RUNNING)
    assert len(pause_all(reason="Upgrade", actor=build_admin_actor())) == 2
    first, second = (JobRun.objects.get(pk=run.pk) for run in runs)
    assert first.state == RunState.CANCELLED
    assert (second.state, second.cancel_requested_at is not None) == (RunState.RUNNING, True)


def test_the_call_back_sessions_that_the_crm_holds_end_with_the_pause() -> None:
    connection = ConnectionFactory.create()
    connection.authorized_connection_user = UserFactory.create(security_profile=SecurityProfileFactory.create())
    save_connection(connection=connection, actor=build_admin_actor())
    assert issue_session(connection_id=connection.pk, run_reference="run 1") is not None
    pause(connection)
    assert not list_live_sessions(connection).exists()
    resume_connection(connection=connection, actor=build_admin_actor())
    assert not list_live_sessions(connection).exists()


def test_a_run_that_was_queued_after_the_pause_is_skipped() -> None:
    connection = ConnectionFactory.create()
    pause(connection)
    run = create_run(definition=get_transfer(), unit=build_unit(connection), user=None)
    finished = execute_run(run.pk)
    assert finished is not None
    assert finished.state == RunState.SKIPPED


def test_retry_says_that_the_connection_is_paused_and_starts_nothing() -> None:
    item = create_exception_item()
    connection = item.message.connection
    assert connection is not None
    pause(connection)
    (retry,) = retry_items(keys=[item.pk], actor=build_admin_actor())
    assert retry.run is None
    assert retry.refusal == f"{connection} is paused, so no transfer was started. Resume it under Connections."
    assert not JobRun.objects.filter(definition__key=TRANSFER_JOB_KEY).exists()


def test_the_command_transfers_no_paused_connection() -> None:
    connection = ConnectionFactory.create(name="NA")
    pause(connection)
    with pytest.raises(CommandError, match="This was not transferred: NA"):
        call_command("transfer", "--connection", "NA")


def test_pausing_takes_a_reason_and_the_database_knows_it() -> None:
    connection = ConnectionFactory.create()
    with pytest.raises(ValidationError, match="Say why"):
        pause_connection(connection=connection, reason=" ", actor=build_admin_actor())
    with pytest.raises(IntegrityError), transaction.atomic(), allow_record_writes():
        Connection.objects.filter(pk=connection.pk).update(paused_at=get_now())


def test_pausing_and_resuming_are_one_audit_entry_each_and_none_if_nothing_changes() -> None:
    connection, actor = ConnectionFactory.create(), build_admin_actor()
    before = AuditEntry.objects.filter(record_uid=connection.uid).count()
    pause(connection)
    assert not pause_connection(connection=connection, reason="Again", actor=actor)
    assert resume_connection(connection=connection, actor=actor)
    assert not resume_connection(connection=connection, actor=actor)
    paused, resumed = AuditEntry.objects.filter(record_uid=connection.uid).order_by("id")[before:]
    assert paused.reason == "The CRM is being upgraded"
    assert {"paused_at", "pause_reason"} <= set(paused.changes)
    assert {"paused_at", "pause_reason"} <= set(resumed.changes)


def test_pause_all_takes_the_active_connections_and_resume_all_what_is_paused() -> None:
    active, paused = ConnectionFactory.create(), ConnectionFactory.create()
    inactive = ConnectionFactory.create(status=RecordStatus.INACTIVE)
    pause(paused, "For another reason")
    assert pause_all(reason="Upgrade", actor=build_admin_actor()) == [active]
    reasons = {each.pk: each.pause_reason for each in Connection.objects.all()}
    assert reasons == {active.pk: "Upgrade", paused.pk: "For another reason", inactive.pk: ""}
    assert {each.pk for each in resume_all(actor=build_admin_actor())} == {active.pk, paused.pk}


def test_the_console_pauses_for_a_reason_and_offers_what_changes_something(client: Client) -> None:
    user = log_in_admin(client)
    connection = ConnectionFactory.create(name="NA")
    assert "Say why" in client.post(build_url(connection, "pause"), {"reason": ""}).content.decode()
    response = client.post(build_url(connection, "pause"), {"reason": "Upgrade"}, follow=True)
    assert list_messages(response) == ["NA is paused: nothing is transferred."]
    connection.refresh_from_db()
    assert (connection.paused_by, connection.pause_reason) == (user, "Upgrade")
    assert connection.status == RecordStatus.ACTIVE
    assert "Upgrade" in client.get(build_url(connection, "resume")).content.decode()
    response = client.post(build_url(connection, "resume"), follow=True)
    assert list_messages(response) == ["NA is resumed: the next run of the transfer takes it along."]


def test_the_console_pauses_and_resumes_all_at_once(client: Client) -> None:
    log_in_admin(client)
    ConnectionFactory.create(name="EU")
    ConnectionFactory.create(name="NA")
    url = reverse("admin:connections_connection_changelist")
    assert "Pause all" in client.get(url).content.decode()
    response = client.post(f"{url}pause-all/", {"reason": "Upgrade"}, follow=True)
    assert list_messages(response) == ["EU, NA: paused."]
    response = client.post(f"{url}resume-all/", follow=True)
    assert list_messages(response) == ["EU, NA: resumed."]


def test_who_may_only_read_connections_pauses_none(client: Client) -> None:
    profile = SecurityProfileFactory.create(permissions=["connection__sys:read"])
    client.force_login(UserFactory.create(is_staff=True, security_profile=profile))
    connection = ConnectionFactory.create()
    url = reverse("admin:connections_connection_changelist")
    for address in (build_url(connection, "pause"), f"{url}pause-all/"):
        assert client.post(address, {"reason": "Upgrade"}).status_code == 403
    connection.refresh_from_db()
    assert connection.paused_at is None
