"""Say what a transfer does with one record, or why it does nothing with it, in words with the remedy."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from django.db.models import TextChoices

from connections.filters import RuleFilter
from crm_sync.choices import AttemptOutcome, LinkState, PreviewOutcome
from crm_sync.models import PreviewRow, TransferAttempt, TransferLink
from crm_sync.preview.rows import RowMaker
from ctms.core.choices import RecordStatus
from ctms.core.clock import format_time
from ctms.records.conditions.tree import Group
from ctms.records.conditions.words import describe_group
from exceptions_log.choices import ErrorType
from exceptions_log.selectors import list_dismissals

if TYPE_CHECKING:
    from uuid import UUID

    from crm_sync.crm.dialect import CrmDialect
    from crm_sync.engine.rules.compiled import CompiledIntegration
    from exceptions_log.models import Failure


class OneRecordOutcome(TextChoices):
    """What a transfer does with a record; the labels are of one that did."""

    CREATE = "create", "Created"
    UPDATE = "update", "Updated"
    DELETE = "delete", "Shown as deleted"
    UNCHANGED = "unchanged", "Unchanged"
    LEFT_OUT = "left_out", "Filtered out"
    DISMISSED = "dismissed", "Dismissed"
    WAIT = "wait", "Waits for its parent"
    UNMATCHED = "unmatched", "Unmatched person"
    FAIL = "fail", "Failed"
    GONE = "gone", "Deleted in the CRM"


_WOULD: Final = {
    OneRecordOutcome.CREATE: "Would be created",
    OneRecordOutcome.UPDATE: "Would be updated",
    OneRecordOutcome.DELETE: "Would be shown as deleted",
    OneRecordOutcome.FAIL: "Would fail",
}
MOVED: Final = frozenset({OneRecordOutcome.CREATE, OneRecordOutcome.UPDATE, OneRecordOutcome.DELETE})


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """What a transfer does, or did (`is_done`), with one record, and why.

    `fields` are `{field of the CRM: [value there now, value to send]}`, as far as they differ; only known before it is
    sent.
    """

    outcome: OneRecordOutcome
    sentence: str
    crm_id: str = ""
    is_done: bool = False
    fields: dict[str, list[Any]] = field(default_factory=dict)

    @property
    def label(self) -> str:
        """The outcome in words, such as `Would be created`."""
        return self.outcome.label if self.is_done else _WOULD.get(self.outcome, self.outcome.label)


class RecordWatcher(RowMaker):
    """The observer of a run that is limited to one record: keeps what it says of it."""

    def __init__(self, *, plan: CompiledIntegration, crm: CrmDialect) -> None:
        self.rows: list[PreviewRow] = []
        self.failure: Failure | None = None
        super().__init__(plan=plan, crm=crm, store=self.rows.extend)

    def note_failure(self, failure: Failure) -> None:
        """Keep the failure as well, whose type says whether it is the person who has no account."""
        self.failure = failure
        super().note_failure(failure)


def tell_outcome(*, watcher: RecordWatcher, plan: CompiledIntegration, uid: UUID, is_done: bool) -> Finding:
    """Return what became of the record, or would, from what the run said of it; why nothing if it said nothing."""
    watcher.flush()
    if not watcher.rows:
        return explain_nothing(plan=plan, uid=uid, is_done=is_done)
    row = watcher.rows[-1]
    crm = plan.integration.connection.name
    if row.outcome == PreviewOutcome.FAIL:
        failure = watcher.failure
        is_unmatched = failure is not None and failure.error_type == ErrorType.MATCHING
        outcome = OneRecordOutcome.UNMATCHED if is_unmatched else OneRecordOutcome.FAIL
        return Finding(outcome=outcome, sentence=row.reason, crm_id=row.crm_id, is_done=is_done)
    if row.outcome == PreviewOutcome.WAIT:
        sentence = f"{row.reason} Test or correct that record first."
        if is_done:
            sentence = f"{row.name} waits: its parent is not in {crm} yet. Send that one first."
        return Finding(outcome=OneRecordOutcome.WAIT, sentence=sentence, crm_id=row.crm_id, is_done=is_done)
    outcome = OneRecordOutcome(row.outcome)
    return Finding(
        outcome=outcome,
        sentence=_describe_move(outcome=outcome, row=row, crm=crm, is_done=is_done),
        crm_id=row.crm_id,
        is_done=is_done,
        fields={} if is_done else row.fields,
    )


def _describe_move(*, outcome: OneRecordOutcome, row: PreviewRow, crm: str, is_done: bool) -> str:
    named = f" {row.crm_id}" if row.crm_id else ""
    if is_done:
        done = {
            OneRecordOutcome.CREATE: f"{crm} created the record{named}.",
            OneRecordOutcome.UPDATE: f"{crm} took the values for its record{named}.",
            OneRecordOutcome.DELETE: f"{crm} shows with its record{named} that it was deleted in the Vault.",
        }
        return done[outcome]
    would = {
        OneRecordOutcome.CREATE: f"{crm} never had it, so it would be created there.",
        OneRecordOutcome.UPDATE: f"It differs from what was sent last, so the record{named} would be updated.",
        OneRecordOutcome.DELETE: f"It was deleted in the Vault, which the record{named} does not show yet.",
    }
    if outcome == OneRecordOutcome.UPDATE and not row.fields:
        return f"It would be sent again for the record{named}; no field differs there."
    return would[outcome]


# -- Why nothing is done ----------------------------------------------------------------------------
def explain_nothing(*, plan: CompiledIntegration, uid: UUID, is_done: bool = False, is_gone: bool = False) -> Finding:
    """Return why a transfer has nothing to do with a record; `is_gone` if the CRM just said that it deleted it."""
    model: Any = plan.vault_object.model
    record = model._base_manager.filter(uid=uid).first()
    link = TransferLink.objects.filter(integration=plan.integration, record_uid=uid).first()
    if is_gone or (link is not None and link.state == LinkState.DELETED_IN_CRM):
        outcome, sentence = _tell_gone(plan, record)
    elif record is not None and (reason := _find_filter(plan=plan, record=record, link=link)):
        outcome, sentence = OneRecordOutcome.LEFT_OUT, reason
    elif dismissal := _find_dismissal(plan=plan, uid=uid, record=record):
        outcome, sentence = OneRecordOutcome.DISMISSED, dismissal
    elif record is None:
        outcome, sentence = _tell_deleted(plan, link)
    else:
        outcome, sentence = OneRecordOutcome.UNCHANGED, _tell_unchanged(plan=plan, uid=uid, link=link)
    crm_id = link.crm_id if link is not None else ""
    return Finding(outcome=outcome, sentence=sentence, crm_id=crm_id, is_done=is_done)


def _tell_gone(plan: CompiledIntegration, record: Any) -> tuple[OneRecordOutcome, str]:
    crm = plan.integration.connection.name
    if record is None:
        return OneRecordOutcome.GONE, f"It was deleted in the Vault and in {crm}, so there is nothing to send."
    return (
        OneRecordOutcome.GONE,
        f"A user of {crm} deleted its record, so it is not created there again. Undelete it in {crm} to have it sent.",
    )


def _tell_deleted(plan: CompiledIntegration, link: TransferLink | None) -> tuple[OneRecordOutcome, str]:
    crm = plan.integration.connection.name
    if link is None or not link.crm_id:
        return OneRecordOutcome.UNCHANGED, f"It was deleted in the Vault, and {crm} never had it: nothing to send."
    return OneRecordOutcome.UNCHANGED, f"It was deleted in the Vault, and {crm} shows that already: nothing to send."


def _find_dismissal(*, plan: CompiledIntegration, uid: UUID, record: Any) -> str:
    """Return the dismissal because of which the transfer leaves the record alone; empty if there is none."""
    dismissals = list_dismissals(plan.integration).filter(record_uid=uid).select_related("dismissed_by")
    item = dismissals.first()
    if item is None or (record is not None and item.record_version not in (None, record.version)):
        return ""
    return (
        f"Its failure was dismissed by {item.dismissed_by} (“{item.dismissal_reason}”), so it is not tried until the "
        f"record changes or the dismissal is undone. The failure was: {item.error_message}"
    )


def _find_filter(*, plan: CompiledIntegration, record: Any, link: TransferLink | None) -> str:
    """Return what of the rule leaves the record out; empty if nothing does."""
    rule = plan.integration.rule
    if plan.object_type and record.object_type != plan.object_type:
        types = dict(record.known_types or {})
        own, wanted = (types.get(name, name) or "no type" for name in (record.object_type, plan.object_type))
        return f"The rule “{rule}” sends records of the type {wanted}; this one is of the type {own}."
    if plan.filter_attribute and not getattr(record, plan.filter_attribute):
        label = plan.vault_object.get_field(rule.vault_filter_field).label
        return f"The rule “{rule}” sends only records in which {label} is Yes; here it is No."
    if unmet := _list_unmet(plan=plan, record=record):
        return f"The filter of the rule “{rule}” leaves it out. It asks for {' and '.join(unmet)}."
    if record.status == RecordStatus.INACTIVE and (link is None or not link.crm_id):
        crm = plan.integration.connection.name
        return f"It is Inactive and {crm} never had it; such records are not sent. Make it Active to have it sent."
    return ""


def _list_unmet(*, plan: CompiledIntegration, record: Any) -> list[str]:
    """Return the conditions of the rule that the record does not fulfil, in words."""
    this = plan.vault_object.model._base_manager.filter(pk=record.pk)
    if plan.conditions.limit(this).exists():
        return []
    each_alone = [Group(members=(member,)) for member in plan.conditions.group.members]
    return [
        describe_group(group)
        for group in each_alone
        if not RuleFilter(group=group, asker=plan.conditions.asker).limit(this).exists()
    ]


def _tell_unchanged(*, plan: CompiledIntegration, uid: UUID, link: TransferLink | None) -> str:
    crm = plan.integration.connection.name
    attempts = TransferAttempt.objects.filter(integration=plan.integration, record_uid=uid)
    last = attempts.exclude(outcome=AttemptOutcome.REFUSED).first()
    since = f" since {format_time(last.at)}" if last is not None else ""
    named = f" as {link.crm_id}" if link is not None and link.crm_id else ""
    return f"{crm} has it{named} as it is now{since}: nothing to send."
