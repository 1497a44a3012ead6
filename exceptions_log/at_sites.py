"""Which open user exceptions are about records at which site, as far as a user may read these records."""

from __future__ import annotations

from typing import Any

from django.db.models import BigIntegerField, Case, OuterRef, QuerySet, Subquery, Value, When

from ctms.accounts.models import User
from ctms.accounts.policies import has_permission
from ctms.clinical.assignments import list_paths
from ctms.clinical.models import StudySite
from ctms.configuration.registry import list_record_objects
from ctms.configuration.snapshot import Configuration, load_configuration
from ctms.records.access import AccessRefusedError, ObjectAccess, open_object
from exceptions_log.models import ExceptionItem
from exceptions_log.selectors import list_open_items


def may_read_items(user: User) -> bool:
    """Whether the user may read user exceptions."""
    return has_permission(user=user, permission=f"{ExceptionItem.object_name}:read")


def list_open_at_sites(*, user: User, sites: Any) -> QuerySet[ExceptionItem]:
    """Return the open items about records at these sites (keys), and about the sites themselves; `at_site` is the key.

    What the user may not read is left out. Takes no statement before it is read.
    """
    configuration = load_configuration()
    cases = []
    for each in list_record_objects():
        paths = list_paths(each.model, StudySite)
        access = _open(each.api_name, user=user, configuration=configuration) if paths else None
        if access is not None:
            named = access.list_records().order_by().filter(uid=OuterRef("record_uid")).values(paths[0])[:1]
            cases.append(When(record_object=each.api_name, then=Subquery(named)))
    at_site = Case(*cases, default=Value(None), output_field=BigIntegerField())
    items = list_open_items() if may_read_items(user) else ExceptionItem.objects.none()
    return items.annotate(at_site=at_site).filter(at_site__in=sites)


def _open(object_name: str, *, user: User, configuration: Configuration) -> ObjectAccess | None:
    try:
        return open_object(user=user, object_name=object_name, configuration=configuration)
    except AccessRefusedError:
        return None
