"""The failures of runs: one item for as long as a failure lasts, and nothing changed until a run ends."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import pytest
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext

from ctms.core.choices import RecordStatus
from exceptions_log.choices import ErrorType
from exceptions_log.dismissals import dismiss_items, undo_dismissals
from exceptions_log.models import ExceptionItem, ExceptionMessage, Failure
from exceptions_log.selectors import list_dismissed_items, list_open_items
from exceptions_log.services import ExceptionRecorder, resolve_outlived
from tests.admin_rows import create_exception_message, create_job_definition, create_job_run, get_integration
from tests.factories.base import build_admin_actor

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ctms.jobs.models import JobDefinition

pytestmark = [pytest.mark.django_db, pytest.mark.both_databases]


@pytest.fixture
def job() -> JobDefinition:
    return create_job_definition()


def build(key: str, **values: Any) -> Failure:
    given = {"name": f"Activity {key}", "error_type": ErrorType.MATCHING, "error_message": "No account.", "item": key}
    return Failure(key=key, **given | values)


def open_recorder(job: JobDefinition) -> ExceptionRecorder:
    return ExceptionRecorder(job=job, run=create_job_run(definition=job), renew_lease=lambda: None)


def run(job: JobDefinition, *keys: str, **values: Any) -> ExceptionMessage | None:
    """Let a complete run meet failures with these keys."""
    return end(open_recorder(job), [build(key, **values) for key in keys])


def end(recorder: ExceptionRecorder, failures: Iterable[Failure] = (), **given: Any) -> ExceptionMessage | None:
    for failure in failures:
        recorder.add(failure)
    with transaction.atomic():
        return recorder.publish(**{"is_complete": True} | given)


def read(*names: str) -> list[tuple[Any, ...]]:
    return list(ExceptionItem.objects.order_by("pk").values_list(*names))


def test_a_failure_that_lasts_is_one_item_that_goes_from_message_to_message(job: JobDefinition) -> None:
    first = run(job, "A", "B")
    addresses = read("pk", "uid", "first_failed_at")

    second = run(job, "A", "B", error_message="Two accounts.", item_data={"Id": "001"}, record_version=7)

    assert read("pk", "uid", "first_failed_at") == addresses
    assert (
        read("message", "attempts", "error_message", "item_data", "record_version")
        == [(second.pk if second else None, 2, "Two accounts.", {"Id": "001"}, 7)] * 2
    )
    statuses = ExceptionMessage.objects.order_by("pk").values_list("pk", "status", "failed_count")
    assert list(statuses) == [
        (first.pk if first else None, RecordStatus.INACTIVE, 2),
        (second.pk if second else None, RecordStatus.ACTIVE, 2),
    ]


def test_what_fails_no_more_is_resolved_in_the_message_of_its_last_failure(job: JobDefinition) -> None:
    first = run(job, "A", "B")
    run(job, "B", "C")
    resolved = ExceptionItem.objects.get(key="A")
    assert (resolved.message, resolved.is_open, resolved.resolved_by) == (
        first,
        False,
        ExceptionMessage.objects.get(status=RecordStatus.ACTIVE).run,
    )
    assert {item.key for item in list_open_items()} == {"B", "C"}

    assert run(job) is None
    assert (list_open_items().count(), ExceptionMessage.objects.filter(status=RecordStatus.ACTIVE).count()) == (0, 0)

    run(job, "A")
    again = list_open_items().get()
    assert (again.key, again.attempts, again.pk != resolved.pk) == ("A", 1, True)


def test_a_run_that_dies_leaves_message_and_items_as_they_were(job: JobDefinition) -> None:
    run(job, "A", "B")
    names = ("pk", "message", "attempts", "error_message", "last_failed_at", "resolved_at")
    before = read(*names)
    dead = open_recorder(job)
    for number in range(201):
        dead.add(build(f"X{number}"))
    assert Failure.objects.count() == 200
    assert read(*names) == before
    assert ExceptionMessage.objects.count() == 1

    run(job, "A")

    assert Failure.objects.count() == 0
    assert [(item.key, item.attempts) for item in list_open_items()] == [("A", 2)]


def test_a_record_that_fails_twice_in_one_run_fails_once(job: JobDefinition) -> None:
    run(job, "A")
    run(job, "A", "A")
    assert read("key", "attempts") == [("A", 2)]


def test_what_a_run_did_not_reach_goes_on_unchanged(job: JobDefinition) -> None:
    run(job, "A", "B", "C")
    recorder = open_recorder(job)
    message = end(recorder, [build("A")], is_complete=False, still_pending=recorder.list_open().filter(key="B"))
    open_items = list_open_items().values_list("key", "attempts", "message")
    assert set(open_items) == {("A", 2, message.pk if message else None), ("B", 1, message.pk if message else None)}
    assert ExceptionItem.objects.get(key="C").resolved_at is not None


@pytest.mark.parametrize("is_complete", [False, True])
def test_a_dismissed_record_that_changed_fails_anew_and_its_dismissal_lapses(
    job: JobDefinition, is_complete: bool
) -> None:
    run(job, "A", record_version=1)
    dismissed = list_open_items().get()
    dismiss_items(keys=[dismissed.pk], reason="Known", actor=build_admin_actor())

    end(open_recorder(job), [build("A", record_version=2)], is_complete=is_complete)

    fresh = list_open_items().get()
    assert (fresh.attempts, fresh.pk != dismissed.pk, list_dismissed_items().count()) == (1, True, 0)


@pytest.mark.parametrize(("version", "is_dismissed"), [(1, True), (2, False)])
def test_what_is_dismissed_during_a_run_stays_dismissed_if_it_failed_in_the_same_state(
    job: JobDefinition, version: int, is_dismissed: bool
) -> None:
    run(job, "A", record_version=1, record_uid="6f3f35c0-6b9b-4d55-9c9f-0a2f8a3f6a11")
    recorder = open_recorder(job)
    dismiss_items(keys=[list_open_items().get().pk], reason="Known", actor=build_admin_actor())

    failure = build("A", record_version=version, record_uid="6f3f35c0-6b9b-4d55-9c9f-0a2f8a3f6a11")
    message = end(recorder, [failure])

    assert (list_dismissed_items().count(), list_open_items().count()) == ((1, 0) if is_dismissed else (0, 1))
    assert (message is None) is is_dismissed


def test_a_dismissal_that_is_undone_while_a_run_leaves_the_record_alone_goes_on(job: JobDefinition) -> None:
    run(job, "A")
    item = list_open_items().get()
    dismiss_items(keys=[item.pk], reason="Known", actor=build_admin_actor())
    recorder = open_recorder(job)
    recorder.keep_dismissed([item.pk])
    undo_dismissals(keys=[item.pk], actor=build_admin_actor())

    message = end(recorder)

    item.refresh_from_db()
    assert (item.is_open, item.message, item.attempts) == (True, message, 1)


def test_failures_of_another_integration_are_left_alone(job: JobDefinition) -> None:
    other = create_job_definition()
    run(job, "A")
    run(other, "A", "B")
    run(other)
    assert [(item.job, item.key) for item in list_open_items()] == [(job, "A")]


def test_a_failed_connection_is_resolved_when_its_integration_is_not_at_work_any_more(job: JobDefinition) -> None:
    message = create_exception_message()
    integration = get_integration(message)
    record = message.items.get()
    whole = ExceptionItem.objects.create(
        message=message,
        integration=integration,
        key="integration:x",
        name="NA",
        error_type=ErrorType.CONNECTIVITY,
        error_message="x",
        item="NA",
        first_failed_at=message.created_at,
        last_failed_at=message.created_at,
    )
    run_of_now = create_job_run(definition=job)
    resolve_outlived(connection=integration.connection, at_work=[integration], run=run_of_now)
    assert set(list_open_items()) == {record, whole}

    resolve_outlived(connection=integration.connection, at_work=[], run=run_of_now)
    assert set(list_open_items()) == {record}
    record.refresh_from_db()
    assert record.message.status == RecordStatus.ACTIVE


def test_three_runs_of_three_thousand_failures_are_three_thousand_rows(job: JobDefinition) -> None:
    keys = [f"R{number:04}" for number in range(3000)]
    run(job, *keys)
    addresses = read("pk", "uid")
    run(job, *keys)
    run(job, *keys)
    assert read("pk", "uid") == addresses
    assert len(addresses) == 3000
    assert set(read("attempts", "resolved_at")) == {(3, None)}
    assert Failure.objects.count() == 0


def test_statements_grow_with_batches_and_never_with_failures(job: JobDefinition) -> None:
    def count(failures: int) -> int:
        keys = [f"R{number}" for number in range(failures)]
        run(job, *keys)
        with CaptureQueriesContext(connection) as queries:
            run(job, *keys)
        return len(queries)

    assert count(200) == count(1)
    for_two_batches, for_five_batches = count(400), count(1000)
    # A batch of failures is one statement in a transaction (savepoint) of its own.
    assert for_five_batches - for_two_batches == 3 * (for_two_batches - count(200))
    assert for_five_batches - for_two_batches <= 3 * 3


@pytest.mark.postgresql
def test_no_statement_compares_every_failure_with_every_item(job: JobDefinition) -> None:
    keys = [f"R{number}" for number in range(400)]
    run(job, *keys)
    with CaptureQueriesContext(connection) as queries:
        run(job, *keys)
    written = [each["sql"] for each in queries if each["sql"].startswith(("UPDATE exceptions_log", "INSERT INTO exc"))]
    assert len(written) == 2
    for statement in written:
        with connection.cursor() as cursor:
            cursor.execute("SET LOCAL enable_seqscan = off")  # whatever is known by chance of how large the table is
            cursor.execute(f"EXPLAIN {statement}")
            plan = "\n".join(line for (line,) in cursor.fetchall())
        assert "Join" not in plan
        assert "Nested Loop" not in plan
        assert statement.startswith("INSERT") or len(re.findall(r"Index Cond: .*lasting\.key", plan)) == 2
