"""Notices on a record's page about its user exceptions of transfers, with links to them.

Those of the integrations that transfer such records stand where the page says where the record is.
For a job that transfers nothing, the app of the job adds the notices, because it knows the record's present state.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.urls import reverse
from django.utils.http import urlencode

from ctms.accounts.policies import has_permission
from ctms.records.pages.notices import NoticePart, RecordNotice, register_record_notice
from exceptions_log.models import ExceptionItem
from exceptions_log.selectors import list_unresolved_items

if TYPE_CHECKING:
    from ctms.records.access import ObjectAccess

MOST_TOLD = 5


def register_exception_notices() -> None:
    """Register the notices of all objects; called once, when the app is ready."""
    register_record_notice(None, _tell_exceptions)


def _tell_exceptions(access: ObjectAccess, record: Any) -> list[RecordNotice]:
    """Return notices of open and dismissed items; none if the user may not read user exceptions."""
    if not has_permission(user=access.user, permission=f"{ExceptionItem.object_name}:read"):
        return []
    items = list(
        list_unresolved_items()
        .filter(record_uid=record.uid, message__connection__isnull=False)
        .exclude(
            integration__rule__vault_object=record.object_name,
            integration__rule__vault_object_type__in=("", getattr(record, "object_type", "")),
        )
        .select_related("message__connection", "dismissed_by")
        .order_by("pk")
    )
    may_open = access.user.is_staff
    notices = [_tell(item, may_open=may_open) for item in items[:MOST_TOLD]]
    more = len(items) - MOST_TOLD
    if more > 0:
        noun = "user exception" if more == 1 else "user exceptions"
        query = urlencode({"record_uid__exact": record.uid, "shown": "all"})
        url = f"{reverse('admin:exceptions_log_exceptionitem_changelist')}?{query}" if may_open else ""
        notices.append(
            RecordNotice(
                parts=(NoticePart(text=f"{more:,} more {noun} of this record.", url=url),),
                icon="warning",
                is_warning=True,
            )
        )
    return notices


def _tell(item: ExceptionItem, *, may_open: bool) -> RecordNotice:
    text = f"Transfer with {item.message.connection} failed: {item.error_message}"
    if item.is_dismissed:
        text += f" It was dismissed by {item.dismissed_by}: “{item.dismissal_reason}”, until the record changes."
    parts = [NoticePart(text=f"{text} " if may_open else text)]
    if may_open:
        url = reverse("admin:exceptions_log_exceptionitem_change", args=(item.pk,))
        parts.append(NoticePart(text="See the user exception.", url=url))
    return RecordNotice(
        parts=tuple(parts), icon="info" if item.is_dismissed else "warning", is_warning=not item.is_dismissed
    )
