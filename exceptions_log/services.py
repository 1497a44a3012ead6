"""Writing user exceptions: one message for each run of an integration in which something failed."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from uuid import UUID

from django.db import transaction

from ctms.core.choices import RecordStatus
from ctms.core.clock import get_now
from exceptions_log.dismissals import is_same_state
from exceptions_log.models import ExceptionItem, ExceptionMessage
from exceptions_log.scopes import Scope, lock_scopes
from exceptions_log.selectors import list_dismissed_items

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from django.db.models import QuerySet

    from connections.models import Integration
    from ctms.jobs.models import JobDefinition, JobRun
    from exceptions_log.choices import ErrorType

_BATCH = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """One thing that failed. `key` is the same from run to run: the record's uid, the CRM id, or the integration.

    `record_version` and `dependency_version` tell in which state a record of the Vault failed.
    """

    key: str
    name: str
    error_type: ErrorType
    error_message: str
    item: str
    item_data: dict[str, Any] = field(default_factory=dict)
    record_object: str = ""
    record_uid: UUID | None = None
    crm_id: str = ""
    record_version: int | None = None
    dependency_version: int | None = None


class ExceptionRecorder:
    """Collects the failures of one run of one integration, and publishes them as its Active message at the end.

    Until then they are a draft that nobody sees; a run that dies leaves the previous message Active.
    """

    def __init__(
        self,
        *,
        integration: Integration | None = None,
        job: JobDefinition | None = None,
        run: JobRun,
        renew_lease: Callable[[], None],
    ) -> None:
        """For an integration, or for a job that has none.

        `renew_lease` is called in every transaction that writes, and raises if another run has taken over.
        """
        self._scope = Scope(integration=integration, job=job)
        self._run = run
        self._renew_lease = renew_lease
        self._buffer: list[Failure] = []
        self._draft: ExceptionMessage | None = None
        self.count = 0
        self._discard_drafts()
        self._previous = self._list_messages().filter(status=RecordStatus.ACTIVE).first()
        # Dismissals in force as the run begins, and those of them that it heeded.
        self._dismissed = set(self._list_dismissals().values_list("pk", flat=True))
        self._kept: set[int] = set()

    def add(self, failure: Failure) -> None:
        """Take a failure; written in batches."""
        self._buffer.append(failure)
        self.count += 1
        if len(self._buffer) >= _BATCH:
            self._flush()

    def keep_dismissed(self, items: Iterable[int]) -> None:
        """Take note of dismissed items (primary keys) whose records this run left alone: they stay dismissed."""
        self._kept.update(items)

    def publish(self, *, still_pending: Iterable[str] = (), is_complete: bool) -> ExceptionMessage | None:
        """Make this run's message the Active one, or leave none Active if nothing failed; in the caller's transaction.

        `still_pending` are keys of earlier items that this run did not come to: they are carried over as they are.
        A complete run has come to all records: dismissals that it did not heed have lapsed.
        """
        lock_scopes(
            integrations={getattr(self._scope.integration, "pk", None)}, jobs={getattr(self._scope.job, "pk", None)}
        )
        self._flush()
        pending = set(still_pending)
        if pending and self._previous is not None:
            self._carry_over([item for item in self._previous.items.filter(dismissed_at=None) if item.key in pending])
        for keys in _split(self._kept):
            # Taken back while the run was at work, which left them alone: they are still to be tried.
            self._carry_over(list(ExceptionItem.objects.filter(pk__in=keys, dismissed_at=None)))
        if is_complete:
            self._let_lapse()
        self._drop_dismissed()
        self._list_messages().filter(status=RecordStatus.ACTIVE).update(status=RecordStatus.INACTIVE)
        if self._draft is not None:
            self._draft.status = RecordStatus.ACTIVE
            self._draft.is_draft = False
            self._draft.save(update_fields=["status", "is_draft"])
        return self._draft

    def list_previous_keys(self) -> list[str]:
        """Keys of the items of the message that is Active until this run publishes its own."""
        if self._previous is None:
            return []
        return list(self._previous.items.filter(dismissed_at=None).values_list("key", flat=True))

    def find_dismissed(self, failures: Iterable[Failure]) -> dict[str, ExceptionItem]:
        """Key → the dismissal in force of a failure that is the same still: same record, same state, same fault."""
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
        return list_dismissed_items().filter(message__in=self._list_messages())

    def _flush(self) -> None:
        if not self._buffer:
            return
        failures, self._buffer = self._buffer, []
        now = get_now()
        with transaction.atomic():
            self._renew_lease()
            message = self._get_draft()
            earlier = self._find_earlier([failure.key for failure in failures])
            ExceptionItem.objects.bulk_create(
                [
                    ExceptionItem(
                        message=message,
                        key=failure.key,
                        name=failure.name[:255],
                        error_type=failure.error_type,
                        error_message=failure.error_message,
                        item=failure.item[:255],
                        item_data=failure.item_data,
                        record_object=failure.record_object,
                        record_uid=failure.record_uid,
                        crm_id=failure.crm_id,
                        record_version=failure.record_version,
                        dependency_version=failure.dependency_version,
                        attempts=earlier[failure.key].attempts + 1 if failure.key in earlier else 1,
                        first_failed_at=earlier[failure.key].first_failed_at if failure.key in earlier else now,
                        last_failed_at=now,
                    )
                    for failure in failures
                ],
                # The same record may fail twice in one run, when it is tried again with a fresh account.
                ignore_conflicts=True,
            )

    def _carry_over(self, items: list[ExceptionItem]) -> None:
        if not items:
            return
        message = self._get_draft()
        for item in items:
            item.pk, item.message = None, message
            item.uid = ExceptionItem._meta.get_field("uid").get_default()
        ExceptionItem.objects.bulk_create(items, batch_size=_BATCH, ignore_conflicts=True)

    def _let_lapse(self) -> None:
        for keys in _split(self._dismissed - self._kept):
            self._list_dismissals().filter(pk__in=keys).update(dismissal_lapsed_at=get_now())

    def _drop_dismissed(self) -> None:
        """What was dismissed while the run was at work, and failed in the same state once more."""
        if self._draft is None or self._previous is None:
            return
        for item in self._list_dismissals().filter(message=self._previous):
            again = self._draft.items.filter(key=item.key).first()
            if again is not None and is_same_state(item, again):
                again.delete()
        if not self._draft.items.exists():
            self._draft.delete()
            self._draft = None

    def _find_earlier(self, keys: list[str]) -> dict[str, ExceptionItem]:
        if self._previous is None:
            return {}
        # What comes back after a dismissal begins anew.
        return {item.key: item for item in self._previous.items.filter(key__in=keys, dismissed_at=None)}

    def _get_draft(self) -> ExceptionMessage:
        if self._draft is None:
            now = get_now()
            self._draft = ExceptionMessage.objects.create(
                name=f"{self._scope.title}, {now:%Y-%m-%d %H:%M} UTC",
                run=self._run,
                created_at=now,
                **self._scope.values,
            )
        return self._draft

    def _discard_drafts(self) -> None:
        """Drafts of runs that died: their failures were never published and are met again by this run."""
        with transaction.atomic():
            self._renew_lease()
            drafts = self._list_messages().filter(is_draft=True)
            ExceptionItem.objects.filter(message__in=drafts).delete()
            drafts.delete()


def _split(keys: Iterable[int]) -> Iterator[list[int]]:
    ordered = sorted(keys)
    for start in range(0, len(ordered), _BATCH):
        yield ordered[start : start + _BATCH]
