"""Read what the transfer did with a record: in which CRM it is, and every attempt with what changed."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from django.utils.formats import date_format

from connections.models import Integration
from crm_sync.choices import AttemptOutcome, LinkState
from crm_sync.models import TransferAttempt, TransferLink
from ctms.accounts.policies import has_permission
from ctms.core.choices import RecordStatus
from ctms.records.fields.comparing.moments import to_zone
from ctms.records.pages.panels import RecordPanel, register_record_panel
from exceptions_log.models import ExceptionItem
from exceptions_log.selectors import list_unresolved_items

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


@dataclass(frozen=True, slots=True, kw_only=True)
class CrmState:
    """Where a record is in one CRM. `tone` is success, warning or empty; `url` leads to the CRM's own page."""

    crm: str
    sentence: str
    tone: str
    url: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordHistory:
    """The states of a record in the CRMs, and the latest attempts, newest first."""

    states: tuple[CrmState, ...]
    attempts: tuple[AttemptEntry, ...]
    has_older: bool


def register_history_panel() -> None:
    """Register the panel of record pages; called once, when the app is ready."""
    register_record_panel(RecordPanel(key="crm", title="CRM", template="records/record/crm_panel.html", build=_build))


def read_history(*, access: ObjectAccess, record: Any) -> RecordHistory | None:
    """Return what the transfer did with a record, in four statements; None, after one, for other objects."""
    integrations = list(
        Integration.objects.filter(rule__vault_object=record.object_name)
        .select_related("connection", "rule")
        .order_by("connection__name", "kind")
    )
    if not integrations:
        return None
    attempts = list(
        TransferAttempt.objects.filter(record_uid=record.uid)
        .select_related("integration__connection")
        .order_by("-id")[:_ATTEMPTS_READ]
    )
    chosen = [each for each in integrations if each.rule.vault_object_type in ("", getattr(record, "object_type", ""))]
    states = _list_states(access=access, record=record, integrations=chosen, attempts=attempts)
    if not states and not attempts:
        return None
    return RecordHistory(
        states=tuple(states),
        attempts=_tell_attempts(attempts)[:_ATTEMPTS_SHOWN],
        has_older=len(attempts) > _ATTEMPTS_SHOWN,
    )


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
            )
        )
        known[integration.pk] = before | attempt.values
    return tuple(reversed(entries))


def _list_states(
    *, access: ObjectAccess, record: Any, integrations: list[Integration], attempts: list[TransferAttempt]
) -> list[CrmState]:
    """Return where the record is, for each integration that transfers records of its kind; two statements."""
    links = TransferLink.objects.filter(integration__in=integrations, record_uid=record.uid)
    by_integration = {link.integration_id: link for link in links}
    failed = set(list_unresolved_items().filter(record_uid=record.uid).values_list("integration_id", flat=True))
    since = {each.integration_id: each.at for each in reversed(attempts) if each.outcome == AttemptOutcome.CREATED}
    may_read = has_permission(user=access.user, permission=f"{ExceptionItem.object_name}:read")
    reason = "The reason is at the top of this page." if may_read else "An admin of your Vault sees why."
    states = []
    for integration in integrations:
        link = by_integration.get(integration.pk)
        if link is None and (integration.is_inbound or not _is_at_work(integration)):
            continue
        sentence, tone = _describe(
            integration=integration,
            link=link,
            record=record,
            since=since.get(integration.pk),
            reason=reason if integration.pk in failed else "",
        )
        is_there = link is not None and bool(link.crm_id) and link.state != LinkState.DELETED_IN_CRM
        states.append(
            CrmState(
                crm=str(integration.connection),
                sentence=sentence,
                tone=tone,
                url=f"{integration.connection.url.rstrip('/')}/{link.crm_id}" if link is not None and is_there else "",
            )
        )
    return states


def _build(access: ObjectAccess, record: Any) -> RecordHistory | None:
    return read_history(access=access, record=record)


def _is_at_work(integration: Integration) -> bool:
    parts = (integration.status, integration.rule.status, integration.connection.status)
    return all(status == RecordStatus.ACTIVE for status in parts)


def _describe(
    *, integration: Integration, link: TransferLink | None, record: Any, since: datetime | None, reason: str
) -> tuple[str, str]:
    """Return where the record is, as a sentence, and its tone."""
    when = f" since {date_format(to_zone(since), 'DATETIME_FORMAT')}" if since else ""
    sentence, tone = f"There{when}.", "success"
    if reason:
        is_there = link is not None and bool(link.crm_id)
        what = (
            f"There{when}, but the last change was not transferred." if is_there else "Not there: the transfer failed."
        )
        sentence, tone = f"{what} {reason}", "warning"
    elif link is None:
        sentence, tone = "Not there. The next transfer sends it if the rule of the integration chooses it.", ""
    elif link.state == LinkState.DELETED_IN_CRM:
        sentence, tone = "Deleted there. The transfer does not create it again.", "warning"
    elif integration.is_inbound:
        sentence = f"Received from there{when}."
    elif link.pending or not link.crm_id:
        sentence, tone = "Waits for the next transfer.", "warning"
    elif link.version != record.version and _is_at_work(integration):
        sentence, tone = "There, as it was before the last change. The next transfer sends that.", "warning"
    return sentence, tone


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
