"""Changes for which somebody else was faster, at pages that do not say it in their own way."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client

from ctms.audit.services import delete_record
from ctms.reports import dashboards
from ctms.reports.choices import ShareRole
from ctms.reports.models import Dashboard, ReportShare
from ctms.reports.pages.views import sharing
from ctms.reports.services import share_report, unshare_report
from tests.factories.accounts import UserFactory
from tests.factories.base import build_admin_actor
from tests.factories.reports import ReportFactory

pytestmark = pytest.mark.django_db


def test_a_dashboard_that_somebody_deletes_at_the_same_moment_is_a_conflict(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    user = UserFactory.create(is_superuser=True)
    client.force_login(user)
    dashboard = Dashboard(name="Mine", owner=user)
    dashboards.save_dashboard(dashboard=dashboard, reports=[], actor=build_admin_actor())

    def delete_twice(**values: Any) -> None:
        delete_record(**values)
        delete_record(**values)

    monkeypatch.setattr(dashboards, "delete_record", delete_twice)
    response = client.post(f"/reports/dashboards/{dashboard.uid}/edit/", {"action": "delete"})
    page = response.content.decode()
    assert (response.status_code, "was already deleted" in page) == (409, True)
    assert "Somebody was faster" in page


def test_a_role_that_somebody_takes_away_at_the_same_moment_is_missing(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    user = UserFactory.create(is_superuser=True)
    client.force_login(user)
    report = ReportFactory.create(owner=user)
    share = share_report(report=report, user=UserFactory.create(), role=ShareRole.VIEWER, actor=build_admin_actor())

    def unshare_after_another(**values: Any) -> None:
        delete_record(record=ReportShare.objects.get(), actor=build_admin_actor())
        unshare_report(**values)

    monkeypatch.setattr(sharing, "unshare_report", unshare_after_another)
    url = f"/reports/{report.uid}/sharing/{share.uid}/"
    assert client.post(url, {"remove": "1"}).status_code == 404
    assert not ReportShare.objects.exists()
