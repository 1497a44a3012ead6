"""The health of connections: state, last success, open exceptions, unmatched persons."""

from __future__ import annotations

import uuid
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection as database
from django.test.utils import CaptureQueriesContext

from connections import certificates
from connections.certificates import create_certificate, list_certificates
from connections.choices import GrantFlow, IntegrationKind
from connections.models import Connection, IntegrationProgress
from connections.services import set_password
from crm_sync.choices import ConnectionStateKey
from crm_sync.diagnostics.health import ConnectionHealth, list_connection_health
from crm_sync.jobs import TRANSFER_JOB_KEY
from ctms.audit.services import save_record
from ctms.core.choices import RecordStatus
from ctms.core.clock import get_now
from ctms.jobs.choices import RunState
from ctms.jobs.models import JobDefinition, JobRun
from exceptions_log.choices import ErrorType
from exceptions_log.models import ExceptionItem
from tests.admin_rows import create_exception_item, create_exception_message, get_integration
from tests.crm_sync.world import World
from tests.factories.activities import ActivityFactory
from tests.factories.base import build_admin_actor
from tests.factories.clinical import PersonFactory
from tests.factories.connections import AuthorizationFactory, ConnectionFactory

pytestmark = [pytest.mark.django_db, pytest.mark.both_databases]


def get_health(connection: Connection) -> ConnectionHealth:
    connection.refresh_from_db()
    (health,) = list_connection_health([connection])
    return health


def set_status(record: Any, status: RecordStatus) -> None:
    record.status = status
    save_record(record=record, actor=build_admin_actor())


def add_run(connection: Connection, state: RunState, **values: Any) -> JobRun:
    """Create a run of the transfer, a minute after the one before."""
    slot = get_now() + timedelta(minutes=JobRun.objects.count())
    return JobRun.objects.create(
        definition=JobDefinition.objects.get(key=TRANSFER_JOB_KEY),
        unit_key=str(connection.uid),
        slot=slot,
        queued_at=slot,
        state=state,
        **values,
    )


def test_a_new_connection_is_unfinished() -> None:
    health = get_health(ConnectionFactory.create())
    assert (health.state.key, health.last_success_at) == (ConnectionStateKey.UNFINISHED, None)
    assert (health.open_exceptions, health.unmatched_persons) == (0, 0)


def test_a_transfer_without_failure_makes_it_ok_since_the_run_began(world: World) -> None:
    before = get_now()
    run = world.transfer()
    health = get_health(world.connection)
    assert health.state.key == ConnectionStateKey.OK
    assert run.finished_at is not None
    assert health.last_success_at is not None
    assert before <= health.last_success_at <= run.finished_at


def test_a_log_in_that_fails_is_failing_until_a_run_succeeds(world: World) -> None:
    world.transfer()
    succeeded = get_health(world.connection).last_success_at
    authorization = world.connection.authorization
    assert authorization is not None
    set_password(authorization=authorization, password="wrong", actor=build_admin_actor())
    world.transfer()
    health = get_health(world.connection)
    assert (health.state.key, health.last_success_at, health.open_exceptions) == (
        ConnectionStateKey.FAILING,
        succeeded,
        1,
    )

    set_password(authorization=authorization, password=world.crm.user.password, actor=build_admin_actor())
    world.transfer()
    health = get_health(world.connection)
    assert (health.state.key, health.open_exceptions) == (ConnectionStateKey.OK, 0)


def test_an_integration_that_cannot_run_makes_the_connection_failing_while_the_others_go_on(world: World) -> None:
    rule = world.connection.integrations.get(kind=IntegrationKind.CALL_OUTBOUND).rule
    set_status(rule.field_rules.get(source="person__v"), RecordStatus.INACTIVE)
    assert world.transfer().state == RunState.WITH_EXCEPTIONS
    health = get_health(world.connection)
    assert (health.state.key, health.open_exceptions) == (ConnectionStateKey.FAILING, 1)


def test_a_dismissed_failure_is_not_open_but_the_connection_stays_failing(world: World) -> None:
    rule = world.connection.integrations.get(kind=IntegrationKind.CALL_OUTBOUND).rule
    set_status(rule.field_rules.get(source="person__v"), RecordStatus.INACTIVE)
    world.transfer()
    ExceptionItem.objects.update(dismissed_at=get_now(), dismissal_reason="Known")
    health = get_health(world.connection)
    assert (health.state.key, health.open_exceptions) == (ConnectionStateKey.FAILING, 0)


def test_persons_without_a_match_are_counted_once_however_much_waits_for_them(world: World) -> None:
    two = [PersonFactory.create(external_id=name) for name in ("P-1", "P-2")]
    for person in (two[0], two[0], two[1]):
        ActivityFactory.create(person=person)
    stranger, matched = PersonFactory.build(external_id="NOBODY"), PersonFactory.create(external_id="P-3")
    unknown, known = world.add_accounts([stranger, matched])
    world.add_calls([unknown, unknown, known])

    world.transfer()

    health = get_health(world.connection)
    assert (health.state.key, health.open_exceptions, health.unmatched_persons) == (
        ConnectionStateKey.WITH_EXCEPTIONS,
        5,
        3,
    )


def test_a_call_that_is_not_shown_any_more_is_no_unmatched_person(world: World) -> None:
    (account,) = world.add_accounts([PersonFactory.build(external_id="NOBODY")])
    (call,) = world.add_calls([account])
    world.transfer()
    assert get_health(world.connection).unmatched_persons == 1
    world.hide_in_crm(call)
    world.transfer()
    health = get_health(world.connection)
    assert (health.open_exceptions, health.unmatched_persons) == (1, 0)


def test_what_was_resolved_does_not_count() -> None:
    message = create_exception_message(status=RecordStatus.ACTIVE)
    assert get_health(get_integration(message).connection).open_exceptions == 1
    message.items.update(resolved_at=get_now())
    assert get_health(get_integration(message).connection).open_exceptions == 0


def test_an_inactive_connection_is_inactive_whatever_its_runs_were() -> None:
    connection = ConnectionFactory.create()
    add_run(connection, RunState.FAILED)
    set_status(connection, RecordStatus.INACTIVE)
    assert get_health(connection).state.key == ConnectionStateKey.INACTIVE


@pytest.mark.parametrize(
    ("states", "expected"),
    [
        ([RunState.FAILED], ConnectionStateKey.FAILING),
        ([RunState.INTERRUPTED], ConnectionStateKey.FAILING),
        ([RunState.SUCCEEDED, RunState.FAILED], ConnectionStateKey.FAILING),
        ([RunState.FAILED, RunState.SUCCEEDED], ConnectionStateKey.OK),
        ([RunState.FAILED, RunState.WITH_EXCEPTIONS], ConnectionStateKey.OK),
        ([RunState.FAILED, RunState.SKIPPED], ConnectionStateKey.FAILING),
        ([RunState.SUCCEEDED, RunState.RUNNING], ConnectionStateKey.OK),
        ([RunState.QUEUED], ConnectionStateKey.UNFINISHED),
    ],
)
def test_the_last_run_that_ended_tells(states: list[RunState], expected: ConnectionStateKey) -> None:
    connection = ConnectionFactory.create()
    add_run(ConnectionFactory.create(), RunState.FAILED)  # a run of another connection does not count
    for state in states:
        add_run(connection, state)
    assert get_health(connection).state.key == expected


def test_the_last_success_is_that_of_the_active_integration_furthest_behind() -> None:
    connection = ConnectionFactory.create()
    now = get_now()
    progress = IntegrationProgress.objects.filter(integration__connection=connection)
    for hours, each in enumerate(progress.order_by("pk")):
        progress.filter(pk=each.pk).update(last_successful_run_at=now - timedelta(hours=hours))
    assert get_health(connection).last_success_at == now - timedelta(hours=3)
    set_status(progress.get(last_successful_run_at=now - timedelta(hours=3)).integration, RecordStatus.INACTIVE)
    assert get_health(connection).last_success_at == now - timedelta(hours=2)


def test_there_is_no_last_success_while_an_active_integration_never_succeeded() -> None:
    connection = ConnectionFactory.create()
    progress = IntegrationProgress.objects.filter(integration__connection=connection).order_by("pk")
    progress.update(last_successful_run_at=get_now())
    never = progress.last()
    assert never is not None
    progress.filter(pk=never.pk).update(last_successful_run_at=None)
    assert get_health(connection).last_success_at is None
    set_status(never.integration.rule, RecordStatus.INACTIVE)
    assert get_health(connection).last_success_at is not None


def test_ten_connections_take_as_many_statements_as_one() -> None:
    def fill() -> None:
        message = create_exception_message(status=RecordStatus.ACTIVE)
        create_exception_item(message=message, error_type=ErrorType.MATCHING, key=str(uuid.uuid4()))
        add_run(get_integration(message).connection, RunState.SUCCEEDED)

    def count() -> int:
        with CaptureQueriesContext(database) as queries:
            list_connection_health()
        return len(queries)

    fill()
    statements = count()
    for _ in range(9):
        fill()
    assert (len(list_connection_health()), count()) == (10, statements)


def test_a_certificate_that_ends_soon_is_told_where_log_ins_take_it(monkeypatch: pytest.MonkeyPatch) -> None:
    authorization = AuthorizationFactory.create(name="Ending", grant_flow=GrantFlow.JWT_BEARER)
    connection = ConnectionFactory.create(authorization=authorization)
    create_certificate(authorization=authorization, actor=build_admin_actor())
    [certificate] = list_certificates(authorization)
    assert get_health(connection).certificate_warning == ""

    for days, verb in ((-29, "ends"), (1, "ended")):
        now = certificate.ends_at + timedelta(days=days)
        monkeypatch.setattr(certificates, "get_now", lambda now=now: now)
        told = f"The certificate of Ending {verb} on {certificate.ends_at:%Y-%m-%d}."
        assert get_health(connection).certificate_warning == told
    authorization.grant_flow = GrantFlow.CLIENT_CREDENTIALS
    save_record(record=authorization, actor=build_admin_actor())
    assert get_health(connection).certificate_warning == ""


def test_without_connections_there_is_nothing_to_tell() -> None:
    assert list_connection_health() == []
