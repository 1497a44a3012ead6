"""Write user exceptions: one message for each run of an integration or job in which something failed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.db import connection, transaction
from django.db.models import QuerySet

from ctms.core.choices import RecordStatus
from ctms.core.clock import get_now
from exceptions_log.causes import strip_values
from exceptions_log.dismissals import close_settled_messages, is_same_state
from exceptions_log.models import INTEGRATION_KEY, OPEN, ExceptionItem, ExceptionMessage, Failure, FailureFields
from exceptions_log.scopes import Scope
from exceptions_log.selectors import list_dismissed_items, list_open_items

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from connections.models import Connection, Integration
    from ctms.jobs.models import JobDefinition, JobRun

_BATCH = 200
_LONGEST = 255  # characters of the names of an item and its problem
_ITEMS, _FAILURES = ExceptionItem._meta.db_table, Failure._meta.db_table
_SCOPE_COLUMNS = ("integration_id", "job_id")
# What a failure that lasts takes over from its last run.
_TAKEN_OVER = [
    str(field.column)
    for field in FailureFields._meta.local_fields
    if field.column not in {"uid", "key", *_SCOPE_COLUMNS}
]


class ExceptionRecorder:
    """Collects the failures of one run of an integration or job; when it ends, they are its Active message.

    A failure that lasts is one item, which goes on to the message of each run. Until the run ends, its failures are
    kept apart: if it dies, the previous message stays Active, with its items as they were.
    """

    def __init__(
        self,
        *,
        integration: Integration | None = None,
        job: JobDefinition | None = None,
        run: JobRun,
        renew_lease: Callable[[], None],
    ) -> None:
        """Record for `integration`, or for a `job` that has no integrations.

        `renew_lease` is called in every transaction that writes, and raises if another run has taken over.
        """
        self._scope = Scope(integration=integration, job=job)
        self._run = run
        self._renew_lease = renew_lease
        self._buffer: list[Failure] = []
        self.count = 0
        self._forget_dead_run()
        # Items whose dismissal is in force when the run begins, and those whose records the run left alone.
        self._dismissed = set(self._list_dismissals().values_list("pk", flat=True))
        self._kept: set[int] = set()

    def add(self, failure: Failure) -> None:
        """Add a failure; failures are written in batches."""
        failure.integration, failure.job = self._scope.integration, self._scope.job
        failure.last_failed_at = get_now()
        failure.cause = failure.cause or strip_values(failure.error_message)
        for name in ("name", "item", "cause"):
            setattr(failure, name, getattr(failure, name)[:_LONGEST])
        self._buffer.append(failure)
        self.count += 1
        if len(self._buffer) >= _BATCH:
            self._flush()

    def keep_dismissed(self, items: Iterable[int]) -> None:
        """Keep the dismissals of items (primary keys) whose records this run left alone."""
        self._kept.update(items)

    def publish(
        self, *, still_pending: QuerySet[ExceptionItem] | None = None, is_complete: bool
    ) -> ExceptionMessage | None:
        """Make this run's message Active in the caller's transaction, or none if nothing fails; return it.

        `still_pending` are open items that this run did not reach; they go on unchanged. A complete run reached all
        records, so dismissals that were not kept lapse. Every other item that did not fail again is resolved.
        """
        self._scope.lock()
        self._flush()
        failures = self._list_failures()
        anything_failed = failures.exists()
        self._settle_dismissals(is_complete=is_complete, anything_failed=anything_failed)
        reached_not = self.list_open().none() if still_pending is None else still_pending
        # Dismissals undone during this run, which skipped their records: the next run has to retry those.
        undone = [self.list_open().filter(pk__in=keys) for keys in _split(self._kept)]
        self._list_messages().filter(status=RecordStatus.ACTIVE).update(status=RecordStatus.INACTIVE)
        message: ExceptionMessage | None = None
        if (anything_failed and failures.exists()) or any(each.exists() for each in (reached_not, *undone)):
            message = self._create_message()
            _carry_on(message=message, scope=self._scope)
            for each in (reached_not, *undone):
                each.exclude(message=message).update(message=message)
            _begin(message=message, scope=self._scope)
            failures.delete()
            message.failed_count = message.items.filter(OPEN).count()
            message.save(update_fields=["failed_count"])
        _resolve(self.list_open().exclude(message=message) if message else self.list_open(), run=self._run)
        return message

    def go_on(self, *, still_pending: QuerySet[ExceptionItem]) -> None:
        """Leave the Active message as it is, but for open items that are not `still_pending`: they are resolved.

        For runs in which nothing failed and that did not try everything, of which there may be one every second.
        """
        self._scope.lock()
        settled = self.list_open().exclude(pk__in=still_pending.values("pk"))
        messages = set(settled.values_list("message", flat=True))
        if messages:
            _resolve(settled, run=self._run)
            close_settled_messages(messages)

    def list_open(self) -> QuerySet[ExceptionItem]:
        """Return the open items of this integration or job."""
        return list_open_items().filter(**self._scope.fields)

    def find_dismissed(self, failures: Iterable[Failure]) -> dict[str, ExceptionItem]:
        """Return by key the dismissed items with the same record, version and error message as these failures."""
        wanted = {failure.key: failure for failure in failures}
        found = {item.key: item for item in self._list_dismissals().filter(key__in=wanted)}
        return {
            key: item
            for key, item in found.items()
            if (item.record_version, item.error_message) == (wanted[key].record_version, wanted[key].error_message)
        }

    def _list_messages(self) -> QuerySet[ExceptionMessage]:
        return ExceptionMessage.objects.filter(**self._scope.fields)

    def _list_dismissals(self) -> QuerySet[ExceptionItem]:
        return list_dismissed_items().filter(**self._scope.fields)

    def _list_failures(self) -> QuerySet[Failure]:
        return Failure.objects.filter(**self._scope.fields)

    def _flush(self) -> None:
        if not self._buffer:
            return
        failures, self._buffer = self._buffer, []
        with transaction.atomic():
            self._renew_lease()
            # The same record may fail twice in one run, when it is tried again with a fresh account.
            Failure.objects.bulk_create(failures, ignore_conflicts=True)

    def _settle_dismissals(self, *, is_complete: bool, anything_failed: bool) -> None:
        """Let dismissals lapse whose records changed, and forget failures in the state that was dismissed."""
        failures = self._list_failures()
        for keys in _split(self._dismissed - self._kept):
            lapsed = self._list_dismissals().filter(pk__in=keys)
            _resolve(lapsed if is_complete else lapsed.filter(key__in=failures.values("key")), run=self._run)
        if not anything_failed:
            return
        # Those that are left were dismissed while this run was at work.
        for dismissed in self._list_dismissals().filter(key__in=failures.values("key")):
            failed = failures.get(key=dismissed.key)
            if is_same_state(dismissed, failed):
                failed.delete()
            else:
                _resolve(ExceptionItem.objects.filter(pk=dismissed.pk), run=self._run)

    def _create_message(self) -> ExceptionMessage:
        now = get_now()
        return ExceptionMessage.objects.create(
            name=f"{self._scope.title}, {now:%Y-%m-%d %H:%M} UTC",
            run=self._run,
            status=RecordStatus.ACTIVE,
            created_at=now,
            **self._scope.values,
        )

    def _forget_dead_run(self) -> None:
        """Delete the failures of a run that died; this run meets them again."""
        with transaction.atomic():
            self._renew_lease()
            self._list_failures().delete()


def resolve_outlived(*, connection: Connection, at_work: Iterable[Integration], run: JobRun) -> None:
    """Resolve failures of the whole connection that are filed under an integration which is Inactive now."""
    outlived = list_open_items().filter(message__connection=connection, key__startswith=INTEGRATION_KEY)
    messages = set(outlived.exclude(integration__in=at_work).values_list("message", flat=True))
    _resolve(outlived.exclude(integration__in=at_work), run=run)
    close_settled_messages(messages)


# -- In a few statements, whatever the number of items --------------------------------------------
# None of them joins the two tables: PostgreSQL, which has no statistics of the rows of a run that just ended, would
# compare every failure with every item. It looks up each item by the index of scope and key instead.
def _carry_on(*, message: ExceptionMessage, scope: Scope) -> None:
    """Move open items that failed again to the message, with what is known of their last failure."""
    columns = ", ".join([*_TAKEN_OVER, "attempts", "message_id"])
    taken_over = ", ".join(f"failed.{column}" for column in _TAKEN_OVER)
    found = f"FROM {_FAILURES} AS failed WHERE failed.{scope.column} = %s AND failed.key = lasting.key"
    _execute(
        f"UPDATE {_ITEMS} AS lasting SET ({columns}) = "  # noqa: S608  names of our own
        f"(SELECT {taken_over}, lasting.attempts + 1, {message.pk} {found}) "
        f"WHERE lasting.{scope.column} = %s AND lasting.resolved_at IS NULL AND lasting.dismissed_at IS NULL "
        f"AND (SELECT COUNT(*) {found}) = 1",
        [scope.pk] * 3,
    )


def _begin(*, message: ExceptionMessage, scope: Scope) -> None:
    """Make items of the message of the failures that have none yet; the others conflict with their item."""
    columns = ["uid", "key", *_SCOPE_COLUMNS, *_TAKEN_OVER]
    _execute(
        f"INSERT INTO {_ITEMS} ({', '.join(columns)}, first_failed_at, attempts, dismissal_reason, message_id) "  # noqa: S608  names of our own
        f"SELECT {', '.join(f'failed.{column}' for column in columns)}, failed.last_failed_at, 1, '', %s "
        f"FROM {_FAILURES} AS failed WHERE failed.{scope.column} = %s ORDER BY failed.id ON CONFLICT DO NOTHING",
        [message.pk, scope.pk],
    )


def _execute(statement: str, parameters: list[int]) -> None:
    with connection.cursor() as cursor:
        cursor.execute(statement, parameters)


def _resolve(items: QuerySet[ExceptionItem], *, run: JobRun) -> None:
    items.update(resolved_at=get_now(), resolved_by=run)


def _split(keys: Iterable[int]) -> Iterator[list[int]]:
    ordered = sorted(keys)
    for start in range(0, len(ordered), _BATCH):
        yield ordered[start : start + _BATCH]
