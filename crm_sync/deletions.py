"""Deletions in the Vault, shown on the CRM's records."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from crm_sync.candidates import read_links, select_deletions
from crm_sync.choices import LinkState
from crm_sync.dismissals import find_dismissed_deletions
from crm_sync.mapping import map_deletion
from crm_sync.sending import Batch, Item, call_crm, describe_refusal, fail_item, find_gone, write_links

if TYPE_CHECKING:
    from collections.abc import Iterator

    from crm_sync.context import IntegrationSession
    from crm_sync.errors import RowResult
    from crm_sync.models import TransferLink


def send_deletions(session: IntegrationSession) -> None:
    """Show every deletion that the CRM does not show yet."""
    batches = _build_batches(session)
    for batch, results in session.run.pipeline.map_unordered(batches, partial(call_crm, session)):
        _apply(session=session, batch=batch, results=results)


def _build_batches(session: IntegrationSession) -> Iterator[Batch]:
    dismissed = find_dismissed_deletions(session)
    for links in read_links(select_deletions(plan=session.plan)):
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
    links: list[TransferLink] = []
    for link in batch.settled:
        # Never sent, and gone before it could be: nothing to tell the CRM.
        link.state, link.pending = LinkState.DELETED_IN_VAULT, False
        links.append(link)
    answered = [] if results is None else list(zip(batch.items, results, strict=True))
    gone = find_gone(session, [(item, result) for item, result in answered if not result.success])
    counts = session.counts
    if results is None:
        counts.selected += len(batch.items)
        counts.sent += len(batch.items)
        counts.deleted += len(batch.items)
    for item, result in answered:
        link = item.link
        if result.success:
            link.state, link.pending = LinkState.DELETED_IN_VAULT, False
            counts.selected += 1
            counts.sent += 1
            counts.deleted += 1
        elif link.crm_id in gone:
            link.state, link.pending = LinkState.DELETED_IN_CRM, False
            counts.selected += 1
            counts.unchanged += 1
        else:
            link.pending = True
            prefix = "Deleted in the Vault, but the CRM refused to show it: "
            problems = describe_refusal(session, item=item, result=result, prefix=prefix)
            fail_item(session, link=link, record=None, problems=problems, payload=item.payload)
        links.append(link)
    write_links(session, links)
