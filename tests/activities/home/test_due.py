"""Home lists what is overdue and due, by day; what is done is folded away, and done or rescheduled in place."""

from __future__ import annotations

import datetime as dt

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from time_machine import travel

from activities.home.due import DAY_SHOWN, OVERDUE_SHOWN
from activities.models import Activity
from ctms.accounts.models import User
from ctms.audit.models import AuditEntry
from ctms.core.choices import RecordStatus
from tests.activities.home.people import (
    READ,
    READ_ACTIVITIES,
    TODAY,
    WRITE,
    count_opened,
    create_user,
    find_panel,
    get_panel,
    log_activity,
    open_home,
)
from tests.factories.accounts import UserFactory
from tests.factories.activities import ActivityFactory
from tests.factories.clinical import StudyAssignmentFactory, StudySiteFactory

pytestmark = pytest.mark.django_db


def list_shown(user: User) -> list[tuple[str, list[str]]]:
    """Return the title of each group with the titles of its rows."""
    groups = get_panel(user, "due")["groups"]
    return [(group.title, [row.title for row in group.rows]) for group in groups]


def change(client: Client, url: str, activity: Activity, **values: str) -> str:
    """Send a form of the page; return the URL that it leads to."""
    response = client.post(url, {"home": "", "expected_version": str(activity.version), **values})
    assert response.status_code == 302
    return response.headers["Location"]


def test_what_is_open_is_grouped_by_day(user: User) -> None:
    log_activity(user, 1)  # Sunday before: overdue
    log_activity(user, 2, complete=True)  # Monday
    log_activity(user, 3)  # Tuesday: overdue
    log_activity(user, 4)
    log_activity(user, 5)
    log_activity(user, 6)
    log_activity(user, 8)  # Sunday
    log_activity(user, 9)  # next week
    assert list_shown(user) == [
        ("Overdue", ["1", "3"]),
        ("Today", ["4"]),
        ("Tomorrow", ["5"]),
        ("This week", ["6", "8"]),
    ]
    assert get_panel(user, "due")["later"].text == "1"


def test_on_saturday_the_week_ends_tomorrow(user: User) -> None:
    log_activity(user, 8)
    log_activity(user, 9)
    with travel("2026-03-07T10:00:00Z", tick=False):
        assert list_shown(user) == [("Tomorrow", ["8"])]
        assert get_panel(user, "due")["later"].text == "1"
    with travel("2026-03-08T10:00:00Z", tick=False):
        assert list_shown(user) == [("Today", ["8"]), ("Tomorrow", ["9"])]
        assert get_panel(user, "due")["later"].number == 0


def test_how_long_ago_it_was_due_is_told(user: User) -> None:
    log_activity(user, 1)
    log_activity(user, 3)
    [overdue] = get_panel(user, "due")["groups"]
    assert [row.age for row in overdue.rows] == ["3 days overdue", "1 day overdue"]


def test_what_is_done_is_folded_away_and_takes_no_room(client: Client, user: User) -> None:
    for number in range(DAY_SHOWN + 2):
        log_activity(user, 4, subject=f"done {number}", complete=True)
    log_activity(user, 3, complete=True)
    log_activity(user, 4, subject="open")
    content = get_panel(user, "due")
    assert list_shown(user) == [("Today", ["open"])]
    assert content["done"].total.text == str(DAY_SHOWN + 2)
    client.force_login(user)
    assert count_opened(client, content["done"].total.url) == str(DAY_SHOWN + 2)
    assert '<details class="due-done">' in client.get("/").content.decode()


def test_what_is_at_the_users_sites_is_the_users_too() -> None:
    user = create_user(READ)
    mine = StudySiteFactory.create(owner=user)
    beside = StudySiteFactory.create(study_country=mine.study_country)
    StudyAssignmentFactory.create(user=user, study=mine.study)
    ActivityFactory.create(site=mine, owner=UserFactory.create(), date=TODAY, subject="mine")
    ActivityFactory.create(site=beside, date=TODAY, subject="beside")
    assert list_shown(user) == [("Today", ["mine"])]
    content = get_panel(user, "due")
    assert (content["is_of_studies"], content["sites_to_take"]) == (False, "")


def test_who_owns_nothing_sees_the_assigned_studies_and_how_to_take_sites_over(client: Client) -> None:
    user = create_user(READ)
    assigned, foreign = StudySiteFactory.create_batch(2)
    StudyAssignmentFactory.create(user=user, study=assigned.study)
    for number in range(DAY_SHOWN + 1):
        ActivityFactory.create(site=assigned, date=TODAY, subject=str(number))
    ActivityFactory.create(site=foreign, date=TODAY, subject="foreign")
    page = open_home(user)
    content = get_panel(user, "due")
    [today] = content["groups"]
    assert (content["title"], len(today.rows)) == (
        "Activities of my assigned studies: due and overdue",
        DAY_SHOWN,
    )
    assert "You own no activity yet." in page.content.decode()
    assert "Ask a study manager to name you as the owner of yours" in page.content.decode()
    client.force_login(user)
    assert count_opened(client, today.total.url) == str(DAY_SHOWN + 1)
    assert assigned.name in client.get(content["sites_to_take"]).content.decode()
    log_activity(user, 4)
    assert list_shown(user) == [("Today", ["4"])]


def test_inactive_ones_are_not_shown(user: User) -> None:
    log_activity(user, 4, status=RecordStatus.INACTIVE)
    assert list_shown(user) == []


def test_who_may_not_read_activities_has_no_such_panel(client: Client) -> None:
    user = UserFactory.create()
    log_activity(user, 4)
    assert find_panel(user, "due") is None
    assert [panel["key"] for panel in open_home(user).context["panels"]] == ["news", "recent"]


def test_today_is_the_users_own(user: User) -> None:
    log_activity(user, 4)
    user.time_zone = "Pacific/Auckland"  # it is Thursday there at noon UTC of Wednesday
    user.save()
    with travel("2026-03-04T12:00:00Z", tick=False):
        assert list_shown(user) == [("Overdue", ["4"])]


def test_many_overdue_ones_leave_room_for_the_days_and_all_are_a_link_away(client: Client, user: User) -> None:
    for _ in range(OVERDUE_SHOWN + 2):
        log_activity(user, 1)
    for _ in range(DAY_SHOWN + 1):
        log_activity(user, 4)
    other = StudySiteFactory.create()
    StudyAssignmentFactory.create(user=user, study=other.study)
    ActivityFactory.create_batch(3, site=other, date=dt.date(2026, 3, 3))  # of somebody else: in no list
    assert list_shown(user) == [("Overdue", ["1"] * OVERDUE_SHOWN), ("Today", ["4"] * DAY_SHOWN)]
    page = open_home(user).content.decode()
    assert (f"All {OVERDUE_SHOWN + 2} overdue</a>" in page, f"All {DAY_SHOWN + 1} today</a>" in page) == (True, True)
    client.force_login(user)
    totals = [group.total for group in get_panel(user, "due")["groups"]]
    assert [count_opened(client, each.url) for each in totals] == [each.text for each in totals] == ["12", "11"]


def test_nothing_more_is_offered_where_all_is_shown(user: User) -> None:
    log_activity(user, 1)
    log_activity(user, 4)
    assert [group.has_more for group in get_panel(user, "due")["groups"]] == [False, False]


def test_the_page_asks_as_many_queries_for_five_rows_as_for_one(client: Client) -> None:
    user = create_user(WRITE)
    client.force_login(user)
    client.get("/")  # the first request also reads the configuration
    counts = []
    for number in (1, 4):
        for _ in range(number):
            site = StudySiteFactory.create(owner=user)
            StudyAssignmentFactory.create(user=user, study=site.study)
            for day in (1, 4, 5, 6):
                log_activity(user, day, site=site)
            log_activity(user, 4, site=site, complete=True)
        with CaptureQueriesContext(connection) as queries:
            assert client.get("/").status_code == 200
        counts.append(len(queries))
    assert counts[0] == counts[1]


def test_rows_lead_to_the_records_page_and_to_what_the_user_may_read() -> None:
    user = create_user([*READ_ACTIVITIES, "person__sys:read"])
    activity = log_activity(user, 4)
    [[row]] = [group.rows for group in get_panel(user, "due")["groups"]]
    assert (row.url, row.values["person__v"].url) == (
        f"/records/crm_activity__v/{activity.uid}/",
        f"/records/person__sys/{activity.person.uid}/",
    )
    content = open_home(user).content.decode()
    assert (f'href="{row.url}"' in content, "/admin/" in content) == (True, False)


def test_who_may_not_edit_is_offered_neither_done_nor_another_date(user: User) -> None:
    log_activity(user, 4)
    [[row]] = [group.rows for group in get_panel(user, "due")["groups"]]
    assert (row.done_url, row.date_url) == ("", "")
    assert "data-reschedule=" not in open_home(user).content.decode()


def test_done_leads_back_to_home_with_an_undo_that_leads_there_too(client: Client) -> None:
    user = create_user(WRITE)
    activity = log_activity(user, 3)
    client.force_login(user)
    [[row]] = [group.rows for group in get_panel(user, "due")["groups"]]
    assert change(client, row.done_url, activity) == "/"
    page = client.get("/")
    assert [group.rows for group in page.context["panels"][0]["content"]["groups"]] == []
    [message] = page.context["messages"]
    assert "Complete: 3 was saved." in str(message)
    entry = AuditEntry.objects.filter(record_uid=activity.uid).latest("id")
    assert (entry.actor, entry.changes["complete"]) == (user, [False, True])
    undo = str(message).split('formaction="')[1].split('"')[0]
    assert client.post(undo, {"back": "/"}).headers["Location"] == "/"
    activity.refresh_from_db()
    assert activity.complete is False
    assert list_shown(user) == [("Overdue", ["3"])]


def test_done_on_what_somebody_else_changed_is_refused(client: Client) -> None:
    user = create_user(WRITE)
    activity = log_activity(user, 3)
    client.force_login(user)
    [[row]] = [group.rows for group in get_panel(user, "due")["groups"]]
    assert (
        change(client, f"/records/crm_activity__v/{activity.uid}/fields/subject__v/", activity, subject__v="x") == "/"
    )
    assert change(client, row.done_url, activity) == "/"
    activity.refresh_from_db()
    assert (activity.complete, activity.subject) == (False, "x")


def test_done_before_its_day_is_asked_about_and_leads_home(client: Client) -> None:
    user = create_user(WRITE)
    activity = log_activity(user, 5)
    client.force_login(user)
    [[row]] = [group.rows for group in get_panel(user, "due")["groups"]]
    page = client.get(change(client, row.done_url, activity))
    assert '<input type="hidden" name="home" value=""' in page.content.decode()
    [question] = page.context["asked"]
    assert change(client, row.done_url, activity, confirmed=question.key) == "/"
    activity.refresh_from_db()
    assert activity.complete is True


def test_another_date_is_set_in_place_and_on_a_page_without_script(client: Client) -> None:
    user = create_user(WRITE)
    activity = log_activity(user, 3)
    client.force_login(user)
    [[row]] = [group.rows for group in get_panel(user, "due")["groups"]]
    assert row.steps == ("2026-03-05", "2026-03-11")  # from today on, not from the day that is past
    page = client.get(row.date_url, {"home": "view=team"}).content.decode()
    assert ('<input type="hidden" name="home" value="view=team"' in page, 'href="/?view=team"' in page) == (True, True)
    assert change(client, row.date_url, activity, date__v="2026-03-11", home="view=team") == "/?view=team"
    activity.refresh_from_db()
    assert activity.date == dt.date(2026, 3, 11)


def test_another_date_for_what_somebody_else_moved_shows_both(client: Client) -> None:
    user = create_user(WRITE)
    activity = log_activity(user, 3)
    client.force_login(user)
    [[row]] = [group.rows for group in get_panel(user, "due")["groups"]]
    assert change(client, row.date_url, activity, date__v="2026-03-12") == "/"
    values = {"home": "", "expected_version": str(activity.version), "date__v": "2026-03-20"}
    response = client.post(row.date_url, values)
    assert response.status_code == 200
    assert "Save mine over it" in response.content.decode()
    assert '<input type="hidden" name="home" value=""' in response.content.decode()
    activity.refresh_from_db()
    assert activity.date == dt.date(2026, 3, 12)
