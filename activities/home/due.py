"""The panel of what is due and overdue: open activities by day, each with Done and Reschedule in place."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, field
from typing import Any

from django.db.models import QuerySet

from activities.home.whose import OVERDUE, Counted, Filters, MyActivities, build_list_url, count, open_activities
from activities.models import Activity
from ctms.clinical.models import StudySite
from ctms.records.access import ObjectAccess
from ctms.records.addresses import build_record_url, get_record_url
from ctms.records.conditions.mine import MINE, OWNER
from ctms.records.fields.shown_value import ShownValue
from ctms.records.fields.titles import get_title
from ctms.records.fields.values import ValueReader, select_references
from ctms.records.pages.home import HomeRequest

OVERDUE_SHOWN = 10
DAY_SHOWN = 10
DONE_SHOWN = 10
_FIELDS = ("person__v", "site__v", "study__v", "channel__v")
_OPEN: Filters = {"complete__v": "false"}
_MINE = "My activities: due and overdue"
_OF_STUDIES = "Activities of my assigned studies: due and overdue"


@dataclass(frozen=True, slots=True, kw_only=True)
class DueRow:
    """An activity of the panel with its shown values by API name.

    `done_url` and `date_url` are empty for an activity that the user cannot complete or reschedule. `steps` are the
    dates that a step of the reschedule form leads to, as ISO dates: a day and a week later, counted from today for
    what is overdue.
    """

    activity: Activity
    title: str
    url: str
    values: dict[str, ShownValue]
    age: str = ""
    done_url: str = ""
    date_url: str = ""
    steps: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class DueGroup:
    """Activities of a day or a few, the first of them as rows. `total` counts all, and leads to their list."""

    key: str
    title: str
    total: Counted
    rows: list[DueRow] = field(default_factory=list)

    @property
    def has_more(self) -> bool:
        return self.total.number > len(self.rows)


def build_due(request: HomeRequest) -> dict[str, Any] | None:
    """Return the panel's context; None if the user may read no activities."""
    access = open_activities(request.user)
    if access is None:
        return None
    mine = MyActivities(access=access)
    groups = [_read_group(mine, *each) for each in _list_spans(mine.today)]
    done = _read_group(mine, "done", "Done today", {"complete__v": "true", "date__v__within": "today"}, DONE_SHOWN)
    later_from = max(_find_sunday(mine.today), mine.today + dt.timedelta(days=1)) + dt.timedelta(days=1)
    later: Filters = {**_OPEN, "date__v__from": later_from.isoformat()}
    sites = mine.sites
    return {
        "title": _OF_STUDIES if mine.is_of_studies else _MINE,
        "groups": [each for each in groups if each.rows],
        "done": done if done.rows else None,
        "later": count(mine.list_records(later), url=mine.build_url(later)),
        "is_of_studies": mine.is_of_studies,
        "sites_to_take": _build_sites_to_take() if sites is not None and not mine.owns_site else "",
        "may_take_sites": sites is not None and sites.allows("edit"),
        "today": mine.today,
        "query": request.query,
    }


def _build_sites_to_take() -> str:
    filters = {f"{OWNER}__empty": "true", "study__v": MINE, "status__v": "active__v"}
    return build_list_url(StudySite.object_name, filters, sort="name__v")


def _find_sunday(day: dt.date) -> dt.date:
    return day + dt.timedelta(days=6 - day.weekday())


def _list_spans(today: dt.date) -> list[tuple[str, str, Filters, int]]:
    """Return key, title, filters and most rows of each group; none for the rest of a week that ends tomorrow."""
    spans: list[tuple[str, str, Filters, int]] = [
        ("overdue", "Overdue", OVERDUE, OVERDUE_SHOWN),
        ("today", "Today", {**_OPEN, "date__v__within": "today"}, DAY_SHOWN),
        ("tomorrow", "Tomorrow", {**_OPEN, "date__v__within": "tomorrow"}, DAY_SHOWN),
    ]
    first, sunday = today + dt.timedelta(days=2), _find_sunday(today)
    if first <= sunday:
        days: Filters = {**_OPEN, "date__v__from": first.isoformat(), "date__v__to": sunday.isoformat()}
        spans.append(("week", "This week", days, DAY_SHOWN))
    return spans


def _read_group(mine: MyActivities, key: str, title: str, filters: Filters, size: int) -> DueGroup:
    found = mine.list_records(filters)
    return DueGroup(
        key=key,
        title=title,
        total=count(found, url=mine.build_url(filters)),
        rows=_build_rows(mine, activities=found, size=size),
    )


def _build_rows(mine: MyActivities, *, activities: QuerySet[Any], size: int) -> list[DueRow]:
    access = mine.access
    fields = [access.shape.fields[name] for name in _FIELDS]
    found = list(select_references(records=activities.order_by("date", "id"), fields=fields)[:size])
    reader = ValueReader(access=access)
    return [
        DueRow(
            activity=activity,
            title=get_title(activity),
            url=get_record_url(activity),
            values={each.api_name: reader.show(record=activity, field=each) for each in fields},
            age=_tell_age(activity, today=mine.today),
            **_offer_changes(access, activity=activity, today=mine.today),
        )
        for activity in found
    ]


def _tell_age(activity: Activity, *, today: dt.date) -> str:
    days = (today - activity.date).days
    if activity.complete or days <= 0:
        return ""
    return "1 day overdue" if days == 1 else f"{days:,} days overdue"


def _offer_changes(access: ObjectAccess, *, activity: Activity, today: dt.date) -> dict[str, Any]:
    if activity.complete or access.explain_edit(activity):
        return {}
    start = max(activity.date, today)
    return {
        "done_url": _build_url("record_change", activity, "complete"),
        "date_url": _build_url("record_field", activity, "date__v"),
        "steps": tuple((start + dt.timedelta(days=days)).isoformat() for days in (1, 7)),
    }


def _build_url(page: str, activity: Activity, name: str) -> str:
    return build_record_url(page=page, object_name=activity.object_name, uid=activity.uid, name=name)
