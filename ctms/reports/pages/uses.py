"""What reports are to their users: favourites, and when they were run last."""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Mapping

from django.db.models import Max

from ctms.accounts.models import User
from ctms.core.clock import get_now
from ctms.reports.models import Report, ReportUse


def note_run(*, user: User, report: Report) -> None:
    """Remember that the user runs the report now."""
    use = ReportUse(user=user, report=report, last_run_at=get_now())
    ReportUse.objects.bulk_create(
        [use], update_conflicts=True, unique_fields=["user", "report"], update_fields=["last_run_at"]
    )


def switch_favourite(*, user: User, report: Report) -> bool:
    """Mark the report as a favourite of the user, or unmark it. Return whether it is marked now."""
    use, _ = ReportUse.objects.get_or_create(user=user, report=report)
    use.is_favourite = not use.is_favourite
    use.save(update_fields=["is_favourite"])
    return use.is_favourite


def is_favourite(*, user: User, report: Report) -> bool:
    """Whether the user marked the report as a favourite."""
    return ReportUse.objects.filter(user=user, report=report, is_favourite=True).exists()


def list_favourite_keys(user: User) -> set[int]:
    """Return the primary keys of the user's favourites."""
    return set(ReportUse.objects.filter(user=user, is_favourite=True).values_list("report", flat=True))


def read_last_runs(reports: Collection[int]) -> Mapping[int, dt.datetime]:
    """Return when reports were run last, whoever ran them, by their primary keys."""
    runs = ReportUse.objects.filter(report__in=reports, last_run_at__isnull=False)
    return dict(runs.order_by().values("report").annotate(last=Max("last_run_at")).values_list("report", "last"))
