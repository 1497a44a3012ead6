"""Visits in the calendar: on their actual days as soon as they have begun, until then on the planned ones."""

from __future__ import annotations

from django.db.models import Q
from django.utils import timezone

from ctms.clinical.choices import MonitoringEventState
from ctms.clinical.models import MonitoringEvent
from ctms.records.access import ObjectAccess
from ctms.records.calendar.sources import CalendarSource, register_calendar_source

_OVER = (MonitoringEventState.READY_FOR_REVIEW, MonitoringEventState.FINAL)


def register_visits() -> None:
    """Show monitoring events in the calendar. Called once, from `AppConfig.ready()`."""
    register_calendar_source(
        CalendarSource(
            object_name=MonitoringEvent.object_name,
            starts=("actual_start_date__v", "planned_start_date__v"),
            ends=("actual_end_date__v", "planned_end_date__v"),
            title="site__v",
            captions=("object_type__v",),
            describe=describe_visit,
            is_complete=is_complete,
            over=Q(actual_end__isnull=False) | Q(lifecycle_state__in=_OVER),
            leave_out=leave_out_cancelled,
            moved=("planned_start_date__v", "planned_end_date__v"),
            is_movable=is_movable,
            plan_label="Plan a visit",
        )
    )


def describe_visit(visit: MonitoringEvent) -> tuple[str, str]:
    """Return tone and word of a visit: done, begun, overdue by the user's time zone, or its state."""
    if is_complete(visit):
        return "complete", "Done"
    if visit.actual_start is not None:
        return "neutral", "Begun"
    if visit.planned_start is not None and (visit.planned_end or visit.planned_start) < timezone.localdate():
        return "overdue", "Overdue"
    return "planned", visit.get_lifecycle_state_display()


def is_complete(visit: MonitoringEvent) -> bool:
    """Whether the visit took place: it has its actual end, or is being reviewed."""
    return visit.actual_end is not None or visit.lifecycle_state in _OVER


def is_movable(visit: MonitoringEvent) -> bool:
    """Whether its planned days may be moved: it has neither begun nor been completed."""
    return visit.actual_start is None and visit.planned_start is not None and not is_complete(visit)


def leave_out_cancelled(_access: ObjectAccess) -> Q:
    """Leave cancelled visits out."""
    return Q(lifecycle_state=MonitoringEventState.CANCELLED)
