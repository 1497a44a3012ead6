"""The panel of the user's own sites: when the last contact was, what comes next, and what needs something."""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from django.db.models import Count, F, Min, QuerySet
from django.urls import reverse
from django.utils import timezone

from activities.home.whose import ACTIVE, OVERDUE, Filters, build_list_url, count, limit, open_activities
from activities.models import Activity
from ctms.accounts.models import User
from ctms.accounts.policies import list_permitted_types
from ctms.clinical.choices import MonitoringEventState
from ctms.clinical.contacts import LAST, NOT_CONTACTED
from ctms.clinical.models import MonitoringEvent, StudySite
from ctms.records.access import AccessRefusedError, ObjectAccess, open_object, open_related
from ctms.records.addresses import get_record_url
from ctms.records.conditions.mine import ME, MINE, OWNER
from ctms.records.fields.titles import mention_record
from ctms.records.pages.home import HomeRequest
from exceptions_log.at_sites import list_open_at_sites, may_read_items

SITES_SHOWN = 10
# Of so many sites, those that have waited longest, it is found out which need something.
_LOOKED_AT = 200
_MINE: Filters = {OWNER: ME, **ACTIVE}
_PLANNED_STATES = [MonitoringEventState.EXPECTED.value, MonitoringEventState.CONFIRMED.value]


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """What a cell says, and the list that it leads to; no address if there is none for this user."""

    text: str
    url: str = ""
    day: dt.date | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SiteRow:
    """A site of the user. Cells are None where the user may not read what they tell of."""

    label: str
    url: str
    study: str
    last: Cell | None
    days: int | None
    next: Cell | None
    overdue: Cell | None
    visit: Cell | None
    exceptions: Cell | None


@dataclass(frozen=True, slots=True, kw_only=True)
class _Readable:
    """What the user may read besides the sites."""

    activities: ObjectAccess | None
    visits: ObjectAccess | None
    has_contact_dates: bool
    has_exceptions: bool


def build_sites(request: HomeRequest) -> dict[str, Any] | None:
    """Return the panel's context; None if no site belongs to the user, or the user may not read sites."""
    user = request.user
    try:
        access = open_object(user=user, object_name=StudySite.object_name)
    except AccessRefusedError:
        return None
    mine = limit(access=access, filters=_MINE)
    readable = _find_readable(access)
    found = list(
        mine.select_related("study").order_by(
            F("overdue_since").asc(nulls_last=True), F("last_contact").asc(nulls_first=True), "name", "pk"
        )[:_LOOKED_AT]
    )
    if not found:
        return None
    items = list_open_at_sites(user=user, sites=[each.pk for each in found])
    exceptions = _count_by(items.order_by(), "at_site")
    shown = sorted(found, key=lambda site: (site.overdue_since is None, not exceptions[site.pk]))[:SITES_SHOWN]
    return {
        "rows": _build_rows(shown, readable=readable, exceptions=exceptions, user=user),
        "all": count(mine, url=build_list_url(StudySite.object_name, _MINE, sort="name__v")),
        "has_activities": readable.activities is not None,
        "has_contact_dates": readable.has_contact_dates,
        "has_visits": readable.visits is not None,
        "has_exceptions": readable.has_exceptions,
        "overdue_url": build_list_url(Activity.object_name, {**OVERDUE, "site__v": MINE, **ACTIVE}, sort="date__v")
        if readable.activities is not None
        else "",
        "not_contacted_url": build_list_url(StudySite.object_name, {**NOT_CONTACTED, **_MINE}, sort=LAST)
        if readable.has_contact_dates
        else "",
    }


def _find_readable(access: ObjectAccess) -> _Readable:
    activities = open_activities(access.user)
    # The dates of a site tell of all its activities, clinical and medical.
    is_whole = list_permitted_types(user=access.user, object_name=Activity.object_name) is None
    return _Readable(
        activities=activities,
        visits=open_related(access=access, object_name=MonitoringEvent.object_name),
        has_contact_dates=activities is not None and is_whole,
        has_exceptions=may_read_items(access.user),
    )


def _count_by(records: QuerySet[Any], name: str) -> Counter[int]:
    return Counter(dict(records.values(name).annotate(number=Count("pk")).values_list(name, "number")))


def _build_rows(
    sites: Sequence[StudySite], *, readable: _Readable, exceptions: Counter[int], user: User
) -> list[SiteRow]:
    today = timezone.localdate()
    overdue = _count_overdue(sites, access=readable.activities)
    visits = _find_visits(sites, access=readable.visits, today=today)
    return [
        SiteRow(
            label=mention_record(site),
            url=get_record_url(site),
            study=site.study.name,
            last=_tell_last(site, today=today) if readable.has_contact_dates else None,
            days=(today - site.last_contact).days if site.last_contact is not None else None,
            next=_tell_next(site, today=today) if readable.has_contact_dates else None,
            overdue=_tell_overdue(site, number=overdue[site.pk]) if readable.activities is not None else None,
            visit=_tell_visit(site, day=visits.get(site.pk), today=today) if readable.visits is not None else None,
            exceptions=_tell_exceptions(site, number=exceptions[site.pk], user=user)
            if readable.has_exceptions
            else None,
        )
        for site in sites
    ]


def _count_overdue(sites: Sequence[StudySite], *, access: ObjectAccess | None) -> Counter[int]:
    if access is None:
        return Counter()
    return _count_by(limit(access=access, filters={**OVERDUE, **ACTIVE}).filter(site__in=sites).order_by(), "site")


def _list_planned(today: dt.date) -> Filters:
    """Return the filters of visits that are to come."""
    return {
        **ACTIVE,
        "planned_start_date__v__from": today.isoformat(),
        "actual_start_date__v__empty": "true",
        "state__v": _PLANNED_STATES,
    }


def _find_visits(sites: Sequence[StudySite], *, access: ObjectAccess | None, today: dt.date) -> dict[int, dt.date]:
    """Return the day of the next planned visit by site."""
    if access is None:
        return {}
    planned = limit(access=access, filters=_list_planned(today)).filter(site__in=sites).order_by()
    return dict(planned.values("site").annotate(day=Min("planned_start")).values_list("site", "day"))


def _tell_last(site: StudySite, *, today: dt.date) -> Cell:
    if site.last_contact is None:
        return Cell(text="Never")
    filters: Filters = {"complete__v": "true", "date__v__to": today.isoformat()}
    return Cell(text="", day=site.last_contact, url=_link(site, filters, sort="-date__v"))


def _tell_next(site: StudySite, *, today: dt.date) -> Cell:
    if site.next_contact is None or site.next_contact < today:
        return Cell(text="")
    filters: Filters = {"complete__v": "false", "date__v__from": today.isoformat()}
    return Cell(text="", day=site.next_contact, url=_link(site, filters, sort="date__v"))


def _tell_overdue(site: StudySite, *, number: int) -> Cell:
    return Cell(text=f"{number:,}", url=_link(site, OVERDUE, sort="date__v")) if number else Cell(text="")


def _link(site: StudySite, filters: Filters, *, sort: str) -> str:
    return build_list_url(Activity.object_name, {"site__v": str(site.uid), **filters, **ACTIVE}, sort=sort)


def _tell_visit(site: StudySite, *, day: dt.date | None, today: dt.date) -> Cell:
    if day is None:
        return Cell(text="")
    filters: Filters = {"site__v": str(site.uid), **_list_planned(today)}
    url = build_list_url(MonitoringEvent.object_name, filters, sort="planned_start_date__v")
    return Cell(text="", day=day, url=url)


def _tell_exceptions(site: StudySite, *, number: int, user: User) -> Cell:
    """Return the number of open items; it leads to them in the console, for users who may enter that."""
    if not number:
        return Cell(text="")
    url = f"{reverse('admin:exceptions_log_exceptionitem_changelist')}?site={site.uid}" if user.is_staff else ""
    return Cell(text=f"{number:,}", url=url)
