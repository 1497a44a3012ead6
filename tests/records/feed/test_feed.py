"""Calendar programs read the feed of a user: with a secret address alone, and only what the user may see now."""

from __future__ import annotations

import datetime as dt
import logging
import re
from typing import Any
from unittest.mock import patch
from urllib.parse import parse_qs, urlsplit

import icalendar
import pytest
import vobject
from django.core.cache.backends.locmem import LocMemCache
from django.db import connection
from django.test import Client, override_settings
from django.test.utils import CaptureQueriesContext
from time_machine import travel

from ctms.accounts.feeds import find_current_feed
from ctms.accounts.models import CalendarFeed, FeedContents, PageView, User
from ctms.audit.actors import Actor
from ctms.audit.calendar_feeds import create_feed, revoke_feed
from ctms.audit.models import AuditEntry
from ctms.audit.services import delete_record, save_record
from ctms.clinical.choices import MonitoringEventState
from ctms.clinical.models import StudySite
from ctms.core.models import allow_record_writes
from ctms.core.rate_limits import RequestCounter
from ctms.core.rates import Rate
from ctms.records.addresses import get_record_url
from tests.factories.accounts import SecurityProfileFactory, UserFactory
from tests.factories.activities import ActivityFactory
from tests.factories.base import build_admin_actor
from tests.factories.clinical import (
    MonitoringEventFactory,
    StudyAssignmentFactory,
    StudyCountryFactory,
    StudyFactory,
    StudySiteFactory,
)

pytestmark = [pytest.mark.django_db, pytest.mark.both_databases]

NOW = dt.datetime(2026, 12, 10, 12, tzinfo=dt.UTC)
READS = ("monitoring_event__ctms", "crm_activity__v", "site__v", "study__v", "person__sys")


def day(number: int, month: int = 12) -> dt.date:
    return dt.date(2026, month, number)


@pytest.fixture(autouse=True)
def _december() -> Any:
    with travel(NOW, tick=False):
        yield


@pytest.fixture
def carla() -> User:
    """A CRA who reads what the calendar shows in the studies that she is assigned to."""
    profile = SecurityProfileFactory.create(permissions=[f"{name}:read" for name in READS])
    return UserFactory.create(username="carla", last_name="Craig", security_profile=profile)


@pytest.fixture
def site(carla: User) -> StudySite:
    """A site of a study that Carla is assigned to, and which she owns."""
    study = StudyFactory.create(name="CARDIO-301")
    StudyAssignmentFactory.create(user=carla, study=study)
    return StudySiteFactory.create(study_country=StudyCountryFactory.create(study=study), name="04001", owner=carla)


def plan(site: StudySite, first: dt.date, last: dt.date | None = None) -> Any:
    return MonitoringEventFactory.create(site=site, planned_start=first, planned_end=last)


def open_feed(user: User, contents: str = FeedContents.MINE) -> str:
    """Return the address of a new feed of the user, below the Vault's."""
    return f"/calendar/feed.ics?key={create_feed(contents=contents, actor=Actor(user=user, source='page'))[1]}"


def read(address: str) -> dict[str, Any]:
    """Return the events of a feed by uid, as a calendar program reads them: without a session."""
    response = Client().get(address)
    assert response.status_code == 200
    calendar = icalendar.Calendar.from_ical(response.content)
    return {str(each["UID"]): each for each in calendar.walk("VEVENT")}


# -- What is in it --------------------------------------------------------------------------------
def test_it_is_read_by_two_parsers_with_whole_days_addresses_and_escaped_texts(carla: User, site: StudySite) -> None:
    visit = plan(site, day(14), day(16))
    subject = "Ask, then; call\\write to Ödön: " + "é" * 90
    activity = ActivityFactory.create(study=site.study, site=site, date=day(11), complete=False, subject=subject)
    address = open_feed(carla)
    response = Client().get(address)
    assert response["Content-Type"] == "text/calendar; charset=utf-8"
    calendar = icalendar.Calendar.from_ical(response.content)
    assert (calendar["VERSION"], calendar["NAME"]) == ("2.0", "CTMS Vault: what is mine")
    assert calendar["X-WR-CALNAME"] == calendar["NAME"]
    assert b"REFRESH-INTERVAL;VALUE=DURATION:PT1H\r\n" in response.content
    assert b"X-PUBLISHED-TTL:PT1H\r\n" in response.content
    # Lines are of 75 octets at most, and no character is cut in two.
    lines = response.content.split(b"\r\n")
    assert max(map(len, lines)) <= 75
    for each in lines:
        each.decode()
    events = read(address)
    assert set(events) == {str(visit.uid), str(activity.uid)}
    planned = events[str(visit.uid)]
    assert (planned["DTSTART"].dt, planned["DTEND"].dt) == (day(14), day(17))
    assert planned["DTSTART"].params["VALUE"] == "DATE"
    assert (planned["URL"], planned["SEQUENCE"], planned["STATUS"]) == (
        f"http://127.0.0.1:8000{get_record_url(visit)}",
        0,
        "CONFIRMED",
    )
    assert planned["DTSTAMP"].dt == planned["LAST-MODIFIED"].dt == visit.modified_at.replace(microsecond=0)
    assert "04001" in planned["SUMMARY"]
    assert subject in str(events[str(activity.uid)]["SUMMARY"])
    [first, second] = vobject.readOne(response.content.decode()).vevent_list
    assert (first.dtstart.value, first.dtend.value, second.dtstart.value) == (day(11), day(12), day(14))
    assert subject in first.summary.value
    assert second.uid.value == str(visit.uid)


@pytest.mark.parametrize(
    "text",
    [
        "Visit\r\nATTACH:https://evil.example/x",
        "Visit\rEND:VEVENT\rBEGIN:VEVENT\rUID:1",
        "Visit\nEND:VCALENDAR",
        "Visit\u2028X-A:1\u0085X-B:2\x0bX-C:3\x0cX-D:4",
        'Semi; comma, back\\slash "quote" \\n literal',
        "é" * 200,
    ],
)
def test_no_text_of_a_record_writes_a_line_of_its_own(carla: User, site: StudySite, text: str) -> None:
    visit = plan(site, day(14))
    activity = ActivityFactory.create(study=site.study, site=site, date=day(11), complete=False)
    # Past the checks of forms, as a door that forgets them would write it.
    with allow_record_writes():
        type(visit).objects.filter(pk=visit.pk).update(name=text[:100])
        type(activity).objects.filter(pk=activity.pk).update(subject=text[:255], notes=text)
        StudySite.objects.filter(pk=site.pk).update(site_name=text[:100], city=text[:100])
    content = Client().get(open_feed(carla)).content
    usual = {"UID", "DTSTAMP", "LAST-MODIFIED", "SEQUENCE", "DTSTART", "DTEND", "SUMMARY", "CATEGORIES", "LOCATION"}
    usual |= {"DESCRIPTION", "URL", "STATUS", "TRANSP", "CLASS"}
    calendar = icalendar.Calendar.from_ical(content)
    events = {str(each["UID"]): each for each in calendar.walk("VEVENT")}
    assert events.keys() == {str(visit.uid), str(activity.uid)}
    assert [each.name for each in calendar.walk()] == ["VCALENDAR", "VEVENT", "VEVENT"]
    for each in events.values():
        assert set(each) <= usual
    assert " ".join(text[:255].split()) in " ".join(str(events[str(activity.uid)]["SUMMARY"]).split())
    parsed = vobject.readOne(content.decode())
    assert {each.uid.value for each in parsed.vevent_list} == set(events)
    for one in parsed.vevent_list:
        assert {name.upper() for name in one.contents} <= usual


def test_a_change_counts_the_sequence_up_and_keeps_the_uid_and_what_is_deleted_is_gone(
    carla: User, site: StudySite
) -> None:
    visit = plan(site, day(14))
    other = plan(site, day(15))
    address = open_feed(carla)
    visit.planned_start = day(18)
    with travel(NOW + dt.timedelta(minutes=5), tick=False):
        save_record(record=visit, actor=build_admin_actor())
        delete_record(record=other, actor=build_admin_actor())
        events = read(address)
    assert list(events) == [str(visit.uid)]
    moved = events[str(visit.uid)]
    assert (moved["DTSTART"].dt, moved["SEQUENCE"]) == (day(18), 1)
    assert moved["LAST-MODIFIED"].dt == NOW + dt.timedelta(minutes=5)
    visit.lifecycle_state = MonitoringEventState.CANCELLED
    save_record(record=visit, actor=build_admin_actor())
    assert read(address) == {}


def test_it_reaches_from_ninety_days_ago_to_a_year_ahead(carla: User, site: StudySite) -> None:
    days = [NOW.date() + dt.timedelta(days=number) for number in (-91, -90, 365, 366)]
    visits = [plan(site, each) for each in days]
    assert set(read(open_feed(carla))) == {str(each.uid) for each in visits[1:3]}


def test_it_has_what_is_mine_or_all_of_my_studies(carla: User, site: StudySite) -> None:
    mine = plan(site, day(14))
    colleagues = StudySiteFactory.create(study_country=site.study_country)
    theirs = plan(colleagues, day(15))
    MonitoringEventFactory.create(planned_start=day(16), planned_end=None)  # of a study that she is not assigned to
    assert set(read(open_feed(carla))) == {str(mine.uid)}
    assert set(read(open_feed(carla, FeedContents.STUDIES))) == {str(mine.uid), str(theirs.uid)}


def test_it_follows_what_the_user_may_see(carla: User, site: StudySite) -> None:
    visit = plan(site, day(14))
    activity = ActivityFactory.create(study=site.study, site=site, date=day(11), complete=False)
    address = open_feed(carla)
    assert set(read(address)) == {str(visit.uid), str(activity.uid)}
    profile = carla.security_profile
    assert profile is not None
    profile.permissions = [each for each in profile.permissions if not each.startswith("crm_activity__v")]
    save_record(record=profile, actor=build_admin_actor())
    assert set(read(address)) == {str(visit.uid)}
    assignment = carla.study_assignments.get()
    delete_record(record=assignment, actor=build_admin_actor())
    assert read(address) == {}


def test_its_statements_do_not_grow_with_its_events(carla: User, site: StudySite) -> None:
    address = open_feed(carla)
    Client().get(address)
    counts = []
    for number in (1, 20):
        for _ in range(number):
            plan(site, day(14))
            ActivityFactory.create(study=site.study, site=site, date=day(11), complete=False)
        with CaptureQueriesContext(connection) as captured:
            Client().get(address)
        counts.append(len(captured))
    assert counts[0] == counts[1]


# -- Who reads it ---------------------------------------------------------------------------------
def test_one_answer_for_all_who_get_nothing(carla: User, site: StudySite) -> None:
    plan(site, day(14))
    renewed, revoked = UserFactory.create(), UserFactory.create()
    addresses = ["/calendar/feed.ics?key=made-up", "/calendar/feed.ics", open_feed(renewed), open_feed(revoked)]
    open_feed(renewed)
    feed = find_current_feed(revoked)
    assert feed is not None
    assert revoke_feed(feed=feed, actor=build_admin_actor())
    for values in ({"is_active": False}, {"valid_until": day(9)}, {"must_change_password": True}):
        user = UserFactory.create()
        addresses.append(open_feed(user))
        User.objects.filter(pk=user.pk).update(**values)
    user = UserFactory.create()
    addresses.append(open_feed(user))
    user.set_password("another-password-of-tests")
    user.save()
    answers = [Client().get(each) for each in addresses]
    assert {each.status_code for each in answers} == {404}
    assert len({each.content for each in answers}) == 1
    for each in answers:
        del each.headers["X-Request-ID"]  # of each answer its own
    assert len({str(sorted(each.headers.items())) for each in answers}) == 1
    # Whoever comes back does not get the old address back.
    User.objects.filter(is_active=False).update(is_active=True)
    assert Client().get(addresses[4]).status_code == 404


def test_a_session_is_neither_needed_nor_made(carla: User, site: StudySite) -> None:
    client = Client()
    response = client.get(open_feed(carla))
    assert response.status_code == 200
    assert dict(client.cookies) == {}
    assert client.get("/profile/").status_code == 302
    assert client.post(open_feed(carla)).status_code == 405


def test_an_unchanged_calendar_is_answered_with_304(carla: User, site: StudySite) -> None:
    plan(site, day(14))
    address = open_feed(carla)
    etag = Client().get(address)["ETag"]
    with travel(NOW + dt.timedelta(minutes=5), tick=False):
        again = Client().get(address, headers={"If-None-Match": etag})
        assert (again.status_code, again.content, again["ETag"]) == (304, b"", etag)
        plan(site, day(15))
        assert Client().get(address, headers={"If-None-Match": etag}).status_code == 200
    assert again["Cache-Control"] == "private, no-cache"


def test_the_secret_is_in_no_log_referrer_nor_note(carla: User, site: StudySite, caplog: Any) -> None:
    profile = carla.security_profile
    assert profile is not None
    profile.log_views = True
    save_record(record=profile, actor=build_admin_actor())
    address = open_feed(carla)
    [secret] = parse_qs(urlsplit(address).query)["key"]
    with caplog.at_level(logging.DEBUG):
        response = Client().get(address)
        Client().get(f"{address}x")
    assert response["Referrer-Policy"] == "no-referrer"
    assert caplog.text.count("'path': '/calendar/feed.ics'") == 2  # a line for each request
    assert secret not in caplog.text
    view = PageView.objects.get()
    assert (view.user, view.address, view.status) == (carla, "/calendar/feed.ics", 200)
    assert secret not in str(AuditEntry.objects.values_list("changes", flat=True))
    assert CalendarFeed.objects.filter(digest=secret).count() == 0


def test_it_is_read_so_often_and_no_more(carla: User, site: StudySite) -> None:
    address = open_feed(carla)
    counter = RequestCounter(cache=LocMemCache("feed", {}), get_time=lambda: 30.0)  # its minute does not end meanwhile
    with (
        override_settings(RATE_LIMITS={"calendar_feeds": Rate(2, 3600), "refused_tokens": Rate(2, 60)}),
        patch("ctms.core.rate_limits._counter", counter),
    ):
        answers = [Client().get(address) for _ in range(3)]
        guesses = [Client().get(f"/calendar/feed.ics?key={number}").status_code for number in range(3)]
    assert [each.status_code for each in answers] == [200, 200, 429]
    assert int(answers[2]["Retry-After"]) > 0
    assert guesses == [404, 404, 429]


# -- The profile page -----------------------------------------------------------------------------
def post(client: Client, action: str, contents: str = FeedContents.MINE) -> str:
    response = client.post("/profile/calendar/", {"action": action, "contents": contents}, follow=True)
    return response.content.decode()


def find_address(page: str) -> str:
    found = re.search(r'id="new-feed"[^>]*value="http://127.0.0.1:8000(/[^"]+)"', page)
    return found[1] if found else ""


def test_a_user_creates_changes_renews_and_revokes_the_address(client: Client, carla: User, site: StudySite) -> None:
    plan(StudySiteFactory.create(study_country=site.study_country), day(14))
    client.force_login(carla)
    assert "Create address" in client.get("/profile/").content.decode()
    first = find_address(post(client, "create"))
    assert read(first) == {}
    page = client.get("/profile/").content.decode()
    assert (find_address(page), "New address" in page) == ("", True)
    post(client, "change", FeedContents.STUDIES)
    assert len(read(first)) == 1
    second = find_address(post(client, "create", FeedContents.STUDIES))
    assert (Client().get(first).status_code, len(read(second))) == (404, 1)
    assert "The address was revoked." in post(client, "revoke")
    assert Client().get(second).status_code == 404
    assert "Nothing was revoked" in post(client, "revoke")
    assert "Select a valid choice" in post(client, "create", "everything")
    entries = AuditEntry.objects.filter(object_name="records.calendar_feed").order_by("id")
    assert [each.action for each in entries] == ["created", "changed", "changed", "created", "changed"]
    assert {each.actor for each in entries} == {carla}
