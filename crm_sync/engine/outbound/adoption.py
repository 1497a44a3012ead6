"""Find records that the CRM received in an interrupted run, which wrote no link for them.

Records without a link, and records that were deleted in the Vault since then, are looked up in the CRM by external id
before anything is sent, its deleted records included. Those found get a link, so that no record is created twice, and
none that was deleted in the CRM is created again.
"""

from __future__ import annotations

from array import array
from typing import TYPE_CHECKING
from uuid import UUID

from django.db import models, transaction
from django.db.models import Exists, OuterRef

from connections.choices import DeletionMode
from crm_sync.choices import LinkState
from crm_sync.engine.outbound.batches import store_acceptable
from crm_sync.engine.outbound.selection import BATCH
from crm_sync.models import TransferLink
from ctms.audit.bookmarks import list_deleted_uids

if TYPE_CHECKING:
    from collections.abc import Iterator

    from crm_sync.crm.dialect import CrmRow
    from crm_sync.engine.run_session import IntegrationSession
    from ctms.audit.bookmarks import Bookmark

_KEYS_PER_FETCH = 10_000


def adopt_unconfirmed(*, session: IntegrationSession, since: Bookmark | None) -> None:
    """Write a link for every record that has none although the CRM has the record.

    Deleted records are looked up if they were deleted since a place in the audit trail, or at any time if it is None.
    A run that is limited to one record looks up that one.
    """
    only = session.run.only
    for uids in _list_unlinked(session=session, since=since) if only is None else _list_only(session, only):
        _adopt(session=session, found=_find_in_crm(session=session, uids=uids))


def _list_unlinked(*, session: IntegrationSession, since: Bookmark | None) -> Iterator[list[str]]:
    # Records that are not eligible any more are included: they may have been when they were sent.
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
    deleted = list_deleted_uids(object_name=session.plan.vault_object.api_name, since=since)
    known = set(links.filter(record_uid__in=deleted).values_list("record_uid", flat=True))
    # Those whose deletion was undone are among the records above.
    known |= set(model._base_manager.filter(uid__in=deleted).values_list("uid", flat=True))
    yield [str(uid) for uid in deleted if uid not in known]


def _list_only(session: IntegrationSession, uid: UUID) -> Iterator[list[str]]:
    linked = TransferLink.objects.filter(integration=session.integration, record_uid=uid).exclude(crm_id="")
    yield [] if linked.exists() else [str(uid)]


def _find_in_crm(*, session: IntegrationSession, uids: list[str]) -> list[CrmRow]:
    plan = session.plan
    fields = [plan.external_id_field]
    if plan.deletion_mode == DeletionMode.APPEND:
        fields.append(plan.deletion_field)
    found = session.run.find_by_external_id(
        object_name=plan.crm_object, fields=fields, field_name=plan.external_id_field, values=uids
    )
    return list(found)


def _adopt(*, session: IntegrationSession, found: list[CrmRow]) -> None:
    plan = session.plan
    rows: dict[str, CrmRow] = {}
    for row in found:
        uid = str(row.get(plan.external_id_field))
        # A live record wins over deleted ones of the same external id.
        if uid not in rows or rows[uid].is_deleted:
            rows[uid] = row
    links = [
        TransferLink(
            integration=session.integration,
            record_uid=UUID(uid),
            crm_id=row.crm_id,
            state=LinkState.DELETED_IN_CRM if row.is_deleted else LinkState.LIVE,
            pending=not row.is_deleted,
            deletion_base=str(row.get(plan.deletion_field) or "") if plan.deletion_mode == DeletionMode.APPEND else "",
        )
        for uid, row in rows.items()
    ]
    if not links:
        return
    if dry_run := session.run.dry_run:
        dry_run.adopted[session.integration.pk].update({link.record_uid: link for link in links if link.record_uid})
        for link in links:
            dry_run.note_state(crm_object=plan.crm_object, uids=[link.record_uid], state=LinkState(link.state))
        return
    with transaction.atomic():
        session.run.renew_lease()
        # A link that is refused here is refused again, and told, when its record is sent.
        store_acceptable(links, columns=["crm_id", "state", "pending", "deletion_base"])
