"""Mark CRM records whose Vault record was deleted."""

from __future__ import annotations

from itertools import chain
from typing import TYPE_CHECKING

from crm_sync.choices import AttemptOutcome, LinkState
from crm_sync.engine.mapping import map_deletion
from crm_sync.engine.outbound.batches import (
    Batch,
    Item,
    describe_refusal,
    fail_item,
    note_refusal,
    write_links,
)
from crm_sync.engine.outbound.crm_deletions import find_gone, mark_deleted_in_crm
from crm_sync.engine.outbound.dismissals import find_dismissed_deletions
from crm_sync.engine.outbound.foresight import list_foreseen_deletions, prepare_call
from crm_sync.engine.outbound.selection import read_links, select_deletions

if TYPE_CHECKING:
    from collections.abc import Iterator
    from uuid import UUID

    from crm_sync.crm.errors import RowResult
    from crm_sync.engine.links import AnyLink
    from crm_sync.engine.outbound.candidates import Candidates
    from crm_sync.engine.run_session import IntegrationSession


def send_deletions(*, session: IntegrationSession, candidates: Candidates | None) -> None:
    """Mark every deletion that the CRM does not show yet, among the candidates or among all links if it is None."""
    batches = _build_batches(session=session, candidates=candidates)
    for batch, results in session.run.pipeline.map_unordered(batches, prepare_call(session)):
        _apply(session=session, batch=batch, results=results)


def _build_batches(*, session: IntegrationSession, candidates: Candidates | None) -> Iterator[Batch]:
    dismissed = find_dismissed_deletions(session)
    known = read_links(select_deletions(plan=session.plan, candidates=candidates))
    for links in chain(known, list_foreseen_deletions(session)):
        yield Batch(
            items=[
                Item(link=link, payload=map_deletion(plan=session.plan, base=link.deletion_base))
                for link in links
                if link.crm_id and link.record_uid not in dismissed
            ],
            settled=[link for link in links if not link.crm_id],
            is_update=True,
        )


def _apply(*, session: IntegrationSession, batch: Batch, results: list[RowResult] | None) -> None:
    links: list[AnyLink] = []
    for link in batch.settled:
        # The record was deleted before it was ever sent, so the CRM has nothing to mark.
        link.state, link.pending = LinkState.DELETED_IN_VAULT, False
        links.append(link)
    counted: dict[UUID | None, str] = {}
    answered = [] if results is None else list(zip(batch.items, results, strict=True))
    gone = find_gone(session, [(item, result) for item, result in answered if not result.success])
    counts = session.counts
    for item, result in answered:
        link = item.link
        if not result.success:
            note_refusal(session, item=item, result=result)
        if result.success:
            link.state, link.pending = LinkState.DELETED_IN_VAULT, False
            counts.selected += 1
            counts.sent += 1
            counts.deleted += 1
            counted[link.record_uid] = "deleted"
            session.note_attempt(link=link, outcome=AttemptOutcome.DELETED, values=item.payload, before=item.before)
        elif link.crm_id in gone:
            mark_deleted_in_crm(session, link)
            counts.selected += 1
            counts.unchanged += 1
            counted[link.record_uid] = "unchanged"
        else:
            link.pending = True
            prefix = "Deleted in the Vault, but the CRM refused to show it: "
            problems = describe_refusal(session, item=item, result=result, prefix=prefix)
            fail_item(session, link=link, record=None, problems=problems, payload=item.payload)
        links.append(link)
    write_links(session, links, counted=counted)
