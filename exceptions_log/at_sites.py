"""Which open user exceptions are about records at which site, as far as a user may read these records."""

from __future__ import annotations

from typing import Any

from django.db.models import BigIntegerField, Case, OuterRef, QuerySet, Subquery, Value, When

from ctms.accounts.models import User
from ctms.accounts.policies import has_permission
from ctms.clinical.assignments import list_paths
from ctms.clinical.models import StudySite
from ctms.configuration.registry import list_record_objects
from ctms.configuration.snapshot import load_configuration
from ctms.records.access import AccessRefusedError, open_object
from exceptions_log.models import ExceptionItem
from exceptions_log.selectors import list_open_items


def may_read_items(user: User) -> bool:
    """Whether the user may read user exceptions."""
    return has_permission(user=user, permission=f"{ExceptionItem.object_name}:read")


def list_open_at_sites(*, user: User, sites: Any) -> QuerySet[ExceptionItem]:
    """Return the open items about records at these sites (keys), and about the sites themselves; `at_site` is the key.

    What the user may not read is left out. Takes no statement before it is read.
    """
    if not may_read_items(user):
        return ExceptionItem.objects.none()
    configuration = load_configuration()
    cases = []
    for each in list_record_objects():
        paths = list_paths(each.model, StudySite)
        try:
            access = open_object(user=user, object_name=each.api_name, configuration=configuration) if paths else None
        except AccessRefusedError:
            access = None
        if access is not None:
            named = access.list_records().order_by().filter(uid=OuterRef("record_uid")).values(paths[0])[:1]
            cases.append(When(record_object=each.api_name, then=Subquery(named)))
    if not cases:
        return ExceptionItem.objects.none()
    at_site = Case(*cases, default=Value(None), output_field=BigIntegerField())
    return list_open_items().annotate(at_site=at_site).filter(at_site__in=sites)
