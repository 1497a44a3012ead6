"""One line on each entry of a timeline that says how it went to each CRM."""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from collections.abc import Sequence
from typing import Any
from uuid import UUID

from connections.models import Integration
from crm_sync.choices import AttemptOutcome, LinkState
from crm_sync.models import TransferAttempt, TransferLink
from crm_sync.whereabouts.words import say_deleted, say_received, say_sent
from ctms.core.choices import RecordStatus
from ctms.records.access import ObjectAccess
from ctms.records.timelines.sources import TransferMark, register_transfer_marks
from exceptions_log.selectors import list_unresolved_items


def register_timeline_marks() -> None:
    """Register the marks; called once, when the app is ready."""
    register_transfer_marks(mark_records)


def mark_records(_access: ObjectAccess, records: Sequence[Any]) -> dict[UUID, list[TransferMark]]:
    """Return by uid of a record a line for each CRM that it was sent to or received from, or should have been.

    Runs four statements, one if no integration transfers such records, and none without records.
    """
    names = {each.object_name for each in records}
    integrations = _list_integrations(names)
    if not integrations:
        return {}
    uids = [each.uid for each in records]
    links = {
        (link.integration_id, link.record_uid): link
        for link in TransferLink.objects.filter(integration__in=integrations, record_uid__in=uids)
    }
    failed = set(
        list_unresolved_items()
        .filter(record_uid__in=uids, integration__in=integrations)
        .values_list("integration_id", "record_uid")
    )
    since = _list_since(uids)
    marks: dict[UUID, list[TransferMark]] = defaultdict(list)
    for record in records:
        for integration in integrations:
            if not _takes(integration, record):
                continue
            key = (integration.pk, record.uid)
            mark = _describe(
                integration=integration,
                link=links.get(key),
                version=record.version,
                has_failed=key in failed,
                since=since.get(key),
            )
            if mark is not None:
                marks[record.uid].append(mark)
    return dict(marks)


def _list_integrations(object_names: set[str]) -> list[Integration]:
    if not object_names:
        return []
    return list(
        Integration.objects.filter(rule__vault_object__in=object_names)
        .select_related("connection", "rule")
        .order_by("connection__name", "kind")
    )


def _list_since(uids: Sequence[UUID]) -> dict[tuple[int, UUID | None], dt.datetime]:
    """Return by integration and record when the record came into the CRM last, or from it."""
    created = TransferAttempt.objects.filter(record_uid__in=uids, outcome=AttemptOutcome.CREATED)
    rows = created.order_by("id").values_list("integration_id", "record_uid", "at")
    return {(integration, uid): at for integration, uid, at in rows}


def _takes(integration: Integration, record: Any) -> bool:
    rule = integration.rule
    of_type = rule.vault_object_type in ("", getattr(record, "object_type", ""))
    return bool(rule.vault_object == record.object_name and of_type)


def _is_at_work(integration: Integration) -> bool:
    parts = (integration.status, integration.rule.status, integration.connection.status)
    return all(status == RecordStatus.ACTIVE for status in parts)


def _describe(
    *,
    integration: Integration,
    link: TransferLink | None,
    version: int,
    has_failed: bool,
    since: dt.datetime | None,
) -> TransferMark | None:
    """Return the line; None if the record has nothing to do with the CRM."""
    crm, is_active = integration.connection, _is_at_work(integration)
    if link is not None and link.state == LinkState.DELETED_IN_CRM and not has_failed:
        return TransferMark(text=say_deleted(crm), tone="warning")
    if integration.is_inbound:
        text = say_received(crm, since=since, has_failed=has_failed)
        return TransferMark(text=text, tone="warning" if has_failed else "success") if link is not None else None
    if link is None and not has_failed and not is_active:
        return None
    is_there = link is not None and bool(link.crm_id) and link.state != LinkState.DELETED_IN_CRM
    is_behind = link is not None and is_there and (link.pending or link.version != version) and is_active
    text = say_sent(crm, is_there=is_there, since=since, has_failed=has_failed, is_behind=is_behind)
    if has_failed or is_behind:
        return TransferMark(text=text, tone="warning")
    return TransferMark(text=text, tone="success" if is_there else "")
