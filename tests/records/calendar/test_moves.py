"""Moving an entry to another day: its days together, not over what others wrote, and with the way back."""

from __future__ import annotations

import datetime as dt
from http import HTTPStatus
from typing import Any

import pytest
from django.contrib.messages import get_messages
from django.test import Client
from django.urls import reverse

from ctms.accounts.models import User
from ctms.audit.actors import Actor
from ctms.audit.models import AuditEntry
from ctms.audit.services import save_record
from ctms.clinical.models import MonitoringEvent, StudySite
from tests.factories.accounts import SecurityProfileFactory
from tests.factories.activities import ActivityFactory
from tests.factories.clinical import StudySiteFactory
from tests.records.calendar.visits import day, plan

pytestmark = pytest.mark.django_db
QUERY = "view=week&date=2026-12-09&whose=mine"


@pytest.fixture(autouse=True)
def _logged_in(client: Client, carla: User) -> None:
    client.force_login(carla)


def get_url(record: Any) -> str:
    return reverse("record_move", args=(record.object_name, record.uid))


def move(client: Client, record: Any, date: str, **values: str) -> Any:
    return client.post(
        get_url(record), {"date": date, "expected_version": str(record.version), "query": QUERY, **values}
    )


def list_told(response: Any) -> list[str]:
    return [str(each) for each in get_messages(response.wsgi_request)]


def test_the_days_of_a_visit_move_together_and_the_calendar_is_shown_as_it_was(client: Client, site: StudySite) -> None:
    visit = plan(site, 9, 11)
    response = move(client, visit, "2026-12-14")
    assert response.url == f"/calendar/?view=week&date=2026-12-09&whose=mine#entry-{visit.uid}"
    visit.refresh_from_db()
    assert (visit.planned_start, visit.planned_end, visit.version) == (day(14), day(16), 2)
    assert "04001 · Graz · Interim Monitoring Visit was moved to Monday 14 December 2026." in list_told(response)[0]
    assert AuditEntry.objects.filter(record_uid=visit.uid).count() == 2


def test_it_is_undone_and_the_calendar_shown_again(client: Client, site: StudySite) -> None:
    visit = plan(site, 9, 11)
    told = list_told(move(client, visit, "2026-12-14"))[0]
    url = told.partition('formaction="')[2].partition('"')[0]
    response = client.post(url, {"back": f"/calendar/?{QUERY}"})
    assert response["Location"] == f"/calendar/?{QUERY}"
    visit.refresh_from_db()
    assert (visit.planned_start, visit.planned_end) == (day(9), day(11))


@pytest.mark.parametrize("back", ["//example.com/", "https://example.com/", "javascript:alert(1)", "/\\example.com"])
def test_undo_leads_back_to_no_other_site(client: Client, site: StudySite, back: str) -> None:
    visit = plan(site, 9)
    told = list_told(move(client, visit, "2026-12-14"))[0]
    response = client.post(told.partition('formaction="')[2].partition('"')[0], {"back": back})
    assert response["Location"] == f"/records/monitoring_event__ctms/{visit.uid}/"


def test_what_somebody_else_wrote_is_not_overwritten(client: Client, carla: User, site: StudySite) -> None:
    visit = plan(site, 9)
    other = MonitoringEvent.objects.get(pk=visit.pk)
    other.planned_start = day(20)
    save_record(record=other, actor=Actor(user=carla, source="page"))
    response = move(client, visit, "2026-12-14")
    assert "nothing was saved" in list_told(response)[0]
    visit.refresh_from_db()
    assert visit.planned_start == day(20)


def test_what_has_begun_or_is_complete_stays(client: Client, site: StudySite) -> None:
    begun = plan(site, 9, actual_start=day(9))
    done = ActivityFactory.create(site=site, date=day(9), complete=True)
    for record in (begun, done):
        assert "is not moved in the calendar" in list_told(move(client, record, "2026-12-14"))[-1]
        assert client.get(get_url(record)).status_code == HTTPStatus.FORBIDDEN
        record.refresh_from_db()
        assert record.version == 1


def test_who_may_not_change_the_record_may_not_move_it(client: Client, carla: User, site: StudySite) -> None:
    visit = plan(site, 9)
    carla.security_profile = SecurityProfileFactory.create(permissions=["monitoring_event__ctms:read"])
    carla.save()
    assert "does not allow you to edit" in list_told(move(client, visit, "2026-12-14"))[0]
    visit.refresh_from_db()
    assert visit.planned_start == day(9)


def test_records_of_hidden_studies_and_of_objects_without_days_are_not_found(client: Client, site: StudySite) -> None:
    assert move(client, plan(StudySiteFactory.create(), 9), "2026-12-14").status_code == HTTPStatus.NOT_FOUND
    assert move(client, site, "2026-12-14").status_code == HTTPStatus.NOT_FOUND


@pytest.mark.parametrize(
    ("typed", "problem"),
    [("", "Date: &#x27;&#x27; is no day"), ("14/12", "is no day"), ("2300-01-01", "enter a day between")],
)
def test_a_day_that_is_none_is_asked_for_again(client: Client, site: StudySite, typed: str, problem: str) -> None:
    response = move(client, plan(site, 9), typed)
    assert response.status_code == HTTPStatus.OK
    assert problem in response.content.decode()


def test_an_unusual_day_is_asked_about_and_then_taken(client: Client, site: StudySite) -> None:
    visit = plan(site, 9)
    response = move(client, visit, "2099-12-14")
    content = response.content.decode()
    assert "is a long time from now. Is it right?" in content
    [asked] = response.context["asked"]
    assert move(client, visit, "2099-12-14", confirmed=asked.key).status_code == HTTPStatus.FOUND
    visit.refresh_from_db()
    assert visit.planned_start == dt.date(2099, 12, 14)


def test_the_form_works_without_javascript_and_leads_back(client: Client, site: StudySite) -> None:
    activity = ActivityFactory.create(site=site, date=day(9), subject="Call back")
    response = client.get(get_url(activity), {"query": QUERY})
    context = response.context
    assert (context["date"], context["version"], context["query"]) == ("2026-12-09", "1", QUERY)
    assert context["back_url"] == f"/calendar/?{QUERY}#entry-{activity.uid}"
    assert move(client, activity, "2026-12-10").status_code == HTTPStatus.FOUND
    activity.refresh_from_db()
    assert activity.date == day(10)
