"""Which records an outbound integration has to look at: chosen by key in one statement, read in batches of 200.

Choosing and reading are apart on purpose: a batch read by its keys costs the same for the first and for the last of
100,000, whatever the database believes of tables that have just been filled.
"""

from __future__ import annotations

from array import array
from dataclasses import dataclass, field
from functools import reduce
from itertools import cycle
from operator import or_
from typing import TYPE_CHECKING, Any

from django.db import models
from django.db.models import Exists, F, OuterRef, Q, QuerySet, Subquery, Value
from django.db.models.functions import Coalesce

from connections.choices import FieldRuleKind
from connections.filters import limit_records
from crm_sync.accounts import build_identifier_expression
from crm_sync.choices import LinkState
from crm_sync.mapping import ParentState
from crm_sync.models import AccountMatch, TransferLink
from ctms.core.choices import RecordStatus

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from datetime import datetime
    from uuid import UUID

    from crm_sync.plans import IntegrationPlan, ParentPlan

BATCH = 200
_KEYS_PER_FETCH = 10_000
# Primes, so that which records are meant cannot add up to what their versions do.
_WEIGHTS = (1_000_003, 2_718_281, 3_141_601, 5_772_157, 8_314_487)


@dataclass(slots=True, kw_only=True)
class Selection:
    """Keys of the records to look at: those that the CRM has, and those that it never had."""

    in_crm: array[int] = field(default_factory=lambda: array("q"))
    new: array[int] = field(default_factory=lambda: array("q"))
    person_ids: set[int] = field(default_factory=set)
    unchanged: int = 0


def select_records(*, plan: IntegrationPlan, since: datetime | None, rules_changed: bool) -> Selection:
    """Choose records that changed after `since` (all, if None) or show what did, and pending ones.

    Those that the CRM has as they are, and those that are gone there, are counted as unchanged. If the rules changed,
    the payload of every record may differ from the CRM's.
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
    records = limit_records(records=records, conditions=plan.conditions)
    # An inactive record that the CRM never had has nothing to tell it.
    records = records.exclude(status=RecordStatus.INACTIVE, in_crm=False)
    if since is not None and not rules_changed:
        changed = [Q(modified_at__gt=since)]
        changed += [Q(**{f"{path}__modified_at__gt": since}) for path in plan.dependencies]
        records = records.filter(reduce(or_, changed) | Exists(links.filter(pending=True)))
    person = plan.person_field
    person_id: Any = Value(None, models.BigIntegerField())
    if person is not None and person.end is not None:
        person_id = F(f"{person.end.attribute}_id")
    selection = Selection()
    rows = records.order_by("pk").values_list("pk", "in_crm", "is_settled", person_id)
    for pk, in_crm, is_settled, person_pk in rows.iterator(chunk_size=_KEYS_PER_FETCH):
        if is_settled:
            selection.unchanged += 1
            continue
        (selection.in_crm if in_crm else selection.new).append(pk)
        if person_pk is not None:
            selection.person_ids.add(person_pk)
    return selection


def read_records(*, plan: IntegrationPlan, keys: Sequence[int]) -> Iterator[list[Any]]:
    """Read the chosen records in batches, one statement each, with their link, account and parents.

    Each carries `link_pk`, `link_crm_id`, `link_digest`, `link_deletion_base`, `dependency_sum`, `remembered_account`,
    and what `read_parents` reads.
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


def read_parents(*, plan: IntegrationPlan, record: Any, sent: set[UUID]) -> dict[str, ParentState]:
    """What is known of each parent, by target field. `sent` are records that a dry run would have sent."""
    parents = {}
    for index, parent in enumerate(plan.parents):
        uid = getattr(record, f"parent_{index}_uid")
        state = getattr(record, f"parent_{index}_state")
        # A parent that this CRM never had is not sent while it is inactive or does not fulfil the filter, so its
        # children do not wait for it. One that it has stays there, and stays referred to.
        is_active = getattr(record, f"parent_{index}_status") == RecordStatus.ACTIVE
        is_sent = (is_active and getattr(record, f"parent_{index}_matches")) or state is not None
        parents[parent.field.target] = ParentState(
            uid=uid,
            name=getattr(record, f"parent_{index}_name"),
            is_eligible=uid is not None and is_sent and getattr(record, f"parent_{index}_eligible"),
            link_state=LinkState.LIVE if uid in sent else state,
        )
    return parents


def select_deletions(*, plan: IntegrationPlan) -> array[int]:
    """Keys of live links whose record is gone."""
    model: type[models.Model] = plan.vault_object.model
    gone = TransferLink.objects.filter(integration=plan.integration, state=LinkState.LIVE).exclude(
        Exists(model._base_manager.filter(uid=OuterRef("record_uid")))
    )
    return array("q", gone.order_by("pk").values_list("pk", flat=True))


def read_links(keys: array[int]) -> Iterator[list[TransferLink]]:
    """Read links in batches, one statement each."""
    for start in range(0, len(keys), BATCH):
        yield list(TransferLink.objects.filter(pk__in=keys[start : start + BATCH].tolist()).order_by("pk"))


def _build_base(plan: IntegrationPlan) -> QuerySet[Any]:
    """Records with `dependency_sum`, which differs whenever what the payload shows of others may.

    Which record a reference of its own leads to, a record's version tells. Which one a reference of another leads to,
    the sum of versions does not: one version more there may be one less in the record that it leads to now.
    """
    model: type[models.Model] = plan.vault_object.model
    total: Any = Value(0)
    farther = cycle(_WEIGHTS)
    for path in plan.dependencies:
        total = total + Coalesce(F(f"{path}__version"), Value(0))
        if "__" in path:
            total = total + Coalesce(F(f"{path}_id"), Value(0)) * Value(next(farther))
    return model._base_manager.annotate(dependency_sum=total)


def _annotate_account(plan: IntegrationPlan) -> dict[str, Any]:
    person = plan.person_field
    if person is None or person.end is None or plan.identifiers is None:
        return {}
    attribute = person.end.attribute
    # By the value that the person has as the record is read: it may have changed since accounts were looked up.
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


def _annotate_parents(plan: IntegrationPlan) -> dict[str, Any]:
    annotations: dict[str, Any] = {}
    for index, parent in enumerate(plan.parents):
        links = TransferLink.objects.filter(
            integration=parent.integration_id, record_uid=OuterRef(f"{parent.path}__uid")
        ).exclude(crm_id="")
        annotations |= {
            f"parent_{index}_uid": F(f"{parent.path}__uid"),
            f"parent_{index}_name": F(f"{parent.path}__name"),
            f"parent_{index}_status": F(f"{parent.path}__status"),
            f"parent_{index}_eligible": F(f"{parent.path}__{parent.filter_attribute}")
            if parent.filter_attribute
            else Value(value=True),
            f"parent_{index}_matches": _match_parent(parent),
            f"parent_{index}_state": Subquery(links.values("state")[:1]),
        }
    return annotations


def _match_parent(parent: ParentPlan) -> Any:
    if not parent.conditions:
        return Value(value=True)
    matching = limit_records(records=parent.model._base_manager.all(), conditions=parent.conditions)
    return Exists(matching.filter(pk=OuterRef(parent.path)))


def _list_followed(plan: IntegrationPlan) -> list[str]:
    """References through which a rule reads values, so that the record referred to has to be loaded."""
    paths: dict[str, None] = {}
    for rule in plan.fields:
        steps = list(rule.references)
        if rule.kind == FieldRuleKind.FORMATTED_PERSON and rule.end is not None:
            steps.append(rule.end)
        if steps:
            paths["__".join(step.attribute for step in steps)] = None
    return list(paths)


def _list_columns(plan: IntegrationPlan) -> list[str]:
    """Columns that the rules read; of records referred to, all."""
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
