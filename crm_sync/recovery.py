"""After a run whose end nobody saw: what did the CRM get?

Calls may have arrived although their answers were never written down. Records that have no link yet are looked up in
the CRM, deleted ones included, before anything is sent: what is there is adopted, and what was deleted there meanwhile
is not brought back. The same for records that were deleted here before their link was written.
"""

from __future__ import annotations

from array import array
from typing import TYPE_CHECKING, Any
from uuid import UUID

from django.db import models, transaction
from django.db.models import Exists, OuterRef

from connections.choices import DeletionMode
from crm_sync.candidates import BATCH
from crm_sync.choices import LinkState
from crm_sync.models import TransferLink
from crm_sync.soql import build_select, chunk_values_by_url, is_in
from ctms.audit.selectors import list_deleted_uids

if TYPE_CHECKING:
    from collections.abc import Iterator

    from crm_sync.context import IntegrationSession

_KEYS_PER_FETCH = 10_000


def adopt_unconfirmed(*, session: IntegrationSession) -> None:
    """Write links for all records without one that the CRM knows already."""
    for uids in _list_unlinked(session):
        found: list[dict[str, Any]] = []
        for chunk in chunk_values_by_url(uids):
            found += _find_in_crm(session=session, uids=chunk)
        _adopt(session=session, found=found)


def _list_unlinked(session: IntegrationSession) -> Iterator[list[str]]:
    # Whatever is eligible now: a record may have been made Inactive, or switched off, since it was sent.
    model: type[models.Model] = session.plan.vault_object.model
    linked = TransferLink.objects.filter(integration=session.integration, record_uid=OuterRef("uid")).exclude(crm_id="")
    records = model._base_manager.exclude(Exists(linked))
    if session.plan.object_type:
        records = records.filter(object_type=session.plan.object_type)
    keys = array("q", records.order_by("pk").values_list("pk", flat=True).iterator(chunk_size=_KEYS_PER_FETCH))
    for start in range(0, len(keys), BATCH):
        uids = model._base_manager.filter(pk__in=keys[start : start + BATCH].tolist()).values_list("uid", flat=True)
        yield [str(uid) for uid in uids]
    links = TransferLink.objects.filter(integration=session.integration).exclude(crm_id="")
    deleted = list_deleted_uids(
        object_name=session.plan.vault_object.api_name, since=session.integration.progress.last_successful_run_at
    )
    known = set(links.filter(record_uid__in=deleted).values_list("record_uid", flat=True))
    yield [str(uid) for uid in deleted if uid not in known]


def _find_in_crm(*, session: IntegrationSession, uids: list[str]) -> list[dict[str, Any]]:
    plan = session.plan
    fields = ["Id", plan.external_id_field, "IsDeleted"]
    if plan.deletion_mode == DeletionMode.APPEND:
        fields.append(plan.deletion_field)
    soql = build_select(plan.crm_object, fields, where=is_in(plan.external_id_field, uids))
    return [row for page in session.run.query(soql, include_deleted=True) for row in page]


def _adopt(*, session: IntegrationSession, found: list[dict[str, Any]]) -> None:
    plan = session.plan
    rows: dict[str, dict[str, Any]] = {}
    for row in found:
        uid = str(row[plan.external_id_field])
        # A live record wins over deleted ones of the same external id.
        if uid not in rows or rows[uid]["IsDeleted"]:
            rows[uid] = row
    links = [
        TransferLink(
            integration=session.integration,
            record_uid=UUID(uid),
            crm_id=row["Id"],
            state=LinkState.DELETED_IN_CRM if row["IsDeleted"] else LinkState.LIVE,
            pending=not row["IsDeleted"],
            deletion_base=str(row.get(plan.deletion_field) or "") if plan.deletion_mode == DeletionMode.APPEND else "",
        )
        for uid, row in rows.items()
    ]
    if not links:
        return
    with transaction.atomic():
        session.run.renew_lease()
        TransferLink.objects.bulk_create(
            links,
            update_conflicts=True,
            unique_fields=["integration", "record_uid"],
            update_fields=["crm_id", "state", "pending", "deletion_base"],
        )
