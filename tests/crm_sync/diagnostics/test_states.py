"""The states of connections: what is called OK, and what is not."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.db import connection as database
from django.test.utils import CaptureQueriesContext

from connections.choices import IntegrationKind
from connections.models import Connection
from crm_sync.choices import ConnectionStateKey
from crm_sync.diagnostics.states import ConnectionState, list_connection_states
from ctms.audit.services import save_record
from ctms.configuration.checklist import list_checklist
from ctms.configuration.steps import StepStatus
from ctms.core.choices import RecordStatus
from ctms.core.clock import get_now
from ctms.jobs.choices import RunState
from ctms.jobs.models import JobRun
from exceptions_log.models import ExceptionItem
from tests.crm_sync.transfer_runs import activate_job, add_run
from tests.crm_sync.world import World
from tests.factories.accounts import UserFactory
from tests.factories.activities import ActivityFactory
from tests.factories.base import build_admin_actor
from tests.factories.clinical import PersonFactory
from tests.factories.connections import ConnectionFactory

pytestmark = [pytest.mark.django_db, pytest.mark.both_databases]


def get_state(connection: Connection) -> ConnectionState:
    connection = Connection.objects.get(pk=connection.pk)
    return list_connection_states([connection])[connection.pk]


def save(record: Any, **values: Any) -> None:
    for name, value in values.items():
        setattr(record, name, value)
    save_record(record=record, actor=build_admin_actor())


def test_records_that_fail_make_it_with_exceptions_and_are_counted_among_all(world: World) -> None:
    matched, stranger = PersonFactory.create(external_id="P-1"), PersonFactory.create(external_id="P-2")
    world.add_accounts([matched])
    ActivityFactory.create(person=matched)
    ActivityFactory.create(person=stranger)
    ActivityFactory.create(person=stranger)
    world.transfer()
    state = get_state(world.connection)
    assert (state.key, state.failed) == (ConnectionStateKey.WITH_EXCEPTIONS, 2)
    assert state.of >= 3
    assert state.label == f"With exceptions (2 of {state.of})"
    assert "2 of" in state.sentence
    assert state.since == min(ExceptionItem.objects.values_list("first_failed_at", flat=True))


def test_a_run_in_which_nothing_changed_keeps_the_count_of_all_records(world: World) -> None:
    matched, stranger = PersonFactory.create(external_id="P-1"), PersonFactory.create(external_id="P-2")
    world.add_accounts([matched])
    for person in (matched, stranger):
        ActivityFactory.create(person=person)
    world.transfer()
    first = get_state(world.connection)
    world.transfer()
    again = get_state(world.connection)
    assert (again.failed, again.of, again.since) == (first.failed, first.of, first.since)


def test_the_test_transfer_is_not_done_while_records_fail(world: World) -> None:
    ActivityFactory.create(person=PersonFactory.create(external_id="NOBODY"))
    world.transfer()
    admin = UserFactory.create(is_superuser=True)
    (step,) = [row for row in list_checklist(admin) if row.step.key == "test_transfer"]
    assert step.state.status == StepStatus.BROKEN
    assert world.connection.name in step.state.reason


def test_an_inactive_required_rule_is_failing_before_the_next_run_tells(world: World) -> None:
    world.transfer()
    assert get_state(world.connection).key == ConnectionStateKey.OK
    rule = world.connection.integrations.get(kind=IntegrationKind.CALL_OUTBOUND).rule
    required = rule.field_rules.filter(is_required=True).first()
    assert required is not None
    save(required, status=RecordStatus.INACTIVE)
    state = get_state(world.connection)
    assert state.key == ConnectionStateKey.FAILING
    assert required.name in state.sentence
    save(required, status=RecordStatus.ACTIVE)
    assert get_state(world.connection).key == ConnectionStateKey.OK


def test_failing_is_since_the_first_failure_that_no_success_followed() -> None:
    connection, now = ConnectionFactory.create(), get_now()
    for hours, ended in ((9, RunState.FAILED), (8, RunState.SUCCEEDED), (7, RunState.FAILED), (6, RunState.FAILED)):
        add_run(connection, ended, at=now - timedelta(hours=hours), message=f"{hours} hours ago")
    activate_job(counted_from=now - timedelta(minutes=1), next_run_at=now + timedelta(minutes=59))
    state = get_state(connection)
    assert (state.key, state.since) == (ConnectionStateKey.FAILING, now - timedelta(hours=7))
    assert state.sentence == "6 hours ago"


@pytest.mark.parametrize("later", [0, -1], ids=["taken over", "after the clock was set back"])
def test_the_last_run_is_the_last_that_was_queued_whatever_its_due_time(later: int) -> None:
    connection, now = ConnectionFactory.create(), get_now()
    add_run(connection, RunState.INTERRUPTED, at=now, message="The worker was stopped")
    add_run(connection, RunState.SUCCEEDED, at=now + timedelta(hours=later))
    assert get_state(connection).key == ConnectionStateKey.OK


def test_a_missed_run_makes_it_silent_since_the_last_that_ended() -> None:
    connection, now = ConnectionFactory.create(), get_now()
    add_run(connection, RunState.SUCCEEDED, at=now - timedelta(hours=3))
    add_run(connection, RunState.QUEUED, at=now - timedelta(hours=2))
    activate_job(counted_from=now - timedelta(days=1), next_run_at=now + timedelta(minutes=30))
    state = get_state(connection)
    assert (state.key, state.since) == (ConnectionStateKey.SILENT, now - timedelta(hours=3))


def test_a_run_that_failed_has_ended_and_is_no_silence() -> None:
    connection, now = ConnectionFactory.create(), get_now()
    add_run(connection, RunState.FAILED, at=now - timedelta(minutes=50))
    activate_job(counted_from=now - timedelta(days=1), next_run_at=now + timedelta(minutes=10))
    assert get_state(connection).key == ConnectionStateKey.FAILING


def test_a_scheduler_that_does_not_run_makes_it_silent() -> None:
    connection, now = ConnectionFactory.create(), get_now()
    add_run(connection, RunState.SUCCEEDED, at=now - timedelta(hours=3))
    activate_job(counted_from=now - timedelta(days=1), next_run_at=now - timedelta(hours=2))
    state = get_state(connection)
    assert state.key == ConnectionStateKey.SILENT
    assert "celery beat" in state.sentence


def test_a_long_run_at_work_is_no_silence() -> None:
    connection, now = ConnectionFactory.create(), get_now()
    add_run(connection, RunState.SUCCEEDED, at=now - timedelta(hours=3))
    add_run(connection, RunState.RUNNING, at=now - timedelta(hours=2))
    activate_job(counted_from=now - timedelta(days=1), next_run_at=now + timedelta(minutes=30))
    assert get_state(connection).key == ConnectionStateKey.OK


def test_a_connection_of_an_inactive_job_is_silent_once_an_interval_has_passed() -> None:
    connection, now = ConnectionFactory.create(), get_now()
    run = add_run(connection, RunState.SUCCEEDED, at=now - timedelta(minutes=30))
    assert get_state(connection).key == ConnectionStateKey.OK
    JobRun.objects.filter(pk=run.pk).update(finished_at=now - timedelta(hours=2))
    state = get_state(connection)
    assert (state.key, state.since) == (ConnectionStateKey.SILENT, now - timedelta(hours=2))
    assert "Inactive" in state.sentence


def test_a_connection_made_active_after_a_week_is_not_silent_before_a_run_is_missed() -> None:
    connection, now = ConnectionFactory.create(), get_now()
    add_run(connection, RunState.SUCCEEDED, at=now - timedelta(days=7))
    activate_job(counted_from=now - timedelta(days=9), next_run_at=now + timedelta(minutes=10))
    assert get_state(connection).key == ConnectionStateKey.OK


def test_without_authorization_or_secrets_it_is_unfinished_and_says_what_is_missing() -> None:
    connection = ConnectionFactory.create(authorization=None)
    assert "Authorization" in get_state(connection).sentence
    assert get_state(connection).key == ConnectionStateKey.UNFINISHED
    save(connection, status=RecordStatus.INACTIVE)
    assert get_state(connection).key == ConnectionStateKey.UNFINISHED


def test_without_an_active_integration_a_success_is_not_ok(world: World) -> None:
    for integration in world.connection.integrations.all():
        save(integration, status=RecordStatus.INACTIVE)
    assert world.transfer().state == RunState.SUCCEEDED
    state = get_state(world.connection)
    assert state.key == ConnectionStateKey.UNFINISHED
    assert "integration" in state.sentence


def test_ten_connections_take_as_many_statements_as_one() -> None:
    now = get_now()

    def count() -> int:
        connections = list(Connection.objects.select_related("authorization"))
        with CaptureQueriesContext(database) as queries:
            list_connection_states(connections)
        return len(queries)

    for _ in range(10):
        connection = ConnectionFactory.create()
        add_run(connection, RunState.SUCCEEDED, at=now - timedelta(hours=3))
        add_run(connection, RunState.QUEUED, at=now - timedelta(hours=2))
        if Connection.objects.count() == 1:
            activate_job(counted_from=now - timedelta(days=1), next_run_at=now + timedelta(minutes=30))
            statements = count()
    assert count() == statements
    assert statements <= 12


def test_nothing_is_said_of_no_connections() -> None:
    assert list_connection_states([]) == {}
