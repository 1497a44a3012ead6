"""Dashboards show up to eight reports side by side, each to those who may open it, also on the home page."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from ctms.accounts.models import User
from ctms.audit.models import AuditEntry
from ctms.reports.models import Dashboard, DashboardTile
from ctms.reports.services import delete_report
from tests.factories.activities import ActivityFactory
from tests.factories.base import build_admin_actor
from tests.factories.reports import ReportFactory
from tests.reports.pages.people import create_user, log_in

pytestmark = [pytest.mark.django_db, pytest.mark.both_databases]


def build(client: Client, **values: Any) -> Dashboard:
    answer = client.post(reverse("dashboard_new"), {"name": "Mine", **values})
    assert answer.status_code == 302
    return Dashboard.objects.get()


@pytest.fixture
def owner() -> User:
    return create_user()


def test_a_dashboard_has_its_reports_in_their_order_and_is_changed_and_deleted(owner: User) -> None:
    first, second = ReportFactory.create(owner=owner, name="One"), ReportFactory.create(owner=owner, name="Two")
    client = log_in(owner)
    dashboard = build(client, report_0=second.pk, report_3=first.pk, report_5=first.pk)
    url = reverse("dashboard", args=(dashboard.uid,))
    assert [each.report for each in client.get(url).context["seen"].reports] == [second, first]
    edit = reverse("dashboard_edit", args=(dashboard.uid,))
    typed = {"name": "Ours", "is_shared": "on", "report_0": first.pk, "report_1": second.pk}
    assert client.post(edit, typed | {"expected_version": dashboard.version}).status_code == 302
    assert [each.report for each in client.get(url).context["seen"].reports] == [first, second]
    assert "Somebody else changed" in client.post(edit, typed | {"expected_version": 99}).content.decode()
    assert AuditEntry.objects.filter(actor=owner, record_uid=dashboard.uid).count() == 2
    client.post(edit, {"action": "delete"})
    assert not DashboardTile.objects.exists()
    assert client.get(url).status_code == 404


def test_others_see_a_shared_one_with_the_reports_that_they_may_open(owner: User) -> None:
    private, delivered = ReportFactory.create(owner=owner), ReportFactory.create(delivered_key="one")
    dashboard = build(log_in(owner), report_0=private.pk, report_1=delivered.pk)
    client = log_in(create_user())
    url = reverse("dashboard", args=(dashboard.uid,))
    assert client.get(url).status_code == 404
    log_in(owner).post(
        reverse("dashboard_edit", args=(dashboard.uid,)),
        {"name": "Mine", "is_shared": "on", "report_0": private.pk, "report_1": delivered.pk, "expected_version": 1},
    )
    seen = client.get(url).context["seen"]
    assert ([each.report for each in seen.reports], seen.hidden) == ([delivered], 1)
    assert client.post(reverse("dashboard_edit", args=(dashboard.uid,)), {"action": "delete"}).status_code == 403
    assert client.get(reverse("report_tile", args=(private.uid,))).status_code == 404
    assert log_in(create_user("crm_activity__v:read")).get(url).status_code == 403


def test_each_tile_is_a_chart_a_table_or_what_is_wrong(owner: User) -> None:
    ActivityFactory.create(subject="dose")
    client = log_in(owner)

    def read(**values: Any) -> Any:
        report = ReportFactory.create(owner=owner, **values)
        response = client.get(reverse("report_tile", args=(report.uid,)))
        assert response.status_code == 200
        return response.context["tile"]

    grouped: dict[str, Any] = {"groups": [{"column": "channel__v"}]}
    assert read(**grouped, chart={"kind": "bar", "measure": 0}).chart is not None
    assert read(**grouped).table.foot
    assert read(columns=["subject__v"]).table.rows[0].cells[0].text == "dose"
    assert "gone__c" in read(columns=["gone__c"]).problems[0].text


def test_a_user_has_one_dashboard_on_the_home_page(owner: User) -> None:
    report = ReportFactory.create(owner=owner, name="On home")
    client = log_in(owner)
    dashboard = build(client, report_0=report.pk)
    assert "On home" not in client.get("/").content.decode()
    client.post(reverse("dashboard_home", args=(dashboard.uid,)))
    content = client.get("/").content.decode()
    assert reverse("report_tile", args=(report.uid,)) in content
    # A report that is deleted leaves the dashboards that it stands on.
    delete_report(report=report, actor=build_admin_actor())
    assert "On home" not in client.get("/").content.decode()
    client.post(reverse("dashboard_home", args=(dashboard.uid,)))
    assert not dashboard.tiles.exists()
