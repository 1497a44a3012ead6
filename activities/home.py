"""The home page's panel of activities."""

from __future__ import annotations

import datetime as dt
from typing import Any
from zoneinfo import ZoneInfo

from django.db.models import Q, QuerySet

from activities.models import Activity
from ctms.accounts.models import User
from ctms.accounts.policies import list_permitted_types
from ctms.clinical.access import limit_to_visible_studies
from ctms.clinical.models import StudyAssignment
from ctms.core.choices import RecordStatus
from ctms.core.clock import get_now
from ctms.records.home import HomePanel, find_record_url, register_home_panel

OVERDUE_SHOWN = 10
WEEK_SHOWN = 25


def get_local_date(user: User) -> dt.date:
    """Today where the user is."""
    return get_now().astimezone(ZoneInfo(user.time_zone)).date()


def list_my_activities(user: User) -> QuerySet[Activity]:
    """Active activities that the user created or that are of the user's studies, as far as the user may read them."""
    assigned = StudyAssignment.objects.filter(user=user).values("study")
    mine = Activity.objects.filter(Q(created_by=user) | Q(study__in=assigned), status=RecordStatus.ACTIVE)
    permitted = list_permitted_types(user=user, object_name=Activity.object_name)
    if permitted is not None:
        mine = mine.filter(object_type__in=permitted)
    return limit_to_visible_studies(queryset=mine, user=user).select_related("person", "study", "site")


def build_my_week(user: User) -> dict[str, Any]:
    """Planned activities that are overdue, longest first, then all of this week (Monday to Sunday) in order."""
    today = get_local_date(user)
    monday = today - dt.timedelta(days=today.weekday())
    mine = list_my_activities(user)
    overdue = mine.filter(complete=False, date__lt=today).order_by("date", "id")
    week = (
        mine.filter(date__gte=monday, date__lt=monday + dt.timedelta(days=7))
        .exclude(complete=False, date__lt=today)
        .order_by("date", "id")
    )
    late, due = list(overdue[: OVERDUE_SHOWN + 1]), list(week[: WEEK_SHOWN + 1])
    rows = [_build_row(user=user, activity=activity, is_overdue=True) for activity in late[:OVERDUE_SHOWN]]
    rows += [_build_row(user=user, activity=activity, is_overdue=False) for activity in due[:WEEK_SHOWN]]
    return {
        "rows": rows,
        "more_overdue": len(late) > OVERDUE_SHOWN,
        "more_of_week": len(due) > WEEK_SHOWN,
        "overdue_shown": OVERDUE_SHOWN,
        "week_shown": WEEK_SHOWN,
        "today": today,
    }


def _build_row(*, user: User, activity: Activity, is_overdue: bool) -> dict[str, Any]:
    return {
        "activity": activity,
        "is_overdue": is_overdue,
        "url": find_record_url(user=user, model=Activity, key=activity.pk),
    }


def register_activity_panel() -> None:
    """Called once, when the app is ready."""
    register_home_panel(
        HomePanel(title="My activities of this week", template="home/my_week.html", build=build_my_week)
    )
