"""The home page's panel of activities."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

from django.db.models import QuerySet
from django.http import QueryDict
from django.urls import reverse

from activities.models import Activity
from ctms.accounts.models import User
from ctms.accounts.policies import list_visible
from ctms.clinical.models import Study, StudySite
from ctms.core.choices import RecordStatus
from ctms.core.clock import get_now
from ctms.core.models import VaultRecord
from ctms.records.access import AccessRefusedError, ObjectAccess, open_object, open_related
from ctms.records.addresses import get_record_url
from ctms.records.conditions.mine import ME, MINE, MINE_HERE, OWNER
from ctms.records.fields.shown_value import ShownValue
from ctms.records.fields.values import ValueReader, select_references
from ctms.records.lists.filters import read_filters
from ctms.records.lists.order.keyset_pagination import COUNT_CAP, count_capped
from ctms.records.pages.home import HomePanel, register_home_panel

OVERDUE_SHOWN = 10
WEEK_SHOWN = 25
_FIELDS = ("complete__v", "person__v", "channel__v", "study__v", "site__v")
# Filters of the lists that the panel links to, beside those that say whose the activities are.
_OVERDUE = {"complete__v": "false", "date__v__within": "past"}
# All of the week but what is overdue, which the panel shows above.
_WEEK = {"date__v__within": "this_week", "any2.complete__v": "true", "any2.date__v__not_within": "past"}
_OF_MY_STUDIES = {"study__v": MINE}
_MINE = "My activities: overdue and of this week"
_OF_STUDIES = "Activities of my assigned studies: overdue and of this week"


@dataclass(frozen=True, slots=True, kw_only=True)
class WeekRow:
    """An activity of the panel with its shown values by API name."""

    activity: Activity
    url: str
    is_overdue: bool
    values: dict[str, ShownValue]


@dataclass(frozen=True, slots=True, kw_only=True)
class More:
    """How many activities are not shown, and their list; `count` is text, because counting stops at a limit."""

    count: str
    url: str


def get_local_date(user: User) -> dt.date:
    """Return today's date in the user's time zone."""
    return get_now().astimezone(ZoneInfo(user.time_zone)).date()


def list_my_activities(access: ObjectAccess) -> tuple[QuerySet[Activity], dict[str, str]]:
    """Return the Active activities that are the user's, and the parameters with which the list shows the same.

    They are those of the user's assigned studies instead if the user owns nothing yet.
    """
    can_read_sites = open_related(access=access, object_name=StudySite.object_name) is not None
    # The owner of a site sees what is there only with the site itself.
    parameters = dict(MINE_HERE) if can_read_sites else {OWNER: ME}
    mine = _limit(access=access, parameters=parameters)
    if not mine.exists() and not owns_site(access.user):
        parameters = _OF_MY_STUDIES if open_related(access=access, object_name=Study.object_name) else {OWNER: ME}
        mine = _limit(access=access, parameters=parameters)
    return mine, parameters


def owns_site(user: User) -> bool:
    """Whether a site that the user sees belongs to the user."""
    return list_visible(StudySite.objects.filter(owner=user), user).exists()


def _limit(*, access: ObjectAccess, parameters: Mapping[str, str]) -> QuerySet[Activity]:
    filters = read_filters(access=access, parameters=QueryDict(urlencode(parameters)))
    return filters.limit(access.list_records()).filter(status=RecordStatus.ACTIVE)


def build_my_week(user: User) -> dict[str, Any] | None:
    """Return the panel's context: overdue activities, oldest first, then all of this week (Monday to Sunday) by date.

    None if the user may read no activities.
    """
    try:
        access = open_object(user=user, object_name=Activity.object_name)
    except AccessRefusedError:
        return None
    today = get_local_date(user)
    monday = today - dt.timedelta(days=today.weekday())
    mine, whose = list_my_activities(access)
    sites = open_related(access=access, object_name=StudySite.object_name)
    overdue = mine.filter(complete=False, date__lt=today)
    week = mine.filter(date__gte=monday, date__lt=monday + dt.timedelta(days=7)).exclude(complete=False, date__lt=today)
    return {
        "rows": [
            *_build_rows(access=access, activities=overdue, size=OVERDUE_SHOWN, are_overdue=True),
            *_build_rows(access=access, activities=week, size=WEEK_SHOWN, are_overdue=False),
        ],
        "more_overdue": _count_more(activities=overdue, shown=OVERDUE_SHOWN, filters=_OVERDUE | whose),
        "more_of_week": _count_more(activities=week, shown=WEEK_SHOWN, filters=_WEEK | whose),
        "overdue_at_my_sites": _build_list_url(_OVERDUE | {"site__v": MINE}) if sites else "",
        "is_of_studies": whose == _OF_MY_STUDIES,
        "title": _OF_STUDIES if whose == _OF_MY_STUDIES else _MINE,
        "sites_to_take": _build_url(StudySite, {f"{OWNER}__empty": "true", "study__v": MINE}, sort="name__v")
        if sites and not owns_site(user)
        else "",
        "may_take_sites": sites is not None and sites.allows("edit"),
        "today": today,
    }


def _build_rows(*, access: ObjectAccess, activities: QuerySet[Activity], size: int, are_overdue: bool) -> list[WeekRow]:
    fields = [access.shape.fields[name] for name in _FIELDS]
    found = list(select_references(records=activities.order_by("date", "id"), fields=fields)[:size])
    reader = ValueReader(access=access)
    return [
        WeekRow(
            activity=activity,
            url=get_record_url(activity),
            is_overdue=are_overdue,
            values={field.api_name: reader.show(record=activity, field=field) for field in fields},
        )
        for activity in found
    ]


def _count_more(*, activities: QuerySet[Activity], shown: int, filters: dict[str, str]) -> More | None:
    count = count_capped(activities)
    if count <= shown:
        return None
    return More(
        count=f"{COUNT_CAP - shown:,} or more" if count > COUNT_CAP else f"{count - shown:,}",
        url=_build_list_url(filters),
    )


def _build_list_url(filters: dict[str, str]) -> str:
    return _build_url(Activity, filters, sort="date__v")


def _build_url(model: type[VaultRecord], filters: dict[str, str], *, sort: str) -> str:
    parameters = filters | {"status__v": RecordStatus.ACTIVE, "sort": sort}
    return f"{reverse('record_list', args=(model.object_name,))}?{urlencode(parameters)}"


def register_activity_panel() -> None:
    """Register the panel; called once, when the app is ready."""
    register_home_panel(HomePanel(title=_MINE, template="home/my_week.html", build=build_my_week))
