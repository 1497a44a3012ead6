"""Which records an outbound integration has to look at: set-based queries, read in batches by key."""

from __future__ import annotations

from functools import reduce
from operator import or_
from typing import TYPE_CHECKING, Any

from django.db import models
from django.db.models import Exists, F, OuterRef, Q, QuerySet, Subquery, Value
from django.db.models.functions import Coalesce

from crm_sync.choices import LinkState
from crm_sync.models import AccountMatch, TransferLink
from ctms.core.choices import RecordStatus

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from crm_sync.plans import IntegrationPlan

BATCH = 200


def select_candidates(*, plan: IntegrationPlan, since: datetime | None) -> QuerySet[Any]:
    """Records that changed after `since` (all, if None), whose payload shows what changed, or that are pending.

    Each carries its link (`link_pk`, `link_crm_id`, …), `dependency_sum`, whether `in_crm` and `is_current`.
    """
    model: type[models.Model] = plan.vault_object.model
    links = TransferLink.objects.filter(integration=plan.integration, record_uid=OuterRef("uid"))
    records: QuerySet[Any] = model._base_manager.annotate(
        dependency_sum=_sum_dependency_versions(plan),
        link_pk=Subquery(links.values("pk")[:1]),
        link_crm_id=Subquery(links.values("crm_id")[:1]),
        link_digest=Subquery(links.values("digest")[:1]),
        link_deletion_base=Subquery(links.values("deletion_base")[:1]),
        in_crm=Exists(links.exclude(crm_id="")),
        is_current=Exists(
            links.filter(
                ~Q(state=LinkState.LIVE)
                | Q(version=OuterRef("version"), dependency_version=OuterRef("dependency_sum"), pending=False)
            )
        ),
        is_gone=Exists(links.exclude(state=LinkState.LIVE)),
    )
    if plan.object_type:
        records = records.filter(object_type=plan.object_type)
    if plan.filter_attribute:
        records = records.filter(**{plan.filter_attribute: True})
    # An inactive record that the CRM never had has nothing to tell it.
    records = records.exclude(status=RecordStatus.INACTIVE, in_crm=False)
    if since is not None:
        changed = [Q(modified_at__gt=since)]
        changed += [Q(**{f"{path}__modified_at__gt": since}) for path in plan.dependencies]
        records = records.filter(reduce(or_, changed) | Exists(links.filter(pending=True)))
    return records


def select_outdated(*, plan: IntegrationPlan, candidates: QuerySet[Any], rules_changed: bool) -> QuerySet[Any]:
    """Those candidates whose payload may differ from the CRM's; if the rules changed, all that are live there."""
    outdated = candidates.filter(is_gone=False) if rules_changed else candidates.filter(is_current=False)
    if plan.dependencies:
        outdated = outdated.select_related(*plan.dependencies)
    person = plan.person_field
    if person is not None and person.end is not None and plan.identifiers is not None:
        outdated = outdated.annotate(
            remembered_account=Subquery(
                AccountMatch.objects.filter(
                    connection=plan.integration.connection_id,
                    identifier=plan.identifiers.key,
                    person=OuterRef(f"{person.end.attribute}_id"),
                ).values("account_id")[:1]
            )
        )
    for parent in plan.parents:
        end = parent.field.end
        if end is None:
            continue
        path = "__".join([*(r.attribute for r in parent.field.references), end.attribute])
        outdated = outdated.annotate(
            **{
                _name_parent_state(parent.field.target): Subquery(
                    TransferLink.objects.filter(integration=parent.integration_id, record_uid=OuterRef(f"{path}__uid"))
                    .exclude(crm_id="")
                    .values("state")[:1]
                )
            }
        )
    return outdated


def read_parent_states(*, plan: IntegrationPlan, record: Any) -> dict[str, str | None]:
    """Link state of each parent by target field, as `select_outdated` annotated it."""
    return {parent.field.target: getattr(record, _name_parent_state(parent.field.target)) for parent in plan.parents}


def read_in_batches(records: QuerySet[Any]) -> Iterator[list[Any]]:
    """Batches of up to 200 in order of key, one statement each; only one batch is in memory at a time."""
    last = 0
    while batch := list(records.filter(pk__gt=last).order_by("pk")[:BATCH]):
        last = batch[-1].pk
        yield batch


def select_deletions(*, plan: IntegrationPlan) -> QuerySet[TransferLink]:
    """Live links whose record is gone."""
    model = plan.vault_object.model
    return TransferLink.objects.filter(integration=plan.integration, state=LinkState.LIVE).exclude(
        Exists(model._base_manager.filter(uid=OuterRef("record_uid")))
    )


def _sum_dependency_versions(plan: IntegrationPlan) -> Any:
    total: Any = Value(0)
    for path in plan.dependencies:
        total = total + Coalesce(F(f"{path}__version"), Value(0))
    return total


def _name_parent_state(target: str) -> str:
    return f"state_of_{target.lower()}"
