"""Decide what follows from calls: a Medical Activity to create, to change or to make Inactive, or an exception item."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import structlog

from crm_sync.choices import LinkState
from crm_sync.crm.dialect import CrmRow
from crm_sync.engine.exception_items import build_call_failure
from crm_sync.engine.identity.account_matching import match_persons
from crm_sync.engine.inbound.rows import (
    ROW_ERRORS,
    describe_flaw,
    describe_missing_id,
    describe_missing_identifier,
    read_account,
    read_identifier,
    read_values,
)
from crm_sync.engine.inbound.writing import Change, note_attempts, write_changes
from crm_sync.engine.mapping import MappingProblem, map_call
from crm_sync.models import TransferLink
from ctms.core.choices import RecordStatus
from exceptions_log.choices import ErrorType

if TYPE_CHECKING:
    from collections.abc import Iterable

    from crm_sync.engine.dry_run import DryRun
    from crm_sync.engine.inbound.dismissals import DismissedCalls, FailedCalls
    from crm_sync.engine.run_session import IntegrationSession

log = structlog.get_logger(__name__)

_CHUNK = 1000


class CallApplier:
    """Applies calls in chunks: what they concern is read in a few statements, and written in one transaction."""

    def __init__(self, *, session: IntegrationSession, dismissed: DismissedCalls, failed: FailedCalls) -> None:
        self._session = session
        self._plan = session.plan
        self._connection = session.integration.connection
        self._counts = session.counts
        self._crm = session.run.crm
        self._model: Any = session.plan.vault_object.model
        self._dry_run = session.run.dry_run
        self._dismissed = dismissed
        self._failed = failed

    def apply(self, calls: Iterable[CrmRow]) -> None:
        """Apply calls as the CRM sent them. Of a call that comes twice, the later state is applied."""
        latest: dict[str, CrmRow] = {}
        for call in calls:
            crm_id = call.crm_id
            if not crm_id:
                self._fail(call=call, problems=[describe_missing_id(call)])
            elif crm_id not in latest or _is_later(call, latest[crm_id]):
                latest[crm_id] = call
        fresh = list(latest.values())
        for start in range(0, len(fresh), _CHUNK):
            self._apply_chunk(fresh[start : start + _CHUNK])

    def apply_gone(self, crm_ids: Iterable[str]) -> None:
        """Apply the deletion of calls that the CRM does not have any more."""
        self.apply(CrmRow(crm_id=crm_id, is_deleted=True) for crm_id in crm_ids)

    def _apply_chunk(self, calls: list[CrmRow]) -> None:
        if self._dry_run:
            calls = self._leave_received(calls, received=self._dry_run.received)
        links = {
            link.crm_id: link
            for link in TransferLink.objects.filter(
                integration=self._session.integration, crm_id__in=[call.crm_id for call in calls]
            )
        }
        if self._dry_run:
            self._mark_pending(links.values(), marked=self._dry_run.pending[self._session.integration.pk])
        uids = [link.record_uid for link in links.values() if link.record_uid is not None]
        records = {record.uid: record for record in self._model._base_manager.filter(uid__in=uids)}
        persons = self._match_persons(calls)
        changes: list[Change] = []
        for call in calls:
            link = links.get(call.crm_id)
            record = records.get(link.record_uid) if link is not None and link.record_uid is not None else None
            change = self._decide(call=call, link=link, record=record, persons=persons)
            if change is None:
                self._count("unchanged")
            else:
                changes.append(change)
        self._session.show_progress()
        if self._dry_run:
            self._foresee(changes, dry_run=self._dry_run)
        else:
            write_changes(session=self._session, changes=changes)
        for change in changes:
            if change.problems:
                self._fail(call=change.call, problems=change.problems)
            else:
                self._count(change.outcome)

    def _leave_received(self, calls: list[CrmRow], *, received: set[int]) -> list[CrmRow]:
        """Count those calls as unchanged that this dry run would have written already; return the others."""
        fresh = [call for call in calls if hash(call.crm_id) not in received]
        self._counts.selected += len(calls) - len(fresh)
        self._counts.unchanged += len(calls) - len(fresh)
        return fresh

    def _mark_pending(self, links: Iterable[TransferLink], *, marked: set[int]) -> None:
        """Give links the marks that a dry run would have written."""
        for link in links:
            link.pending = link.pending or link.pk in marked

    def _foresee(self, changes: list[Change], *, dry_run: DryRun) -> None:
        """Keep in mind what a dry run would write, and tell of it."""
        dry_run.received.update(hash(change.link.crm_id) for change in changes)
        dry_run.gone.update(change.link.crm_id for change in changes if change.link.state != LinkState.LIVE)
        note_attempts(session=self._session, changes=changes)

    def _decide(
        self,
        *,
        call: CrmRow,
        link: TransferLink | None,
        record: Any,
        persons: dict[str, int | MappingProblem],
    ) -> Change | None:
        """Return what is to be written for a call; None if nothing is."""
        if link is not None and record is None and link.record_uid is not None:
            return self._leave_deleted(call=call, link=link)
        if self._dismissed.is_same(call) or self._failed.is_same(call):
            return None
        if call.is_deleted:
            return self._decide_deletion(call=call, link=link, record=record)
        try:
            return self._decide_values(call=call, link=link, record=record, persons=persons)
        except ROW_ERRORS as error:
            log.warning("call_not_understood", crm_id=call.crm_id, error=type(error).__name__)
            return self._refuse(call=call, link=link, problems=[_describe_unexpected(error)])

    def _leave_deleted(self, *, call: CrmRow, link: TransferLink) -> Change | None:
        """Note that the record was deleted in the Vault: it is not created again, even if the call changes."""
        self._dismissed.forget(link.crm_id)
        if link.state == LinkState.DELETED_IN_VAULT and not link.pending:
            return None
        link.state, link.pending = LinkState.DELETED_IN_VAULT, False
        return Change(call=call, link=link, is_new_link=False)

    def _is_marked(self, call: CrmRow) -> bool:
        return not self._plan.crm_filter_field or bool(call.get(self._plan.crm_filter_field))

    def _decide_deletion(self, *, call: CrmRow, link: TransferLink | None, record: Any) -> Change | None:
        if link is None or (link.state == LinkState.DELETED_IN_CRM and not link.pending):
            return None
        link.state, link.pending, link.digest = LinkState.DELETED_IN_CRM, False, ""
        link.crm_modstamp = call.changed_at or link.crm_modstamp
        if record is None or record.status == RecordStatus.INACTIVE:
            return Change(call=call, link=link, is_new_link=False)
        before, record.status = {"status": record.status}, RecordStatus.INACTIVE
        return Change(
            call=call,
            link=link,
            is_new_link=False,
            outcome="deleted",
            record=record,
            values={"status": record.status},
            before=before,
        )

    def _decide_values(
        self,
        *,
        call: CrmRow,
        link: TransferLink | None,
        record: Any,
        persons: dict[str, int | MappingProblem],
    ) -> Change | None:
        if link is not None and link.record_uid is None and not self._is_marked(call):
            # The call failed before and is not marked any more; if it is marked again, its stamp changes.
            link.pending = False
            return Change(call=call, link=link, is_new_link=False)
        if call.flaw:
            return self._refuse(call=call, link=link, problems=[describe_flaw(call)])
        identifier = read_identifier(plan=self._plan, call=call, crm=self._crm)
        person = (
            persons[identifier]
            if identifier
            else describe_missing_identifier(plan=self._plan, call=call, crm=self._crm)
        )
        mapped = map_call(plan=self._plan, call=call, person=person, crm=self._crm)
        values = read_values(plan=self._plan, mapped=mapped)
        digest = mapped.compute_digest()
        if mapped.problems:
            return self._refuse(call=call, link=link, problems=mapped.problems)
        account = read_account(plan=self._plan, call=call)
        if (
            link is not None
            and (link.digest, link.account_id, link.state) == (digest, account, LinkState.LIVE)
            and not link.pending
        ):
            return None
        return self._put(call=call, link=link, record=record, values=values, digest=digest)

    def _put(
        self, *, call: CrmRow, link: TransferLink | None, record: Any, values: dict[str, Any], digest: str
    ) -> Change:
        outcome, before = "updated", None
        if record is None:
            outcome = "created"
            record = self._model(
                object_type=self._plan.object_type, connection=self._connection, crm_id=call.crm_id, **values
            )
        elif record.status == RecordStatus.ACTIVE and all(getattr(record, name) == values[name] for name in values):
            outcome = "unchanged"
        else:
            before = {name: getattr(record, name) for name in ("status", *values)}
            record.status = RecordStatus.ACTIVE
            for attribute, value in values.items():
                setattr(record, attribute, value)
        target = link or self._build_link(call)
        target.record_uid, target.digest = record.uid, digest
        target.account_id = read_account(plan=self._plan, call=call)
        target.crm_modstamp, target.state, target.pending = call.changed_at, LinkState.LIVE, False
        written = None if outcome == "unchanged" else record
        shown = {name: value for name, value in values.items() if not name.endswith("_id")}
        shown["person"] = read_identifier(plan=self._plan, call=call, crm=self._crm)
        return Change(
            call=call,
            link=target,
            is_new_link=link is None,
            outcome=outcome,
            record=written,
            values=shown,
            before=before,
        )

    def _refuse(self, *, call: CrmRow, link: TransferLink | None, problems: list[MappingProblem]) -> Change:
        """Keep the call pending, so that every run reads it again, whatever its stamp."""
        target = link or self._build_link(call)
        target.pending = True
        return Change(call=call, link=target, is_new_link=link is None, problems=problems)

    def _build_link(self, call: CrmRow) -> TransferLink:
        return TransferLink(integration=self._session.integration, crm_id=call.crm_id)

    def _match_persons(self, calls: list[CrmRow]) -> dict[str, int | MappingProblem]:
        if self._plan.identifiers is None:
            return {}
        values = {value for call in calls if (value := read_identifier(plan=self._plan, call=call, crm=self._crm))}
        return match_persons(identifiers=self._plan.identifiers, values=values, crm_name=self._connection.name)

    def _fail(self, *, call: CrmRow, problems: list[MappingProblem]) -> None:
        self._session.fail(build_call_failure(crm_object=self._plan.crm_object, call=call, problems=problems))

    def _count(self, outcome: str) -> None:
        self._counts.selected += 1
        self._counts.received += outcome != "unchanged"
        setattr(self._counts, outcome, getattr(self._counts, outcome) + 1)


def _is_later(call: CrmRow, other: CrmRow) -> bool:
    stamp, known = call.changed_at, other.changed_at
    return stamp is not None and (known is None or stamp >= known)


def _describe_unexpected(error: Exception) -> MappingProblem:
    return MappingProblem(
        error_type=ErrorType.MAPPING,
        message=f"The call has a value of a form that the field rules cannot read ({type(error).__name__}). Compare "
        "the rules of the integration with the item data below; if they are right, show this to IT operations.",
    )
