"""What could not be transferred of a user's own records, for the daily digest."""

from __future__ import annotations

from django.db.models import Q, Subquery

from ctms.accounts.models import User
from ctms.accounts.policies import has_permission
from ctms.configuration.registry import list_record_objects
from ctms.configuration.snapshot import load_configuration
from ctms.records.access import AccessRefusedError, open_object
from ctms.records.conditions.mine import OWNER, limit_to_owned
from ctms.records.fields.record_links import find_links
from ctms.reports.digest.parts import DigestPart, DigestRow, register_digest_part
from exceptions_log.models import ExceptionItem
from exceptions_log.selectors import list_open_items

_MOST_READ, _MOST_SHOWN = 500, 30


def register_digest() -> None:
    """Register the part; called once, when the app is ready."""
    register_digest_part(build_failed)


def build_failed(user: User) -> DigestPart | None:
    """Return the user's own records that were not transferred; None if the user may read none that has an owner.

    Users who may read user exceptions are told why. Runs two statements.
    """
    is_told_why = has_permission(user=user, permission=f"{ExceptionItem.object_name}:read")
    mine = _build_condition(user)
    if not mine:
        return None
    items = list(list_open_items().filter(mine).order_by("-last_failed_at", "-pk")[:_MOST_READ])
    shown = [(each, each.record_uid) for each in items[:_MOST_SHOWN] if each.record_uid is not None]
    links = find_links(user=user, references=[(each.record_object, uid) for each, uid in shown])
    rows = tuple(
        DigestRow(
            text=links[uid].label,
            note=" ".join(each.error_message.split()) if is_told_why else "",
            path=links[uid].url,
        )
        for each, uid in shown
        if uid in links
    )
    return DigestPart(title="Not transferred", rows=rows, count=len(items), is_more=len(items) == _MOST_READ)


def _build_condition(user: User) -> Q:
    """Return the condition of items about records that the user sees and owns, or whose site the user owns."""
    configuration, condition = load_configuration(), Q()
    for each in list_record_objects():
        if OWNER not in each.fields:
            continue
        try:
            access = open_object(user=user, object_name=each.api_name, configuration=configuration)
        except AccessRefusedError:
            continue
        owned = limit_to_owned(access.list_records(), user).order_by().values("uid")
        condition |= Q(record_object=each.api_name, record_uid__in=Subquery(owned))
    return condition
