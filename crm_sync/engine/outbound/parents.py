"""What is read of the records to which a record refers and that its connection sends, and whether it waits for them."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from django.db.models import Exists, OuterRef, Subquery, Value

from crm_sync.engine.mapping import ParentState
from crm_sync.models import TransferLink
from ctms.core.choices import RecordStatus

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from uuid import UUID

    from crm_sync.choices import LinkState
    from crm_sync.engine.rules.compiled import CompiledIntegration, CompiledParent

OF_PARENT: Final = ("uid", "name", "status", "eligible", "matches", "state")


class ParentFacts(NamedTuple):
    """What is read of a record referred to; `is_marked` and `matches` are what its own rule asks of it."""

    uid: UUID | None
    name: str | None
    status: str | None
    is_marked: bool | None
    matches: bool
    state: str | None


def judge_parents(
    *, plan: CompiledIntegration, parents: Sequence[ParentFacts], states: Mapping[UUID, LinkState]
) -> dict[str, ParentState]:
    """Return the state of each parent of a record, by target field; a dry run foresees `states` of some, by UID."""
    judged = {}
    for parent, facts in zip(plan.parents, parents, strict=True):
        foreseen = states.get(facts.uid) if states and facts.uid is not None else None
        judged[parent.field.target] = _judge_parent(facts if foreseen is None else facts._replace(state=foreseen))
    return judged


@lru_cache(maxsize=4096)
def _judge_parent(facts: ParentFacts) -> ParentState:
    # A parent that the CRM never had is not sent while it is inactive or does not fulfil the filter, so its children do
    # not wait for it. A parent that the CRM has stays there, so children refer to it.
    is_sent = (facts.status == RecordStatus.ACTIVE and facts.matches) or facts.state is not None
    return ParentState(
        uid=facts.uid,
        name=facts.name,
        is_eligible=facts.uid is not None and is_sent and bool(facts.is_marked),
        link_state=facts.state,
    )


def read_facts(record: Any, of_parent: str) -> ParentFacts:
    """Read the facts of a parent from an instance with the annotations of `annotate_parents`."""
    return ParentFacts._make([getattr(record, f"{of_parent}_{name}") for name in OF_PARENT])


def annotate_parents(plan: CompiledIntegration, *, prefix: str = "") -> dict[str, Any]:
    """Return the annotations that the facts of parents are read from; their names begin with `prefix`."""
    annotations: dict[str, Any] = {}
    for index, parent in enumerate(plan.parents):
        path, uid = parent.path, f"{prefix}parent_{index}_uid"
        links = TransferLink.objects.filter(
            integration=parent.integration_id,
            record_uid=OuterRef(f"{path.lookup}__uid") if path.rest is None else OuterRef(uid),
        ).exclude(crm_id="")
        annotations |= {
            uid: path.follow("uid"),
            f"{prefix}parent_{index}_name": path.follow("name"),
            f"{prefix}parent_{index}_status": path.follow("status"),
            f"{prefix}parent_{index}_eligible": path.follow(parent.filter_attribute)
            if parent.filter_attribute
            else Value(value=True),
            f"{prefix}parent_{index}_matches": _match_parent(parent, uid=uid),
            f"{prefix}parent_{index}_state": Subquery(links.values("state")[:1]),
        }
    return annotations


def _match_parent(parent: CompiledParent, *, uid: str) -> Any:
    """Return whether the parent fulfils the filter of its own rule; `uid` is the annotation that holds its uid."""
    if not parent.conditions:
        return Value(value=True)
    matching = parent.conditions.limit(parent.model._base_manager.all())
    if parent.path.rest is not None:
        return Exists(matching.filter(uid=OuterRef(uid)))
    return Exists(matching.filter(pk=OuterRef(parent.path.lookup)))
