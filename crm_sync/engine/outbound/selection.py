"""Select the records that an outbound integration has to look at, and read them in batches of 200.

The keys are selected in one statement and the batches are then read by key, so that the last batch of 100,000 records
costs as much as the first, even if the database has no statistics of newly filled tables yet.
"""

from __future__ import annotations

from array import array
from dataclasses import dataclass, field
from functools import partial
from itertools import cycle, islice
from typing import TYPE_CHECKING, Any, TypeVar

from django.db import models
from django.db.models import Exists, F, OuterRef, Q, QuerySet, Subquery, Value
from django.db.models.functions import Coalesce

from connections.choices import FieldRuleKind
from crm_sync.choices import LinkState
from crm_sync.engine.identity.account_matching import build_identifier_expression
from crm_sync.engine.mapping import ParentState
from crm_sync.models import AccountMatch, TransferLink
from ctms.core.choices import RecordStatus

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
    from uuid import UUID

    from crm_sync.engine.compiled_rules import CompiledIntegration, CompiledParent
    from crm_sync.engine.outbound.candidates import Candidates

ItemT = TypeVar("ItemT")

BATCH = 200
_KEYS_PER_FETCH = 10_000
_KEYS_PER_STATEMENT = 5_000
# Large primes, so that a change of a key is not cancelled out by a change of a version in the sum.
_WEIGHTS = (1_000_003, 2_718_281, 3_141_601, 5_772_157, 8_314_487)


@dataclass(slots=True, kw_only=True)
class Selection:
    """Keys of the records to look at, by whether the CRM has them (`in_crm`) or never had them (`new`).

    `person_ids` are the persons of these records; `unchanged` counts the records that need not be looked at.
    """

    in_crm: array[int] = field(default_factory=lambda: array("q"))
    new: array[int] = field(default_factory=lambda: array("q"))
    person_ids: set[int] = field(default_factory=set)
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
    records = _build_base(plan).annotate(
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
    person = plan.person_field
    person_id: Any = Value(None, models.BigIntegerField())
    if person is not None and person.end is not None:
        person_id = F(f"{person.end.attribute}_id")
    selection = Selection()
    rows = records.order_by("pk").values_list("pk", "in_crm", "is_settled", person_id)
    for part in [rows] if candidates is None else (rows.filter(pk__in=keys) for keys in _split(candidates.keys)):
        for pk, in_crm, is_settled, person_pk in part.iterator(chunk_size=_KEYS_PER_FETCH):
            if is_settled and pk not in marked:
                selection.unchanged += 1
                continue
            (selection.in_crm if in_crm else selection.new).append(pk)
            if person_pk is not None:
                selection.person_ids.add(person_pk)
    return selection


def read_records(*, plan: CompiledIntegration, keys: Sequence[int]) -> Iterator[list[Any]]:
    """Yield the records with these keys in batches, one statement each, with their link, account and parents.

    Each has the annotations `link_pk`, `link_crm_id`, `link_digest`, `link_deletion_base`, `dependency_sum`,
    `remembered_account` and those that `read_parents` reads.
    """
    links = TransferLink.objects.filter(integration=plan.integration, record_uid=OuterRef("uid"))
    records = _build_base(plan).annotate(
        link_pk=Subquery(links.values("pk")[:1]),
        link_crm_id=Subquery(links.values("crm_id")[:1]),
        link_digest=Subquery(links.values("digest")[:1]),
        link_deletion_base=Subquery(links.values("deletion_base")[:1]),
        **_annotate_account(plan),
        **_annotate_parents(plan),
    )
    followed = _list_followed(plan)
    if followed:
        records = records.select_related(*followed)
    records = records.only(*_list_columns(plan)).order_by("pk")
    for start in range(0, len(keys), BATCH):
        yield list(records.filter(pk__in=keys[start : start + BATCH].tolist()))  # type: ignore[attr-defined]


def read_parents(
    *, plan: CompiledIntegration, record: Any, states: Mapping[UUID, LinkState], prefix: str = ""
) -> dict[str, ParentState]:
    """Return the state of each parent of a record, by target field; a dry run foresees `states` of some, by UID.

    The names of the annotations of the record begin with `prefix`.
    """
    parents = {}
    for index, parent in enumerate(plan.parents):
        read = partial(_read_annotation, record, f"{prefix}parent_{index}")
        uid = read("uid")
        state = states.get(uid, read("state"))
        # A parent that the CRM never had is not sent while it is inactive or does not fulfil the filter, so its
        # children do not wait for it. A parent that the CRM has stays there, so children refer to it.
        is_sent = (read("status") == RecordStatus.ACTIVE and read("matches")) or state is not None
        parents[parent.field.target] = ParentState(
            uid=uid,
            name=read("name"),
            is_eligible=uid is not None and is_sent and read("eligible"),
            link_state=state,
        )
    return parents


def _read_annotation(record: Any, of_parent: str, name: str) -> Any:
    return getattr(record, f"{of_parent}_{name}")


def read_standing(*, plans: Mapping[str, CompiledIntegration], pk: int) -> Any:
    """Return a record with its standing in several integrations of its object, in one statement; None if it is gone.

    For each prefix of `plans` it has the annotations `<prefix>dependency_sum`, `<prefix>matches` (whether it is of the
    integration's type and fulfils its filter) and those that `read_parents` reads.
    """
    model: Any = next(iter(plans.values())).vault_object.model
    annotations: dict[str, Any] = {}
    for prefix, plan in plans.items():
        annotations |= {
            f"{prefix}dependency_sum": _build_dependency_sum(plan),
            f"{prefix}matches": Exists(_limit_to_eligible(plan).filter(pk=OuterRef("pk"))),
            **_annotate_parents(plan, prefix=prefix),
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
    parts = [gone] if candidates is None else [gone.filter(record_uid__in=uids) for uids in _split(candidates.uids)]
    return array("q", sorted(pk for part in parts for pk in part.values_list("pk", flat=True)))


def read_links(keys: array[int]) -> Iterator[list[TransferLink]]:
    """Yield links in batches, one statement each."""
    for start in range(0, len(keys), BATCH):
        yield list(TransferLink.objects.filter(pk__in=keys[start : start + BATCH].tolist()).order_by("pk"))


def _split(keys: Iterable[ItemT]) -> Iterator[list[ItemT]]:
    rest = iter(keys)
    while chunk := list(islice(rest, _KEYS_PER_STATEMENT)):
        yield chunk


def _build_base(plan: CompiledIntegration) -> QuerySet[Any]:
    """Return all records with `dependency_sum`."""
    model: type[models.Model] = plan.vault_object.model
    return model._base_manager.annotate(dependency_sum=_build_dependency_sum(plan))


def _build_dependency_sum(plan: CompiledIntegration) -> Any:
    """Return a number that changes when a related record changes on which the record depends.

    It adds the versions of these records. Where one of them is reached through another, its key is added too, with a
    weight: if the reference moved to a record with a lower version, the sum of versions alone could stay the same.
    """
    total: Any = Value(0)
    farther = cycle(_WEIGHTS)
    for path in plan.dependencies:
        total = total + Coalesce(F(f"{path}__version"), Value(0))
        if "__" in path:
            total = total + Coalesce(F(f"{path}_id"), Value(0)) * Value(next(farther))
    return total


def _annotate_account(plan: CompiledIntegration) -> dict[str, Any]:
    person = plan.person_field
    if person is None or person.end is None or plan.identifiers is None:
        return {}
    attribute = person.end.attribute
    # Compare with the person's present value, which may have changed since the account was looked up.
    matches = AccountMatch.objects.filter(
        connection=plan.integration.connection_id,
        identifier=plan.identifiers.key,
        person=OuterRef(f"{attribute}_id"),
        value=OuterRef("person_identifier"),
    )
    return {
        "person_identifier": build_identifier_expression(plan.identifiers, prefix=f"{attribute}__"),
        "remembered_account": Subquery(matches.values("account_id")[:1]),
    }


def _annotate_parents(plan: CompiledIntegration, *, prefix: str = "") -> dict[str, Any]:
    annotations: dict[str, Any] = {}
    for index, parent in enumerate(plan.parents):
        links = TransferLink.objects.filter(
            integration=parent.integration_id, record_uid=OuterRef(f"{parent.path}__uid")
        ).exclude(crm_id="")
        annotations |= {
            f"{prefix}parent_{index}_uid": F(f"{parent.path}__uid"),
            f"{prefix}parent_{index}_name": F(f"{parent.path}__name"),
            f"{prefix}parent_{index}_status": F(f"{parent.path}__status"),
            f"{prefix}parent_{index}_eligible": F(f"{parent.path}__{parent.filter_attribute}")
            if parent.filter_attribute
            else Value(value=True),
            f"{prefix}parent_{index}_matches": _match_parent(parent),
            f"{prefix}parent_{index}_state": Subquery(links.values("state")[:1]),
        }
    return annotations


def _match_parent(parent: CompiledParent) -> Any:
    if not parent.conditions:
        return Value(value=True)
    matching = parent.conditions.limit(parent.model._base_manager.all())
    return Exists(matching.filter(pk=OuterRef(parent.path)))


def _list_followed(plan: CompiledIntegration) -> list[str]:
    """Return the references whose records have to be loaded, because a rule reads their values."""
    paths: dict[str, None] = {}
    for rule in plan.fields:
        steps = list(rule.references)
        if rule.kind == FieldRuleKind.FORMATTED_PERSON and rule.end is not None:
            steps.append(rule.end)
        if steps:
            paths["__".join(step.attribute for step in steps)] = None
    return list(paths)


def _list_columns(plan: CompiledIntegration) -> list[str]:
    """Return the columns that the rules read; all columns of records referred to."""
    model = plan.vault_object.model
    own = {model_field.name for model_field in model._meta.concrete_fields}
    wanted = ["uid", "version", "name", "status"]
    for rule in plan.fields:
        if rule.references:
            wanted.append(rule.references[0].attribute)
        elif rule.end is not None:
            attribute = rule.end.attribute
            if attribute.startswith("custom_fields__"):
                wanted.append("custom_fields")
            elif attribute in own:
                wanted.append(attribute)
            else:
                return [*own, *_list_followed(plan)]  # a property of the model, which may read any column
    return [*dict.fromkeys([*wanted, *_list_followed(plan)])]
