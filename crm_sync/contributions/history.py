"""Read what the transfer did with a record: every attempt with what it changed."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from typing import TYPE_CHECKING, Any

from crm_sync.choices import AttemptOutcome
from crm_sync.models import TransferAttempt
from ctms.accounts.policies import has_permission
from ctms.jobs.models import JobRun
from ctms.records.pages.panels import RecordPanel, register_record_panel

if TYPE_CHECKING:
    from ctms.records.access import ObjectAccess

_ATTEMPTS_SHOWN = 15
# The one before the oldest shown tells what that one changed.
_ATTEMPTS_READ = 200

_SENTENCES = {
    (False, AttemptOutcome.CREATED): "Created in {crm}",
    (False, AttemptOutcome.UPDATED): "Updated in {crm}",
    (False, AttemptOutcome.DELETED): "Shown as deleted in {crm}",
    (False, AttemptOutcome.REFUSED): "Refused by {crm}",
    (True, AttemptOutcome.CREATED): "Received from {crm}",
    (True, AttemptOutcome.UPDATED): "Changed from {crm}",
    (True, AttemptOutcome.DELETED): "Made Inactive: deleted in {crm}",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class FieldChange:
    """A field as the CRM calls it, with the value sent or received before and this time."""

    name: str
    before: Any
    after: Any


@dataclass(frozen=True, slots=True, kw_only=True)
class AttemptEntry:
    """One attempt in a sentence, with the fields that it changed."""

    at: datetime
    sentence: str
    is_refusal: bool
    error_code: str
    changes: tuple[FieldChange, ...]
    run_id: int


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordHistory:
    """The latest attempts, newest first."""

    attempts: tuple[AttemptEntry, ...]
    has_older: bool
    links_to_runs: bool = False


def register_history_panel() -> None:
    """Register the panel of record pages; called once, when the app is ready."""
    register_record_panel(
        RecordPanel(key="crm", title="CRM transfers", template="records/record/crm_panel.html", build=_build)
    )


def read_history(record: Any) -> RecordHistory | None:
    """Return what the transfer did with a record, in one statement; None if it never did anything."""
    attempts = list(
        TransferAttempt.objects.filter(record_uid=record.uid)
        .select_related("integration__connection")
        .order_by("-id")[:_ATTEMPTS_READ]
    )
    if not attempts:
        return None
    return RecordHistory(attempts=_tell_attempts(attempts)[:_ATTEMPTS_SHOWN], has_older=len(attempts) > _ATTEMPTS_SHOWN)


def _tell_attempts(attempts: list[TransferAttempt]) -> tuple[AttemptEntry, ...]:
    entries: list[AttemptEntry] = []
    known: dict[int, dict[str, Any]] = {}
    for attempt in reversed(attempts):
        integration = attempt.integration
        is_refusal = attempt.outcome == AttemptOutcome.REFUSED
        before = known.setdefault(integration.pk, {})
        sentence = _SENTENCES[integration.is_inbound, AttemptOutcome(attempt.outcome)]
        entries.append(
            AttemptEntry(
                at=attempt.at,
                sentence=sentence.format(crm=integration.connection),
                is_refusal=is_refusal,
                error_code=attempt.error_code,
                changes=() if is_refusal else _list_changes(before=before, after=attempt.values),
                run_id=attempt.run_id,
            )
        )
        known[integration.pk] = before | attempt.values
    return tuple(reversed(entries))


def _build(access: ObjectAccess, record: Any) -> RecordHistory | None:
    history = read_history(record)
    if history is None:
        return None
    user = access.user
    links = user.is_staff and has_permission(user=user, permission=JobRun.object_name)
    return replace(history, links_to_runs=links)


def _list_changes(*, before: dict[str, Any], after: dict[str, Any]) -> tuple[FieldChange, ...]:
    return tuple(
        FieldChange(name=name, before=_show(before.get(name)), after=_show(value))
        for name, value in after.items()
        if before.get(name) != value
    )


def _show(value: Any) -> str:
    """Return a value as people read it; a reference by external id shows that id."""
    if isinstance(value, dict):
        return ", ".join(_show(each) for each in value.values())
    if isinstance(value, bool):
        return "Yes" if value else "No"
    return "" if value is None else str(value)
