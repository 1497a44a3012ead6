"""Deleting a connection deletes its rows in the Vault and leaves the records in the CRM."""

from __future__ import annotations

from typing import Any

import pytest

from activities.models import Activity
from connections.models import (
    Connection,
    ConnectionSchedule,
    FieldRule,
    Integration,
    IntegrationProgress,
    IntegrationRule,
)
from connections.services import set_connection_status
from crm_sync.actions.connection_removal import ConnectionInUseError, count_traces, delete_connection, find_obstacle
from crm_sync.jobs import TRANSFER_JOB_KEY, build_unit
from crm_sync.models import AccountMatch, AlertSettings, IntegrationRun, TransferLink
from ctms.audit.choices import AuditAction
from ctms.audit.models import AuditEntry
from ctms.audit.services import save_record
from ctms.core.choices import RecordStatus
from ctms.core.errors import StaleRecordError
from ctms.jobs.choices import RunState
from ctms.jobs.errors import LeaseLostError
from ctms.jobs.leases import acquire_lease
from ctms.jobs.models import JobDefinition, JobRun, Lease
from ctms.jobs.services import create_run, execute_run
from ctms.webhooks.models import Webhook, WebhookDelivery
from ctms.webhooks.services import queue_test, save_webhook
from exceptions_log.models import ExceptionItem, ExceptionMessage
from tests.crm_sync.world import World
from tests.factories.activities import ActivityFactory
from tests.factories.base import build_admin_actor
from tests.factories.clinical import PersonFactory
from tests.factories.connections import ConnectionFactory, IdentifierMappingFactory
from tests.jobs.handlers import let_leases_run_out
from tests.reliability.simultaneous import call_at_once

pytestmark = [pytest.mark.django_db, pytest.mark.both_databases]

OF_A_CONNECTION = (
    AccountMatch,
    Connection,
    ExceptionItem,
    ExceptionMessage,
    FieldRule,
    Integration,
    IntegrationProgress,
    IntegrationRule,
    IntegrationRun,
    TransferLink,
)


def delete(connection: Connection, **values: Any) -> None:
    delete_connection(connection=connection, actor=build_admin_actor(), **values)


def queue_run(connection: Connection) -> JobRun:
    definition = JobDefinition.objects.get(key=TRANSFER_JOB_KEY)
    return create_run(definition=definition, unit=build_unit(connection), user=None)


def list_rows() -> dict[str, int]:
    return {model.__name__: model._default_manager.count() for model in OF_A_CONNECTION}


def transfer_something(world: World) -> None:
    """Transfer two activities, one with an account and one without."""
    known = PersonFactory.create(external_id="KNOWN")
    world.add_accounts([known])
    ActivityFactory.create(person=known)
    ActivityFactory.create(person=PersonFactory.create(external_id="UNKNOWN"))
    world.transfer()


def test_everything_of_the_connection_goes_and_everything_of_another_stays(world: World, second_world: World) -> None:
    known = PersonFactory.create(external_id="OF-BOTH")
    second_world.add_accounts([known])
    transfer_something(world)
    delete(world.connection)
    transfer_something_left = list_rows()
    assert transfer_something_left == {
        "AccountMatch": 0,
        "Connection": 1,
        "ExceptionItem": 0,
        "ExceptionMessage": 0,
        "FieldRule": 27,
        "Integration": 4,
        "IntegrationProgress": 4,
        "IntegrationRule": 4,
        "IntegrationRun": 0,
        "TransferLink": 0,
    }
    second_world.transfer()
    before = list_rows()
    delete(ConnectionFactory.create())
    assert list_rows() == before


def test_schedule_alerts_and_webhook_with_its_secret_and_deliveries_go_too() -> None:
    connection, actor = ConnectionFactory.create(), build_admin_actor()
    webhook = Webhook(name="Ops", url="https://ops.example.com/hook")
    save_webhook(webhook=webhook, actor=actor, secret="canary" * 8)
    queue_test(webhook)
    save_record(record=AlertSettings(connection=connection, webhook=webhook), actor=actor)
    save_record(record=ConnectionSchedule(connection=connection, is_own=True), actor=actor)
    delete(connection)
    models = (AlertSettings, ConnectionSchedule, Webhook, WebhookDelivery)
    assert [model._default_manager.count() for model in models] == [0, 0, 0, 0]


def test_the_history_of_the_job_keeps_its_runs_and_the_crm_its_records(world: World) -> None:
    transfer_something(world)
    in_crm = (world.list_interactions(), world.list_studies(), world.list_sites())
    delete(world.connection)
    run = JobRun.objects.get()
    assert (run.unit_label, run.state) == ("NA", RunState.WITH_EXCEPTIONS)
    assert sum(part["created"] for part in run.result.values()) >= 1
    assert (world.list_interactions(), world.list_studies(), world.list_sites()) == in_crm


def test_the_audit_trail_keeps_every_row_and_how_much_was_forgotten(world: World) -> None:
    transfer_something(world)
    IdentifierMappingFactory.create(connection=world.connection)
    traces = count_traces(world.connection)
    before = AuditEntry.objects.count()
    delete(world.connection)
    assert AuditEntry.objects.count() - before == 27 + 4 + 4 + 1 + 1
    entry = AuditEntry.objects.get(record_uid=world.connection.uid, action=AuditAction.DELETED)
    assert entry.reason == (
        f"Forgotten with it: {traces.links} links, 1 account match, 4 integration runs, 1 user exception item. "
        "The records in the CRM stay as they are."
    )
    child = AuditEntry.objects.filter(action=AuditAction.DELETED).order_by("id")[0]
    assert child.reason == "Deleted with the connection NA"


def test_a_new_connection_to_the_same_organisation_finds_the_records_again(world: World) -> None:
    transfer_something(world)
    ids = sorted(row["Id"] for row in world.list_interactions())
    old = world.connection
    delete(old)
    world.connection = ConnectionFactory.create(name="NA", url=old.url, authorization=old.authorization)
    world.transfer()
    assert sorted(row["Id"] for row in world.list_interactions()) == ids
    links = TransferLink.objects.filter(crm_id__in=ids)
    assert links.count() == len(ids) == 1


def test_medical_activities_keep_their_connection_and_the_reason_says_what_to_do_instead(world: World) -> None:
    person = PersonFactory.create(external_id="KNOWN")
    world.add_calls(world.add_accounts([person]))
    world.transfer()
    before = list_rows()
    with pytest.raises(ConnectionInUseError) as raised:
        delete(world.connection)
    assert str(raised.value) == (
        "NA cannot be deleted: 1 Medical Activity came from it. Make it Inactive instead: it then transfers nothing."
    )
    assert list_rows() == before
    assert Activity.objects.filter(connection=world.connection).count() == 1
    set_connection_status(connection=world.connection, status=RecordStatus.INACTIVE, actor=build_admin_actor())
    with pytest.raises(ConnectionInUseError, match=r"came from it\. It is Inactive, so it transfers nothing"):
        delete(world.connection)


def test_a_scheduled_transfer_keeps_the_connection_until_it_is_over(world: World) -> None:
    run = queue_run(world.connection)
    traces = count_traces(world.connection)
    assert find_obstacle(connection=world.connection, traces=traces).startswith(
        "NA cannot be deleted while a transfer of it is scheduled."
    )
    with pytest.raises(ConnectionInUseError, match="while a transfer of it is scheduled"):
        delete(world.connection)
    execute_run(run.pk)
    delete(world.connection)
    assert Connection.objects.count() == 0


def test_a_running_transfer_keeps_its_lease_and_its_connection(world: World) -> None:
    run = queue_run(world.connection)
    JobRun.objects.filter(pk=run.pk).update(state=RunState.RUNNING)
    lease = acquire_lease(key=f"{TRANSFER_JOB_KEY}:{world.connection.uid}", run=run)
    assert lease is not None
    with pytest.raises(ConnectionInUseError, match="while a transfer of it is running"):
        delete(world.connection)
    lease.renew()


def test_the_lease_asked_for_is_the_one_that_a_run_holds(world: World) -> None:
    world.transfer()
    assert [lease.key for lease in Lease.objects.all()] == [f"{TRANSFER_JOB_KEY}:{world.connection.uid}"]
    delete(world.connection)
    assert Lease.objects.count() == 0


def test_a_worker_that_died_keeps_nothing_and_writes_no_more_should_it_only_have_been_slow(world: World) -> None:
    run = queue_run(world.connection)
    JobRun.objects.filter(pk=run.pk).update(state=RunState.RUNNING)
    slow = acquire_lease(key=f"{TRANSFER_JOB_KEY}:{world.connection.uid}", run=run)
    assert slow is not None
    let_leases_run_out()
    delete(world.connection)
    run.refresh_from_db()
    assert run.state == RunState.INTERRUPTED
    with pytest.raises(LeaseLostError):
        slow.renew()


def test_a_run_that_was_queued_meanwhile_is_skipped_with_the_reason(world: World) -> None:
    unit = build_unit(world.connection)
    delete(world.connection)
    run = create_run(definition=JobDefinition.objects.get(key=TRANSFER_JOB_KEY), unit=unit, user=None)
    execute_run(run.pk)
    run.refresh_from_db()
    assert (run.state, run.message) == (RunState.SKIPPED, "The connection NA was deleted before the run began.")


def test_a_connection_changed_since_it_was_shown_is_not_deleted(world: World) -> None:
    shown = world.connection.version
    world.connection.description = "Another"
    save_record(record=world.connection, actor=build_admin_actor())
    before = list_rows()
    with pytest.raises(StaleRecordError, match="Reload it"):
        delete(world.connection, expected_version=shown)
    assert list_rows() == before


def test_a_connection_is_deleted_once(world: World) -> None:
    delete(world.connection)
    with pytest.raises(StaleRecordError, match="NA was already deleted"):
        delete(world.connection)


@pytest.mark.postgresql
@pytest.mark.django_db(transaction=True)
def test_a_transfer_and_a_deletion_at_the_same_moment_leave_no_half_of_either() -> None:
    for _ in range(5):
        connection = ConnectionFactory.create()
        run = queue_run(connection)

        def remove(connection: Connection = connection) -> None:
            delete(connection)

        def transfer(run: JobRun = run) -> JobRun | None:
            return execute_run(run.pk)

        removed, ran = call_at_once([remove, transfer])
        run.refresh_from_db()
        left = Connection.objects.filter(pk=connection.pk).exists()
        assert left is isinstance(removed, ConnectionInUseError), (removed, ran)
        assert run.state in (RunState.FAILED, RunState.SKIPPED)
        if not left:
            assert TransferLink.objects.count() == 0
