"""The gallery of reports, and the tab that leads to it."""

from __future__ import annotations

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from ctms.reports.models import Report, ReportUse
from tests.factories.reports import ReportFactory, ReportShareFactory
from tests.reports.pages.people import READS, create_user, log_in

pytestmark = pytest.mark.django_db


def test_only_users_who_may_read_reports_have_the_tab() -> None:
    assert 'href="/reports/"' in log_in(create_user()).get("/profile/").content.decode()
    client = log_in(create_user(*READS))
    assert 'href="/reports/"' not in client.get("/profile/").content.decode()
    assert client.get("/reports/").status_code == 403


def test_folders_and_search_narrow_the_gallery() -> None:
    user = create_user()
    of_the_vault = set(Report.objects.values_list("pk", flat=True))
    ReportFactory.create(name="Calls", description="By phone", owner=user)
    shared = ReportFactory.create(name="Visits planned")
    ReportShareFactory.create(report=shared, user=user)
    ReportFactory.create(name="Activities of all", delivered_key="one")
    ReportFactory.create(name="Nobody's business")
    client = log_in(user)

    def list_names(address: str = "") -> list[str]:
        gallery = client.get(f"/reports/{address}").context["gallery"]
        return [row.stored.report.name for row in gallery.rows if row.stored.report.pk not in of_the_vault]

    assert list_names() == ["Activities of all", "Calls", "Visits planned"]
    assert list_names("?folder=mine") == ["Calls"]
    assert list_names("?folder=shared") == ["Visits planned"]
    assert list_names("?folder=delivered") == ["Activities of all"]
    assert list_names("?q=PHONE call") == ["Calls"]
    assert list_names("?folder=nonsense&q=planned") == ["Visits planned"]
    client.post(reverse("report_favourite", args=(shared.uid,)))
    assert list_names("?folder=favourites") == ["Visits planned"]
    star = client.post(reverse("report_favourite", args=(shared.uid,)), headers={"HX-Request": "true"})
    assert 'aria-pressed="false"' in star.content.decode()
    assert "No favourites yet" in client.get("/reports/?folder=favourites").content.decode()


def test_the_gallery_says_when_a_report_was_run_and_takes_as_many_statements_for_many_as_for_one() -> None:
    user = create_user()
    client = log_in(user)
    report = ReportFactory.create(owner=user)
    client.get("/reports/")

    def count() -> int:
        with CaptureQueriesContext(connection) as statements:
            client.get("/reports/")
        return len(statements)

    for_one = count()
    for _ in range(5):
        ReportFactory.create(delivered_key=f"key {_}")
    assert count() == for_one
    client.get(reverse("report", args=(report.uid,)))
    assert ReportUse.objects.get().last_run_at is not None
    assert "just now" in client.get("/reports/").content.decode()
