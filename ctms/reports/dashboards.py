"""Dashboards: who sees which, what stands on them, and which one is on a user's home page."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models import Q, QuerySet

from ctms.accounts.models import User
from ctms.audit.actors import Actor
from ctms.audit.services import create_records, delete_record, delete_records, save_record, update_records
from ctms.reports.access import StoredReport, list_reports, may
from ctms.reports.models import Dashboard, DashboardTile, HomeDashboard, Report

MOST_TILES = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class SeenDashboard:
    """A dashboard as one user sees it: the reports that the user may open, and how many others stand on it."""

    dashboard: Dashboard
    reports: list[StoredReport]
    hidden: int


def list_dashboards(user: User) -> QuerySet[Dashboard]:
    """Return the dashboards that the user sees: their own, and those that are shared."""
    return Dashboard.objects.filter(Q(owner=user) | Q(is_shared=True)).select_related("owner")


def open_dashboard(*, user: User, uid: UUID) -> SeenDashboard | None:
    """Return a dashboard with what the user sees of it; None if there is none of this uid that the user sees.

    Raises AccessRefusedError for users who may read no reports.
    """
    dashboard = list_dashboards(user).filter(uid=uid).first()
    return _see(dashboard=dashboard, user=user) if dashboard is not None else None


def find_home_dashboard(user: User) -> SeenDashboard | None:
    """Return what the user has on the home page; None if that is nothing, or not seen any more."""
    if not may(user=user, action="read"):
        return None
    dashboard = list_dashboards(user).filter(pk__in=HomeDashboard.objects.filter(user=user).values("dashboard")).first()
    return _see(dashboard=dashboard, user=user) if dashboard is not None else None


def is_on_home(*, user: User, dashboard: Dashboard) -> bool:
    """Whether the user has the dashboard on the home page."""
    return HomeDashboard.objects.filter(user=user, dashboard=dashboard).exists()


def switch_home(*, user: User, dashboard: Dashboard) -> bool:
    """Put the dashboard on the user's home page in the place of another, or take it off. Return whether it is there."""
    removed, _ = HomeDashboard.objects.filter(user=user, dashboard=dashboard).delete()
    if removed:
        return False
    HomeDashboard.objects.update_or_create(user=user, defaults={"dashboard": dashboard})
    return True


def save_dashboard(
    *, dashboard: Dashboard, reports: Sequence[Report], actor: Actor, expected_version: int | None = None
) -> None:
    """Create or change a dashboard with its reports in their order. Raises ValidationError and StaleRecordError."""
    if len(reports) > MOST_TILES:
        raise ValidationError(f"A dashboard has at most {MOST_TILES} reports.")
    with transaction.atomic():
        save_record(record=dashboard, actor=actor, expected_version=expected_version)
        stored = {each.report_id: each for each in DashboardTile.objects.filter(dashboard=dashboard)}
        wanted = {report.pk: position for position, report in enumerate(reports)}
        delete_records(records=[each for key, each in stored.items() if key not in wanted], actor=actor)
        kept = [each for key, each in stored.items() if key in wanted]
        for each in kept:
            each.position = wanted[each.report_id]
        update_records(records=kept, actor=actor)
        create_records(
            records=[
                DashboardTile(dashboard=dashboard, report_id=key, position=position)
                for key, position in wanted.items()
                if key not in stored
            ],
            actor=actor,
        )


def delete_dashboard(*, dashboard: Dashboard, actor: Actor) -> None:
    """Delete a dashboard; its reports stay. Raises StaleRecordError."""
    with transaction.atomic():
        delete_records(records=list(DashboardTile.objects.filter(dashboard=dashboard)), actor=actor)
        delete_record(record=dashboard, actor=actor)


def _see(*, dashboard: Dashboard, user: User) -> SeenDashboard:
    keys = list(DashboardTile.objects.filter(dashboard=dashboard).values_list("report", flat=True))
    seen = {each.report.pk: each for each in list_reports(user)} if keys else {}
    reports = [seen[key] for key in keys if key in seen]
    return SeenDashboard(dashboard=dashboard, reports=reports, hidden=len(keys) - len(reports))
