"""Send the records of one integration to the CRM, in batches of 200.

A record that the CRM has is updated by its CRM id, because an upsert would create it again if the CRM had deleted it.
Only a record that the CRM never had is upserted by external id, so that a repeated call does not create it twice.
"""

from __future__ import annotations

from array import array
from itertools import zip_longest
from typing import TYPE_CHECKING, Any, Final

from django.conf import settings

from connections.choices import DeletionMode
from crm_sync.choices import AttemptOutcome, LinkState
from crm_sync.engine.exception_items import is_stale_account
from crm_sync.engine.identity.account_matching import AccountDirectory
from crm_sync.engine.links import AnyLink, OutboundLink
from crm_sync.engine.mapping import Mapped, MappingProblem, map_record
from crm_sync.engine.outbound.adoption import adopt_unconfirmed
from crm_sync.engine.outbound.batches import (
    Batch,
    Item,
    describe_refusal,
    fail_item,
    note_refusal,
    write_links,
)
from crm_sync.engine.outbound.callback_sessions import hand_over_session
from crm_sync.engine.outbound.candidates import PendingRecords, choose_candidate, find_candidates
from crm_sync.engine.outbound.crm_deletions import (
    find_gone,
    mark_deleted_in_crm,
    may_refer_to_deleted,
    notice_deleted_parents,
    notice_restored,
    notice_undeleted,
)
from crm_sync.engine.outbound.deletions import send_deletions
from crm_sync.engine.outbound.dismissals import leave_dismissed
from crm_sync.engine.outbound.foresight import (
    add_marked,
    adjust_records,
    adjust_selection,
    find_marked,
    prepare_call,
)
from crm_sync.engine.outbound.parents import judge_parents
from crm_sync.engine.outbound.records import OutboundRecord, read_records
from crm_sync.engine.outbound.selection import BATCH, select_records
from crm_sync.models import TransferLink

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator

    from crm_sync.crm.errors import RowResult
    from crm_sync.engine.outbound.candidates import Candidates
    from crm_sync.engine.run_session import IntegrationSession
    from ctms.audit.bookmarks import Bookmark


# So many records are read, and the accounts of their persons looked up, while the ones before them are sent.
_PART: Final = 5_000


class OutboundRun:
    """One run of one outbound integration."""

    def __init__(self, *, session: IntegrationSession, since: Bookmark | None, rules_changed: bool) -> None:
        """Look at what was written since a place in the audit trail, or at every record if it is None."""
        self._session = session
        self._plan = session.plan
        self._run = session.run
        self._counts = session.counts
        self._since = since
        self._rules_changed = rules_changed
        self._directory = self._build_directory()
        # Keys of records whose account the CRM refused as unknown, with the keys of their persons.
        self._stale: dict[int, int] = {}
        # Records that refer to one that the CRM may have deleted, by key.
        self._orphans: dict[int, OutboundRecord] = {}
        self._again_in_crm: set[int] = set()
        self._is_last_try = False
        self._foreseen_states = self._run.dry_run.states if self._run.dry_run else {}
        self._address = f"{settings.VAULT_BASE_URL}/records/{self._plan.vault_object.api_name}/"
        self._integration_id = self._session.integration.pk

    def execute(self, *, outcome_unknown: bool) -> None:
        """Send deletions, then changed records; first adopt records if the outcome of the last run is unknown.

        Raises the errors of `crm_sync.crm.errors` that end an integration or a run.
        """
        if outcome_unknown:
            adopt_unconfirmed(session=self._session, since=self._since)
        notice_undeleted(self._session)
        candidates = self._find_candidates()
        notice_restored(self._session, candidates)
        send_deletions(session=self._session, candidates=candidates)
        marked = find_marked(self._session)
        selection = select_records(
            plan=self._plan,
            candidates=add_marked(candidates, marked),
            rules_changed=self._rules_changed,
            marked=marked,
        )
        adjust_selection(session=self._session, selection=selection)
        leave_dismissed(session=self._session, selection=selection)
        self._counts.selected += selection.unchanged
        self._counts.unchanged += selection.unchanged
        self._session.total = self._counts.selected + len(selection.in_crm) + len(selection.new)
        try:
            self._send(selection.in_crm, is_update=True)
            self._send(selection.new, is_update=False)
            self._send_again()
        finally:
            if self._directory is not None:
                self._directory.close()

    def _find_candidates(self) -> Candidates | None:
        if self._run.only is not None:
            return choose_candidate(plan=self._plan, uid=self._run.only)
        if self._since is None:
            return None
        pending = PendingRecords.WAITING if self._run.is_live else PendingRecords.ALL
        return find_candidates(plan=self._plan, since=self._since, pending=pending)

    # -- Records ----------------------------------------------------------------------------------

    def _send(self, keys: array[int], *, is_update: bool) -> None:
        if not keys:
            return
        rows = adjust_records(session=self._session, rows=self._read(keys))
        batches = hand_over_session(self._session, self._build_batches(rows, is_update=is_update))
        for batch, results in self._run.pipeline.map_unordered(batches, prepare_call(self._session)):
            self._apply(batch=batch, results=results)

    def _read(self, keys: array[int]) -> Iterator[list[OutboundRecord]]:
        """Yield the records in parts. The accounts of each part are known before it is read.

        They are looked up while the part before is sent; the first part is small, so that sending begins soon.
        """
        first = BATCH * self._session.integration.connection.concurrency
        parts = [keys[:first], *(keys[start : start + _PART] for start in range(first, len(keys), _PART))]
        self._begin_look_up(parts[0])
        for part, following in zip_longest(parts, parts[1:]):
            if self._directory is not None:
                self._directory.finish()
            if following:
                self._begin_look_up(following)
            yield from read_records(plan=self._plan, keys=part)

    def _begin_look_up(self, keys: array[int]) -> None:
        person = self._plan.person_field
        if self._directory is None or person is None or person.end is None:
            return
        model: Any = self._plan.vault_object.model
        ids = model._base_manager.filter(pk__among=keys).order_by().values_list(f"{person.end.attribute}_id", flat=True)
        self._directory.begin({pk for pk in ids.distinct() if pk is not None})

    def _build_batches(self, rows: Iterable[list[OutboundRecord]], *, is_update: bool) -> Iterator[Batch]:
        """Yield full batches of records to send; links that need no call are yielded in batches of their own."""
        waiting = Batch(is_update=is_update)
        for records in rows:
            for record in records:
                self._prepare(record=record, batch=waiting)
                if len(waiting.items) == BATCH:
                    yield waiting
                    waiting = Batch(is_update=is_update)
                elif len(waiting.settled) == BATCH:
                    yield Batch(settled=waiting.settled, is_update=is_update)
                    waiting.settled = []
        if waiting.items or waiting.settled:
            yield waiting

    def _prepare(self, *, record: OutboundRecord, batch: Batch) -> None:
        mapped = self._map(record)
        link = OutboundLink(
            pk=record.link_pk,
            integration_id=self._integration_id,
            record_uid=record.uid,
            crm_id=record.link_crm_id or "",
            version=record.version,
            dependency_version=record.dependency_sum,
            digest=mapped.compute_digest(),
            deletion_base=self._read_deletion_base(mapped, record),
        )
        if mapped.problems:
            self._fail(record=record, link=link, problems=mapped.problems, payload=mapped.payload)
            batch.settled.append(link)
        elif mapped.blocked_by:
            self._session.hold_back(link=link, record=record, parent=mapped.blocked_by)
            _mark_pending(link, record)
            batch.settled.append(link)
        elif link.digest == record.link_digest and link.crm_id:
            self._counts.selected += 1
            self._counts.unchanged += 1
            batch.settled.append(link)
        else:
            batch.items.append(Item(link=link, payload=mapped.payload, record=record))

    def _map(self, record: OutboundRecord) -> Mapped:
        account: str | MappingProblem | None = None
        if self._directory is not None:
            account = self._directory.get(person_id=record.person_id, remembered=record.remembered_account)
        return map_record(
            plan=self._plan,
            record=record,
            account=account,
            parents=judge_parents(plan=self._plan, parents=record.parents, states=self._foreseen_states),
            link=f"{self._address}{record.uid}/",
            crm=self._run.crm,
            deletion_base=record.link_deletion_base or "",
        )

    def _apply(self, *, batch: Batch, results: list[RowResult] | None) -> None:
        """Count the results of a batch and write its links."""
        links = batch.settled
        answered = [] if results is None else list(zip(batch.items, results, strict=True))
        gone = find_gone(self._session, [(item, result) for item, result in answered if not result.success])
        counted = {link.record_uid: "unchanged" for link in links}
        for item, result in answered:
            if self._settle(item=item, result=result, gone=gone):
                links.append(item.link)
                moved = "created" if result.created else "updated"
                counted[item.link.record_uid] = moved if result.success else "unchanged"
        write_links(self._session, links, counted=counted)

    def _settle(self, *, item: Item, result: RowResult, gone: set[str]) -> bool:
        """Count one result and update its link; return False if the record is sent again in this run."""
        if not result.success:
            note_refusal(self._session, item=item, result=result)
        if result.success:
            item.link.crm_id = result.crm_id or item.link.crm_id
            self._count_sent(created=result.created)
            outcome = AttemptOutcome.CREATED if result.created else AttemptOutcome.UPDATED
            self._session.note_attempt(
                link=item.link, outcome=outcome, values=item.payload, name=item.record, before=item.before
            )
            if self._run.dry_run:
                self._run.dry_run.note_state(
                    crm_object=self._plan.crm_object, uids=[item.link.record_uid], state=LinkState.LIVE
                )
        elif item.link.crm_id in gone:
            # A record that was deleted in the CRM is not created again.
            mark_deleted_in_crm(self._session, item.link)
            self._counts.selected += 1
            self._counts.unchanged += 1
        elif self._has_stale_account(item=item, result=result) or self._has_stale_parent(item=item, result=result):
            return False
        else:
            problems = describe_refusal(self._session, item=item, result=result)
            self._fail(record=item.record, link=item.link, problems=problems, payload=item.payload)
        return True

    def _has_stale_account(self, *, item: Item, result: RowResult) -> bool:
        """Whether the CRM refused the account; if so, note the record to be sent a second and last time."""
        person = self._plan.person_field
        if person is None or person.end is None or self._is_last_try:
            return False
        if not is_stale_account(result, field_name=person.target):
            return False
        self._stale[item.record.pk] = item.record.person_id
        if item.link.crm_id:
            self._again_in_crm.add(item.record.pk)
        return True

    def _has_stale_parent(self, *, item: Item, result: RowResult) -> bool:
        """Whether a record to which it refers may be gone; if so, note the record to be sent a second and last time."""
        if self._is_last_try or not may_refer_to_deleted(self._session, result):
            return False
        self._orphans[item.record.pk] = item.record
        if item.link.crm_id:
            self._again_in_crm.add(item.record.pk)
        return True

    def _send_again(self) -> None:
        """Look up the accounts that the CRM refused, and the parents that may be gone; send their records once more."""
        if self._stale and self._directory is not None:
            self._directory.forget(self._stale.values())
            self._directory.look_up(set(self._stale.values()))
        if self._orphans:
            notice_deleted_parents(self._session, self._orphans.values())
        self._is_last_try = True
        again = sorted({*self._stale, *self._orphans})
        for is_update in (True, False):
            keys = [pk for pk in again if (pk in self._again_in_crm) is is_update]
            self._send(array("q", keys), is_update=is_update)

    def _fail(self, *, record: Any, link: AnyLink, problems: list[MappingProblem], payload: dict[str, Any]) -> None:
        _mark_pending(link, record)
        fail_item(self._session, link=link, record=record, problems=problems, payload=payload)

    def _count_sent(self, *, created: bool) -> None:
        self._counts.selected += 1
        self._counts.sent += 1
        if created:
            self._counts.created += 1
        else:
            self._counts.updated += 1

    def _read_deletion_base(self, mapped: Mapped, record: Any) -> str:
        if self._plan.deletion_mode != DeletionMode.APPEND:
            return ""
        if self._plan.deletion_field not in mapped.payload:
            return record.link_deletion_base or ""
        return str(mapped.payload[self._plan.deletion_field] or "")

    def _build_directory(self) -> AccountDirectory | None:
        person = self._plan.person_field
        if person is None or self._plan.identifiers is None:
            return None
        return AccountDirectory(
            connection=self._session.integration.connection,
            identifiers=self._plan.identifiers,
            account_object=person.reference_object,
            run=self._run,
            on_moved=self._send_again_later,
        )

    def _send_again_later(self, person_ids: Collection[int]) -> None:
        """Mark the sent records of persons who have another account now; the next run sends them again."""
        person = self._plan.person_field
        if person is None or person.end is None:
            return
        model: Any = self._plan.vault_object.model
        records = model._base_manager.filter(**{f"{person.end.attribute}__in": person_ids})
        links = TransferLink.objects.filter(integration=self._session.integration, state=LinkState.LIVE)
        links.exclude(crm_id="").filter(record_uid__in=records.values("uid")).update(pending=True)


def _mark_pending(link: AnyLink, record: Any) -> None:
    """Keep the state that the CRM has in the link, and mark it so that the next run takes the record again."""
    link.pending = True
    link.version = 0
    link.digest = record.link_digest or ""
    link.deletion_base = record.link_deletion_base or ""
