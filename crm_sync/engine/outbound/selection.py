"""Select the records that an outbound integration has to look at.

Their keys are selected in one statement and the records are then read by key, so that the last of 100,000 cost as much
as the first, even if the database has no statistics of newly filled tables yet.
"""

from __future__ import annotations

from array import array
from dataclasses import dataclass, field
from itertools import islice
from typing import TYPE_CHECKING, Any, TypeVar

from django.db import models
from django.db.models import Exists, OuterRef, Q, QuerySet

from crm_sync.choices import LinkState
from crm_sync.engine.outbound.dependencies import annotate_dependencies, build_dependency_sum
from crm_sync.engine.outbound.parents import annotate_parents
from crm_sync.models import TransferLink
from ctms.core.choices import RecordStatus

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping

    from crm_sync.engine.outbound.candidates import Candidates
    from crm_sync.engine.rules.compiled import CompiledIntegration

ItemT = TypeVar("ItemT")

BATCH = 200
_KEYS_PER_FETCH = 10_000
_KEYS_PER_STATEMENT = 5_000


@dataclass(slots=True, kw_only=True)
class Selection:
    """Keys of the records to look at, by whether the CRM has them (`in_crm`) or never had them (`new`).

    `unchanged` counts the records that need not be looked at.
    """

    in_crm: array[int] = field(default_factory=lambda: array("q"))
    new: array[int] = field(default_factory=lambda: array("q"))
    unchanged: int = 0


def select_records(
    *,
    plan: CompiledIntegration,
    candidates: Candidates | None,
    rules_changed: bool,
    marked: Collection[int] = (),
) -> Selection:
    """Select the records among the candidates, or among all if it is None, whose state the CRM does not have.

    Records that the CRM has in their present state, or has deleted, are only counted as unchanged; if the rules
    changed, no present state counts as known. `marked` are keys of records whose links a dry run would have marked.
    """
    links = TransferLink.objects.filter(integration=plan.integration, record_uid=OuterRef("uid"))
    is_gone = ~Q(state=LinkState.LIVE)
    is_current = Q(version=OuterRef("version"), dependency_version=OuterRef("dependency_sum"), pending=False)
    records = annotate_dependencies(plan).annotate(
        in_crm=Exists(links.exclude(crm_id="")),
        is_settled=Exists(links.filter(is_gone if rules_changed else is_gone | is_current)),
    )
    if plan.object_type:
        records = records.filter(object_type=plan.object_type)
    if plan.filter_attribute:
        records = records.filter(**{plan.filter_attribute: True})
    records = plan.conditions.limit(records)
    # An inactive record that the CRM never had is not sent.
    records = records.exclude(status=RecordStatus.INACTIVE, in_crm=False)
    selection = Selection()
    rows = records.order_by("pk").values_list("pk", "in_crm", "is_settled")
    for part in [rows] if candidates is None else (rows.filter(pk__among=keys) for keys in _split(candidates.keys)):
        for pk, in_crm, is_settled in part.iterator(chunk_size=_KEYS_PER_FETCH):
            if is_settled and pk not in marked:
                selection.unchanged += 1
                continue
            (selection.in_crm if in_crm else selection.new).append(pk)
    return selection


def read_standing(*, plans: Mapping[str, CompiledIntegration], pk: int) -> Any:
    """Return a record with its standing in several integrations of its object, in one statement; None if it is gone.

    For each prefix of `plans` it has the annotations `<prefix>dependency_sum`, `<prefix>matches` (whether it is of the
    integration's type and fulfils its filter) and those of the record's parents.
    """
    model: Any = next(iter(plans.values())).vault_object.model
    annotations: dict[str, Any] = {}
    for prefix, plan in plans.items():
        annotations |= {
            f"{prefix}dependency_sum": build_dependency_sum(plan),
            f"{prefix}matches": Exists(_limit_to_eligible(plan).filter(pk=OuterRef("pk"))),
            **annotate_parents(plan, prefix=prefix),
        }
    return model._base_manager.filter(pk=pk).annotate(**annotations).first()


def _limit_to_eligible(plan: CompiledIntegration) -> QuerySet[Any]:
    """Return the records of the integration's object type that fulfil the filter of its rule."""
    records: QuerySet[Any] = plan.vault_object.model._base_manager.all()
    if plan.object_type:
        records = records.filter(object_type=plan.object_type)
    if plan.filter_attribute:
        records = records.filter(**{plan.filter_attribute: True})
    return plan.conditions.limit(records)


def select_deletions(*, plan: CompiledIntegration, candidates: Candidates | None) -> array[int]:
    """Return the keys of live links whose Vault record was deleted: those of the candidates, or all if it is None."""
    model: type[models.Model] = plan.vault_object.model
    gone = TransferLink.objects.filter(integration=plan.integration, state=LinkState.LIVE).exclude(
        Exists(model._base_manager.filter(uid=OuterRef("record_uid")))
    )
    parts = [gone] if candidates is None else [gone.filter(record_uid__among=uids) for uids in _split(candidates.uids)]
    return array("q", sorted(pk for part in parts for pk in part.values_list("pk", flat=True)))


def read_links(keys: array[int]) -> Iterator[list[TransferLink]]:
    """Yield links in batches, one statement each."""
    for start in range(0, len(keys), BATCH):
        yield list(TransferLink.objects.filter(pk__among=keys[start : start + BATCH]).order_by("pk"))


def _split(keys: Iterable[ItemT]) -> Iterator[list[ItemT]]:
    rest = iter(keys)
    while chunk := list(islice(rest, _KEYS_PER_STATEMENT)):
        yield chunk
