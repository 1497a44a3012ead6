"""What a dry run of an outbound integration does in place of writing: it reads what the CRM has, and foresees answers.

The CRM is taken to accept every record, unless it has deleted the record, does not show it, or lacks a record to which
it refers. What its validation rules, duplicate rules and triggers would refuse shows only when it is asked to write.
"""

from __future__ import annotations

from array import array
from collections import defaultdict
from functools import partial
from itertools import islice
from typing import TYPE_CHECKING, Any, Final, TypeVar

from crm_sync.choices import LinkState
from crm_sync.crm.errors import Meaning, RowError, RowResult
from crm_sync.engine.outbound.batches import call_crm
from crm_sync.engine.outbound.candidates import Candidates
from crm_sync.engine.outbound.crm_values import find_references, list_fields, read_sent
from crm_sync.engine.run_session import read_rows
from crm_sync.models import TransferLink

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from uuid import UUID

    from crm_sync.crm.dialect import CrmRow
    from crm_sync.engine.dry_run import DryRun
    from crm_sync.engine.outbound.batches import Batch, Item
    from crm_sync.engine.outbound.selection import Selection
    from crm_sync.engine.run_session import IntegrationSession

ItemT = TypeVar("ItemT")

_KEYS_PER_STATEMENT: Final = 1000
_NOT_SHOWN: Final = RowError(
    code="NOT_FOUND", message="it does not show it", fields=(), meanings=frozenset({Meaning.RECORD_GONE})
)


def prepare_call(session: IntegrationSession) -> Callable[[Batch], list[RowResult] | None]:
    """Return what sends a batch, or in a dry run foresees the results, in a thread of the pipeline."""
    return partial(foresee_results if session.run.dry_run else call_crm, session)


def foresee_results(session: IntegrationSession, batch: Batch) -> list[RowResult] | None:
    """Return the results that the CRM would give, by what it has; that is put into the items.

    Runs in a thread of the pipeline, so it must not use the database. Raises CrmError.
    """
    dry_run, crm = session.run.dry_run, session.run.crm
    if not batch.items or dry_run is None:
        return None
    rows = _read_rows(session, batch)
    references = find_references(plan=session.plan, crm=crm)
    absent = _find_absent_parents(session, batch, dry_run=dry_run)
    results = []
    for item in batch.items:
        row = rows.get(_get_key(item, is_update=batch.is_update))
        if row is not None:
            item.before = read_sent(payload=item.payload, row=row, references=references, crm=crm)
            item.before[session.plan.external_id_field] = row.get(session.plan.external_id_field)
        results.append(_foresee(item=item, row=row, is_update=batch.is_update, absent=absent.get(id(item), "")))
    if dry_run.is_rehearsal:
        call_crm(session, batch)  # shown, and not sent
    return results


def _foresee(*, item: Item, row: CrmRow | None, is_update: bool, absent: str) -> RowResult:
    if is_update and (row is None or row.is_deleted):
        return RowResult(item.link.crm_id, success=False, created=False, errors=(_NOT_SHOWN,))
    crm_id = row.crm_id if row is not None else ""
    if absent:
        error = RowError(
            code="NOT_FOUND",
            message=f"it has no record with the external id {absent}, to which this one refers",
            fields=(),
            meanings=frozenset({Meaning.REFERENCE_GONE}),
        )
        return RowResult(crm_id, success=False, created=False, errors=(error,))
    return RowResult(crm_id, success=True, created=row is None, errors=())


def _get_key(item: Item, *, is_update: bool) -> str:
    return item.link.crm_id if is_update else str(item.link.record_uid)


def _read_rows(session: IntegrationSession, batch: Batch) -> dict[str, CrmRow]:
    """Return the CRM's rows by CRM id for updates, else by external id, of which only the living are found."""
    plan, crm = session.plan, session.run.crm
    key, fields = plan.external_id_field, list_fields(plan=session.plan, crm=crm)
    wanted = [_get_key(item, is_update=batch.is_update) for item in batch.items]
    if batch.is_update:
        rows = read_rows(partial(crm.find_by_id, object_name=plan.crm_object, fields=fields, crm_ids=wanted))
        return {row.crm_id: row for row in rows}
    find = partial(crm.find_by_external_id, object_name=plan.crm_object, fields=fields, field_name=key, values=wanted)
    return {str(row.get(key)): row for row in read_rows(find) if not row.is_deleted}


def _find_absent_parents(session: IntegrationSession, batch: Batch, *, dry_run: DryRun) -> dict[int, str]:
    """Return, by id() of the item, the external id to which it refers, and which no record of the CRM would have."""
    crm = session.run.crm
    absent: dict[int, str] = {}
    for index, parent in enumerate(session.plan.parents):
        rule = parent.field
        wanted: defaultdict[str, list[Item]] = defaultdict(list)
        for item in batch.items:
            uid = item.record.parents[index].uid if item.record is not None else None
            name, value = crm.link_to(rule.target, field_name=rule.reference_field, value=str(uid))
            if uid and item.payload.get(name) == value and dry_run.states.get(uid) != LinkState.LIVE:
                wanted[str(uid)].append(item)
        unknown = sorted(wanted.keys() - dry_run.parents_there)
        if unknown:
            find = partial(
                crm.find_by_external_id,
                object_name=rule.reference_object,
                fields=[rule.reference_field],
                field_name=rule.reference_field,
                values=unknown,
            )
            dry_run.parents_there |= {
                str(row.get(rule.reference_field)) for row in read_rows(find) if not row.is_deleted
            }
        for uid in wanted.keys() - dry_run.parents_there:
            absent.update((id(item), uid) for item in wanted[uid])
    return absent


# -- What marks and adopted links would have changed ----------------------------------------------


def find_marked(session: IntegrationSession) -> frozenset[int]:
    """Return the keys of the records whose links a dry run would have marked or adopted."""
    dry_run, plan = session.run.dry_run, session.plan
    if dry_run is None:
        return frozenset()
    model: Any = plan.vault_object.model
    found: set[int] = set()
    for links in _split(sorted(dry_run.pending[plan.integration.pk])):
        uids = TransferLink.objects.filter(pk__in=links).values("record_uid")
        found.update(model._base_manager.filter(uid__in=uids).values_list("pk", flat=True))
    for adopted in _split(dry_run.adopted[plan.integration.pk]):
        found.update(model._base_manager.filter(uid__in=adopted).values_list("pk", flat=True))
    return frozenset(found)


def add_marked(candidates: Candidates | None, marked: frozenset[int]) -> Candidates | None:
    """Return the candidates with the marked records; None stands for all records."""
    if candidates is None or not marked:
        return candidates
    return Candidates(keys=array("q", sorted(marked.union(candidates.keys))), uids=candidates.uids)


def adjust_selection(*, session: IntegrationSession, selection: Selection) -> None:
    """Select adopted records for an update, and leave those alone that the CRM has deleted."""
    dry_run, plan = session.run.dry_run, session.plan
    adopted = dry_run.adopted[plan.integration.pk] if dry_run else {}
    if not adopted:
        return
    model: Any = plan.vault_object.model
    states: dict[int, str] = {}
    for uids in _split(adopted):
        rows = model._base_manager.filter(uid__in=uids).values_list("pk", "uid")
        states.update((pk, adopted[uid].state) for pk, uid in rows)
    chosen = [pk for pk in selection.new if pk in states]
    selection.new = array("q", (pk for pk in selection.new if pk not in states))
    selection.in_crm = array("q", sorted([*selection.in_crm, *(pk for pk in chosen if states[pk] == LinkState.LIVE)]))
    selection.unchanged += sum(states[pk] != LinkState.LIVE for pk in chosen)


def adjust_records(*, session: IntegrationSession, rows: Iterable[list[Any]]) -> Iterator[list[Any]]:
    """Give records what their links would have: adopted ones a CRM id, undeleted ones nothing that the CRM has."""
    dry_run = session.run.dry_run
    adopted = dry_run.adopted[session.integration.pk] if dry_run else {}
    for records in rows:
        for record in records if dry_run else ():
            link = adopted.get(record.uid)
            if link is not None:
                record.link_crm_id, record.link_digest, record.link_deletion_base = link.crm_id, "", link.deletion_base
            elif dry_run and record.link_pk in dry_run.undeleted:
                record.link_digest = ""
        yield records


def list_foreseen_deletions(session: IntegrationSession) -> Iterator[list[TransferLink]]:
    """Yield links, which a dry run would have adopted or found undeleted, of records that the Vault has deleted."""
    dry_run, plan = session.run.dry_run, session.plan
    if dry_run is None:
        return
    model: Any = plan.vault_object.model
    for keys in _split(sorted(dry_run.undeleted & dry_run.pending[plan.integration.pk])):
        links = list(TransferLink.objects.filter(pk__in=keys).order_by("pk"))
        yield _leave_records(model, links)
    for uids in _split(dry_run.adopted[plan.integration.pk]):
        links = [dry_run.adopted[plan.integration.pk][uid] for uid in uids]
        yield _leave_records(model, [link for link in links if link.state == LinkState.LIVE])


def _leave_records(model: Any, links: list[TransferLink]) -> list[TransferLink]:
    """Return the links whose record is gone."""
    uids: list[UUID | None] = [link.record_uid for link in links]
    there = set(model._base_manager.filter(uid__in=uids).values_list("uid", flat=True))
    return [link for link in links if link.record_uid not in there]


def _split(keys: Iterable[ItemT]) -> Iterator[list[ItemT]]:
    rest = iter(keys)
    while chunk := list(islice(rest, _KEYS_PER_STATEMENT)):
        yield chunk
