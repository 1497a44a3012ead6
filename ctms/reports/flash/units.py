"""Which flash reports are due, by the clock of the database alone."""

from __future__ import annotations

import datetime as dt

from django.db.models import Q, QuerySet

from ctms.core.choices import RecordStatus
from ctms.core.clock import get_database_now
from ctms.jobs.registry import JobUnit
from ctms.reports.choices import DeliveryState
from ctms.reports.flash.schedule import count_between, find_last, read_schedule
from ctms.reports.models import FlashDelivery, FlashReport

FLASH_JOB_KEY = "flash_reports"
_LONGEST_LABEL = 128


def build_unit(flash: FlashReport) -> JobUnit:
    """Return the unit of the job that delivers a flash report, which has runs of its own."""
    return JobUnit(key=str(flash.uid), label=flash.report.name[:_LONGEST_LABEL])


def list_due_units() -> list[JobUnit]:
    """Return a unit for each flash report that has something to deliver now. Runs three statements at most."""
    now = get_database_now()
    active = list(
        FlashReport.objects.filter(status=RecordStatus.ACTIVE, report__status=RecordStatus.ACTIVE)
        .select_related("report")
        .order_by("report__name", "pk")
    )
    if not active:
        return []
    due = {flash.pk: moment for flash in active if (moment := find_due(flash, now=now)) is not None}
    known = set(FlashDelivery.objects.filter(moment__in=set(due.values())).values_list("flash", "moment").order_by())
    waiting = set(list_waiting(now=now).values_list("flash", flat=True).order_by())
    return [
        build_unit(flash)
        for flash in active
        if flash.pk in waiting or (flash.pk in due and (flash.pk, due[flash.pk]) not in known)
    ]


def find_due(flash: FlashReport, *, now: dt.datetime) -> dt.datetime | None:
    """Return the newest planned moment that has come since the schedule was set; None if none has."""
    moment = find_last(schedule=read_schedule(flash), until=now)
    return moment if moment > flash.counted_from else None


def list_waiting(*, now: dt.datetime) -> QuerySet[FlashDelivery]:
    """Return deliveries to go on with: begun by a worker that died, or failed and to be tried again by now."""
    return FlashDelivery.objects.filter(
        Q(state=DeliveryState.SENDING) | Q(state=DeliveryState.FAILED, next_try_at__lte=now)
    )


def begin_due(flash: FlashReport, *, now: dt.datetime) -> None:
    """Note that the newest planned moment is being delivered, unless it is noted already.

    Moments before it that were not delivered, because nothing ran, are counted. What failed before is not tried again
    by itself: what is sent now says more.
    """
    moment = find_due(flash, now=now)
    if moment is None:
        return
    before = flash.deliveries.filter(moment__lt=moment).order_by("-moment").values_list("moment", flat=True).first()
    since = max(filter(None, (before, flash.counted_from)))
    _, is_new = FlashDelivery.objects.get_or_create(
        flash=flash,
        moment=moment,
        defaults={"missed": count_between(schedule=read_schedule(flash), after=since, before=moment)},
    )
    if is_new:
        flash.deliveries.filter(state=DeliveryState.FAILED, moment__lt=moment).update(next_try_at=None)
