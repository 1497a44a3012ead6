"""One line on each entry of a timeline that says how it went to each CRM."""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from collections.abc import Sequence
from typing import Any
from uuid import UUID

from django.utils.formats import date_format

from connections.models import Integration
from crm_sync.choices import AttemptOutcome, LinkState
from crm_sync.models import TransferAttempt, TransferLink
from ctms.core.choices import RecordStatus
from ctms.records.access import ObjectAccess
from ctms.records.fields.comparing.moments import to_zone
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
    crm = str(integration.connection)
    when = f" {date_format(to_zone(since), 'DATE_FORMAT')}" if since else ""
    is_there = link is not None and bool(link.crm_id)
    if has_failed:
        text = f"In {crm}, but the last change was not transferred" if is_there else f"Not in {crm}: it failed"
        return TransferMark(text=text, tone="warning")
    if link is None:
        return TransferMark(text=f"Not in {crm}") if not integration.is_inbound and _is_at_work(integration) else None
    text, tone = f"In {crm}{when and f' since{when}'}", "success"
    if link.state == LinkState.DELETED_IN_CRM:
        text, tone = f"Deleted in {crm}", "warning"
    elif integration.is_inbound:
        text = f"Received from {crm}{when and f' on{when}'}"
    elif link.pending or not link.crm_id:
        text, tone = f"Waits for {crm}", "warning"
    elif link.version != version and _is_at_work(integration):
        text, tone = f"In {crm}, the last change follows", "warning"
    return TransferMark(text=text, tone=tone)
