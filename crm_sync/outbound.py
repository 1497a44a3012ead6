"""From the Vault to the CRM: one integration, in batches of 200.

A record that the CRM has is updated by its CRM id, never by its external id: an upsert would bring back what the CRM
has deleted. Only a record that the CRM never had is upserted, so that a repeated call makes no second one.
"""

from __future__ import annotations

from array import array
from functools import partial
from typing import TYPE_CHECKING, Any

from django.conf import settings

from connections.choices import DeletionMode
from crm_sync.accounts import AccountDirectory
from crm_sync.candidates import BATCH, read_parents, read_records, select_records
from crm_sync.choices import LinkState
from crm_sync.deletions import send_deletions
from crm_sync.dismissals import leave_dismissed
from crm_sync.failures import is_stale_account
from crm_sync.mapping import Mapped, Problem, map_record
from crm_sync.models import TransferLink
from crm_sync.recovery import adopt_unconfirmed
from crm_sync.sending import Batch, Item, call_crm, describe_refusal, fail_item, find_gone, write_links

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator
    from datetime import datetime

    from crm_sync.context import IntegrationSession
    from crm_sync.errors import RowResult


class OutboundRun:
    """One run of one outbound integration."""

    def __init__(self, *, session: IntegrationSession, since: datetime | None, rules_changed: bool) -> None:
        self._session = session
        self._plan = session.plan
        self._run = session.run
        self._counts = session.counts
        self._since = since
        self._rules_changed = rules_changed
        self._directory = self._build_directory()
        # Records whose account the CRM did not know, with their persons.
        self._stale: dict[int, int] = {}
        self._stale_in_crm: set[int] = set()

    def execute(self, *, outcome_unknown: bool) -> None:
        """Send what is to be sent. Raises the errors of `crm_sync.errors` that end an integration or a run."""
        if outcome_unknown and not self._run.dry_run:
            adopt_unconfirmed(session=self._session)
        send_deletions(self._session)
        selection = select_records(plan=self._plan, since=self._since, rules_changed=self._rules_changed)
        leave_dismissed(session=self._session, selection=selection)
        self._counts.selected += selection.unchanged
        self._counts.unchanged += selection.unchanged
        self._session.total = self._counts.selected + len(selection.in_crm) + len(selection.new)
        if self._directory is not None:
            self._directory.look_up(selection.person_ids)
        self._send(selection.in_crm, is_update=True)
        self._send(selection.new, is_update=False)
        self._send_stale_again()

    # -- Records ----------------------------------------------------------------------------------

    def _send(self, keys: array[int], *, is_update: bool) -> None:
        batches = self._build_batches(read_records(plan=self._plan, keys=keys), is_update=is_update)
        for batch, results in self._run.pipeline.map_unordered(batches, partial(call_crm, self._session)):
            self._apply(batch=batch, results=results)

    def _build_batches(self, rows: Iterable[list[Any]], *, is_update: bool) -> Iterator[Batch]:
        """Full batches, whatever part of the records read turns out to need no call; that part comes by itself."""
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

    def _prepare(self, *, record: Any, batch: Batch) -> None:
        mapped = self._map(record)
        link = TransferLink(
            pk=record.link_pk,
            integration_id=self._session.integration.pk,
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
            self._counts.selected += 1
            self._counts.blocked += 1
            _mark_pending(link, record)
            batch.settled.append(link)
        elif link.digest == record.link_digest and link.crm_id:
            self._counts.selected += 1
            self._counts.unchanged += 1
            batch.settled.append(link)
        else:
            batch.items.append(Item(link=link, payload=mapped.payload, record=record))

    def _map(self, record: Any) -> Mapped:
        account: str | Problem | None = None
        if self._directory is not None and self._plan.person_field and self._plan.person_field.end:
            account = self._directory.get(
                person_id=getattr(record, f"{self._plan.person_field.end.attribute}_id"),
                remembered=record.remembered_account,
            )
        return map_record(
            plan=self._plan,
            record=record,
            account=account,
            parents=read_parents(plan=self._plan, record=record, sent=self._run.would_send),
            link=f"{settings.VAULT_BASE_URL}/records/{self._plan.vault_object.api_name}/{record.uid}/",
            deletion_base=record.link_deletion_base or "",
        )

    def _apply(self, *, batch: Batch, results: list[RowResult] | None) -> None:
        """Write down what became of a batch, in one transaction."""
        links = batch.settled
        answered = [] if results is None else list(zip(batch.items, results, strict=True))
        gone = find_gone(self._session, [(item, result) for item, result in answered if not result.success])
        if results is None:
            for item in batch.items:
                self._count_sent(created=not batch.is_update)
                self._run.would_send.add(item.record.uid)
        for item, result in answered:
            if self._settle(item=item, result=result, gone=gone):
                links.append(item.link)
        write_links(self._session, links)

    def _settle(self, *, item: Item, result: RowResult, gone: set[str]) -> bool:
        """Count one answer and bring its link up to date; False if the record is to be sent again in this run."""
        if result.success:
            item.link.crm_id = result.crm_id or item.link.crm_id
            self._count_sent(created=result.created and not item.link.pk)
        elif item.link.crm_id in gone:
            # Deleted in the CRM: deletes win, so the record is not sent again.
            item.link.state = LinkState.DELETED_IN_CRM
            self._counts.selected += 1
            self._counts.unchanged += 1
        elif self._has_stale_account(item=item, result=result):
            return False
        else:
            problems = describe_refusal(self._session, item=item, result=result)
            self._fail(record=item.record, link=item.link, problems=problems, payload=item.payload)
        return True

    def _has_stale_account(self, *, item: Item, result: RowResult) -> bool:
        """Whether the CRM did not know the remembered account; notes the record for a second try, its only one."""
        person = self._plan.person_field
        if person is None or person.end is None or item.record.pk in self._stale:
            return False
        if not is_stale_account(result, field_name=person.target):
            return False
        self._stale[item.record.pk] = getattr(item.record, f"{person.end.attribute}_id")
        if item.link.crm_id:
            self._stale_in_crm.add(item.record.pk)
        return True

    def _send_stale_again(self) -> None:
        """Look accounts up anew for records whose remembered account the CRM did not know, and send those once more."""
        if not self._stale or self._directory is None:
            return
        self._directory.forget(self._stale.values())
        self._directory.look_up(set(self._stale.values()))
        for is_update in (True, False):
            keys = sorted(pk for pk in self._stale if (pk in self._stale_in_crm) is is_update)
            self._send(array("q", keys), is_update=is_update)

    def _fail(self, *, record: Any, link: TransferLink, problems: list[Problem], payload: dict[str, Any]) -> None:
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
        """What the CRM has of persons whose account is another one now: the next run moves it."""
        person = self._plan.person_field
        if person is None or person.end is None:
            return
        model: Any = self._plan.vault_object.model
        records = model._base_manager.filter(**{f"{person.end.attribute}__in": person_ids})
        links = TransferLink.objects.filter(integration=self._session.integration, state=LinkState.LIVE)
        links.exclude(crm_id="").filter(record_uid__in=records.values("uid")).update(pending=True)


def _mark_pending(link: TransferLink, record: Any) -> None:
    """The CRM has not got this version: the link still tells what it has, and the next run takes the record again."""
    link.pending = True
    link.version = 0
    link.digest = record.link_digest or ""
    link.deletion_base = record.link_deletion_base or ""
