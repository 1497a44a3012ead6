"""Learn what CRM users deleted, and undeleted, of the records that were sent, and which deletions were undone here.

The CRM tells neither of its own accord. A deletion is noticed when an update is refused, or a child that refers to the
record; an undeletion by asking for the records that were deleted lately. A record can be undeleted as long as the
recycle bin keeps it.
"""

from __future__ import annotations

from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from django.db import transaction
from django.db.models import Exists, OuterRef, Q

from connections.choices import FieldRuleKind
from crm_sync.choices import LinkState
from crm_sync.crm.errors import Meaning
from crm_sync.engine.outbound.candidates import split
from crm_sync.engine.rule_paths import list_rule_paths
from crm_sync.models import TransferLink

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Sequence
    from datetime import datetime

    from django.db.models import QuerySet

    from crm_sync.crm.errors import RowResult
    from crm_sync.engine.links import AnyLink
    from crm_sync.engine.outbound.batches import Item
    from crm_sync.engine.outbound.candidates import Candidates
    from crm_sync.engine.run_session import IntegrationSession, RunSession

_A_DAY: Final = timedelta(days=1)  # for clocks and time zones


def mark_deleted_in_crm(session: IntegrationSession, link: AnyLink) -> None:
    """Note in a link, which the caller writes, that the CRM has deleted its record, and when that was noticed."""
    link.state, link.pending = LinkState.DELETED_IN_CRM, False
    link.crm_modstamp = _read_clock(session)
    if dry_run := session.run.dry_run:
        dry_run.note_state(crm_object=session.plan.crm_object, uids=[link.record_uid], state=LinkState.DELETED_IN_CRM)


def find_gone(session: IntegrationSession, results: Sequence[tuple[Item, RowResult]]) -> set[str]:
    """Return the CRM ids of refused updates whose record is deleted in the CRM, or purged.

    The error code may mean the record itself or one that it refers to, so the CRM is queried. A record that the query
    does not find and that the CRM does not call deleted is not counted as such: perhaps the CRM user may not see it.
    """
    suspects = [item.link.crm_id for item, result in results if item.link.crm_id and _speaks_of_a_deletion(result)]
    return _find_deleted(session, crm_object=session.plan.crm_object, crm_ids=suspects)


def notice_undeleted(session: IntegrationSession) -> None:
    """Mark records that the CRM has again as pending, and the records that refer to them, so that this run sends them.

    It takes a call for each 200 records that were deleted lately, none without such.
    """
    clock = _read_clock(session)
    links = TransferLink.objects.filter(integration=session.integration, state=LinkState.DELETED_IN_CRM)
    if clock is not None:
        links = links.filter(Q(crm_modstamp=None) | Q(crm_modstamp__gte=clock - session.run.crm.recycle_bin - _A_DAY))
    if session.run.only is not None:
        links = links.filter(record_uid=session.run.only)
    known = dict(links.exclude(crm_id="").order_by("pk").values_list("crm_id", "pk"))
    alive: set[int] = set()
    for _, rows in session.run.find_by_id(object_name=session.plan.crm_object, fields=(), crm_ids=known):
        alive |= {known[row.crm_id] for row in rows if not row.is_deleted}
    if alive:
        _revive(session, TransferLink.objects.filter(pk__in=alive))


def notice_restored(session: IntegrationSession, candidates: Candidates | None) -> None:
    """Mark records whose deletion in the Vault was undone as pending, so that this run sends them again.

    They are sought among the candidates, or among all links if it is None: as the record is there again, its link must
    not say that it was deleted, whichever run wrote that.
    """
    model: Any = session.plan.vault_object.model
    links = TransferLink.objects.filter(integration=session.integration, state=LinkState.DELETED_IN_VAULT)
    there = links.filter(Exists(model._base_manager.filter(uid=OuterRef("record_uid"))))
    parts = [there] if candidates is None else [there.filter(record_uid__among=uids) for uids in split(candidates.uids)]
    keys = {pk for part in parts for pk in part.values_list("pk", flat=True)}
    if keys:
        _revive(session, TransferLink.objects.filter(pk__in=keys))


def _revive(session: IntegrationSession, back: QuerySet[TransferLink]) -> None:
    """Let the run send the records of these links again, as if the CRM had nothing of them but their ids."""
    keys = list(back.values_list("pk", flat=True))
    uids = [uid for uid in back.values_list("record_uid", flat=True) if uid is not None]
    if dry_run := session.run.dry_run:
        dry_run.mark(back)
        dry_run.undeleted |= set(keys)
        dry_run.note_state(crm_object=session.plan.crm_object, uids=uids, state=LinkState.LIVE)
        for links in _list_children(session, uids=uids):
            dry_run.mark(links)
        return
    back = TransferLink.objects.filter(pk__in=keys)
    with transaction.atomic():
        session.run.renew_lease()
        back.update(state=LinkState.LIVE, pending=True, digest="", version=0)
        for links in _list_children(session, uids=uids):
            links.update(pending=True)


def may_refer_to_deleted(session: IntegrationSession, result: RowResult) -> bool:
    """Whether the refusal of a record may be about a record to which it refers."""
    return bool(session.plan.parents) and any(Meaning.REFERENCE_GONE in error.meanings for error in result.errors)


def notice_deleted_parents(session: IntegrationSession, records: Iterable[Any]) -> None:
    """Mark the parents of refused records that the CRM has deleted."""
    refused = list(records)
    for index, parent in enumerate(session.plan.parents):
        uids = {record.parents[index].uid for record in refused} - {None}
        links = TransferLink.objects.filter(
            integration=parent.integration_id, record_uid__in=uids, state=LinkState.LIVE
        ).exclude(crm_id="")
        known = dict(links.values_list("crm_id", "pk"))
        gone = _find_deleted(session, crm_object=parent.field.reference_object, crm_ids=list(known))
        if gone and (dry_run := session.run.dry_run):
            dry_run.note_state(
                crm_object=parent.field.reference_object,
                uids=links.filter(crm_id__in=gone).values_list("record_uid", flat=True),
                state=LinkState.DELETED_IN_CRM,
            )
        elif gone:
            with transaction.atomic():
                session.run.renew_lease()
                TransferLink.objects.filter(pk__in=[known[crm_id] for crm_id in gone]).update(
                    state=LinkState.DELETED_IN_CRM, pending=False, crm_modstamp=_read_clock(session)
                )


def _find_deleted(session: IntegrationSession, *, crm_object: str, crm_ids: Sequence[str]) -> set[str]:
    deleted: set[str] = set()
    found: set[str] = set()
    for _, rows in session.run.find_by_id(object_name=crm_object, fields=(), crm_ids=crm_ids):
        found |= {row.crm_id for row in rows}
        deleted |= {row.crm_id for row in rows if row.is_deleted}
    missing = set(crm_ids) - found
    return deleted | _find_purged(session, crm_object=crm_object, crm_ids=missing)


def _find_purged(session: IntegrationSession, *, crm_object: str, crm_ids: Collection[str]) -> set[str]:
    if not crm_ids:
        return set()
    return set(crm_ids) & read_deleted_ids(session.run, crm_object=crm_object)


def read_deleted_ids(run: RunSession, *, crm_object: str) -> set[str]:
    """Return the ids of the records that the CRM says were deleted lately, even if they are purged.

    Empty if the CRM does not know: it has emptied its list, or shows no clock.
    """
    if run.crm.clock is None:
        return set()
    start = run.crm.clock.crm - run.crm.recycle_bin + _A_DAY
    deletions = run.pipeline.call(partial(run.crm.deleted_since, object_name=crm_object, start=start))
    return set(deletions.crm_ids) if deletions is not None else set()


def _list_children(session: IntegrationSession, *, uids: list[Any]) -> Iterator[QuerySet[TransferLink]]:
    """Yield the links of records that refer to these of this integration: they were sent without the reference."""
    for path in list_rule_paths(connection=session.integration.connection, kind=FieldRuleKind.REFERENCE):
        if path.rule.reference_object.lower() != session.plan.crm_object.lower() or path.integration.is_inbound:
            continue
        children = path.path.find(path.model, uids=uids).values("uid")
        links = TransferLink.objects.filter(integration=path.integration, state=LinkState.LIVE)
        yield links.filter(record_uid__in=children)


def _read_clock(session: IntegrationSession) -> datetime | None:
    clock = session.run.crm.clock
    return clock.crm if clock is not None else None


def _speaks_of_a_deletion(result: RowResult) -> bool:
    return any(Meaning.RECORD_GONE in error.meanings for error in result.errors)
