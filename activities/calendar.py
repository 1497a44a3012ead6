"""Planned activities in the calendar."""

from __future__ import annotations

from typing import Any

from django.db.models import Q

from activities.models import Activity
from activities.objects import CHANNEL_ICONS, describe_completion, is_open
from ctms.clinical.models import MonitoringEvent
from ctms.records.access import ObjectAccess, open_related
from ctms.records.calendar.sources import CalendarSource, register_calendar_source


def register_planned_activities() -> None:
    """Show activities in the calendar. Called once, from `AppConfig.ready()`."""
    register_calendar_source(
        CalendarSource(
            object_name=Activity.object_name,
            starts=("date__v",),
            title="subject__v",
            captions=("person__v", "site__v"),
            icon=find_icon,
            describe=describe_completion,
            is_complete=is_complete,
            complete=Q(complete=True),
            over=Q(complete=True),
            leave_out=leave_out_of_visits,
            moved=("date__v",),
            is_movable=is_open,
            plan_label="Plan an activity",
            position=1,
        )
    )


def find_icon(activity: Any) -> str:
    """Return the icon of the activity's channel."""
    return CHANNEL_ICONS.get(activity.channel, "activity")


def is_complete(activity: Any) -> bool:
    """Whether the activity took place."""
    return bool(activity.complete)


def leave_out_of_visits(access: ObjectAccess) -> Q:
    """Leave out the activities that were generated from a visit, one for each participant, if the visit is shown."""
    if open_related(access=access, object_name=MonitoringEvent.object_name) is None:
        return Q()
    return Q(is_generated=True, monitoring_event__isnull=False)
