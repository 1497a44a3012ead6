"""The timeline of a record: who changed what, with the labels of the page."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from time_machine import travel

from activities.choices import Channel
from ctms.accounts.models import User
from ctms.audit.actors import Actor
from ctms.audit.choices import AuditAction
from ctms.audit.models import AuditEntry
from ctms.audit.services import delete_record, record_event, save_record
from ctms.clinical.choices import SiteState, VisitMethod
from ctms.clinical.models import StudySite
from ctms.configuration.models import CustomField
from ctms.configuration.services.custom_fields import create_custom_field
from ctms.records.access import open_object
from ctms.records.pages.timeline import ENTRIES_SHOWN, Timeline, read_timeline
from tests.factories.accounts import SecurityProfileFactory, UserFactory
from tests.factories.activities import ActivityFactory
from tests.factories.base import build_admin_actor
from tests.factories.clinical import (
    InvestigatorFactory,
    MonitoringEventFactory,
    PersonFactory,
    StudyAssignmentFactory,
    StudyFactory,
    StudySiteFactory,
)

pytestmark = [pytest.mark.django_db, pytest.mark.both_databases]


@pytest.fixture
def user() -> User:
    return UserFactory.create(is_superuser=True, first_name="Carla", last_name="Craig")


def change(record: Any, user: User, *, source: str = "page", reason: str = "", **values: Any) -> None:
    for name, value in values.items():
        setattr(record, name, value)
    save_record(record=record, actor=Actor(user=user, source=source), reason=reason)


def read(record: Any, user: User, **options: Any) -> Timeline:
    return read_timeline(access=open_object(user=user, object_name=record.object_name), record=record, **options)


def list_changes(record: Any, user: User) -> list[tuple[str, str, str]]:
    """Return the changes of the latest entry."""
    return [(each.label, each.before, each.after) for each in read(record, user).entries[0].changes]


def test_a_creation_is_told_in_a_word_and_a_change_by_label_and_value(user: User) -> None:
    with travel("2026-03-04T10:00:00Z", tick=False):
        site = StudySiteFactory.create(city="Berlin", actor=Actor(user=user, source="import"))
    with travel("2026-03-05T10:00:00Z", tick=False):
        change(site, user, city="Bonn", reason="Moved")
    latest, first = read(site, user).entries
    assert (latest.actor, latest.what, latest.way, latest.reason) == ("Carla Craig", "changed City", "", "Moved")
    assert [(each.label, each.before, each.after) for each in latest.changes] == [("City", "Berlin", "Bonn")]
    assert (first.what, first.way, first.changes) == ("created this record", "in an import", [])
    assert (first.at, latest.at) == (
        dt.datetime(2026, 3, 4, 10, tzinfo=dt.UTC),
        dt.datetime(2026, 3, 5, 10, tzinfo=dt.UTC),
    )


def test_several_fields_are_counted(user: User) -> None:
    site = StudySiteFactory.create()
    change(site, user, city="Bonn", lifecycle_state=SiteState.ACTIVE, send_to_crm=False)
    assert read(site, user).entries[0].what == "changed 3 fields"
    assert list_changes(site, user) == [
        ("Lifecycle state", "Candidate", "Active"),
        ("City", "", "Bonn"),
        ("Send to Medical CRM", "Yes", "No"),
    ]


def test_dates_and_picklists_are_shown_as_on_the_page(user: User) -> None:
    activity = ActivityFactory.create(date=dt.date(2026, 3, 2), channel=Channel.PHONE)
    change(activity, user, date=dt.date(2026, 4, 1), channel=Channel.VIDEO)
    assert list_changes(activity, user) == [("Date", "2 Mar 2026", "1 Apr 2026"), ("Channel", "Phone", "Video")]


def test_references_are_named(user: User) -> None:
    before, after = InvestigatorFactory.create_batch(2)
    site = StudySiteFactory.create(principal_investigator=before)
    change(site, user, principal_investigator=after)
    assert list_changes(site, user) == [("Principal investigator", before.name, after.name)]


def test_what_is_gone_keeps_its_name_and_what_is_hidden_does_not_tell_it() -> None:
    profile = SecurityProfileFactory.create(permissions=["crm_activity__v:read", "study__v:read", "person__sys:read"])
    user = UserFactory.create(security_profile=profile)
    foreign, gone = StudyFactory.create(), PersonFactory.create()
    activity = ActivityFactory.create(study=foreign, person=gone)
    mine = StudyAssignmentFactory.create(user=user).study
    person = PersonFactory.create()
    change(activity, user, study=mine, person=person)
    delete_record(record=gone, actor=build_admin_actor())
    hidden = "(deleted, or not visible to you)"
    assert list_changes(activity, user) == [("Person", gone.name, person.name), ("Study", hidden, mine.name)]


def test_custom_fields_are_told_one_by_one(user: User) -> None:
    for label, kind in (
        ("Colour", "text"),
        ("Seen", "date"),
        ("Buddy", "reference"),
    ):
        create_custom_field(field=CustomField(of_object="site__v", label=label, kind=kind), actor=build_admin_actor())
    buddy = PersonFactory.create()
    site = StudySiteFactory.create(custom_fields={"colour__c": "red", "unknown__c": "x"})
    change(site, user, custom_fields={"colour__c": "blue", "seen__c": "2026-03-02", "buddy__c": str(buddy.uid)})
    assert list_changes(site, user) == [
        ("Colour", "red", "blue"),
        ("Seen", "", "2 Mar 2026"),
        ("Buddy", "", buddy.name),
    ]


def test_fields_that_the_type_does_not_have_are_not_told(user: User) -> None:
    event = MonitoringEventFactory.create()
    change(event, user, source="job", visit_method=VisitMethod.ON_SITE)
    entry = read(event, user).entries[0]
    assert (entry.what, entry.way, entry.changes) == ("changed what is not on this page", "by a job", [])


def test_a_long_text_is_cut(user: User) -> None:
    activity = ActivityFactory.create()
    change(activity, user, notes="word " * 200)
    [(_, _, after)] = list_changes(activity, user)
    assert (len(after), after[-1]) == (240, "…")


def test_what_a_field_held_of_another_kind_is_shown_as_it_was(user: User) -> None:
    activity = ActivityFactory.create()
    AuditEntry.objects.create(
        at=dt.datetime.now(dt.UTC),
        actor_name="Old",
        source="page",
        action=AuditAction.CHANGED,
        object_name=activity.object_name,
        record_uid=activity.uid,
        changes={"date": ["some day", "2026-03-02"], "site": ["Bonn", None], "channel": ["fax", "phone__v"]},
        words={
            "date": {"label": "Date", "kind": "date"},
            "site": {"label": "Site"},
            "channel": {"label": "Channel", "after": "Phone"},
        },
    )
    assert list_changes(activity, user) == [
        ("Date", "some day", "2 Mar 2026"),
        ("Channel", "fax", "Phone"),
        ("Site", "(deleted, or not visible to you)", ""),
    ]


def test_events_that_other_apps_record_are_told_in_their_words(user: User) -> None:
    site = StudySiteFactory.create()
    record_event(
        actor=Actor(user=user, source="job"),
        action=AuditAction.EVENT,
        object_name=site.object_name,
        record=site,
        reason="transferred it to North America",
    )
    entry = read(site, user).entries[0]
    assert (entry.actor, entry.what, entry.reason) == ("Carla Craig", "transferred it to North America", "")


def test_older_entries_follow_by_number(user: User) -> None:
    site = StudySiteFactory.create()
    for number in range(ENTRIES_SHOWN):
        change(site, user, city=f"City {number}")
    newest = read(site, user)
    assert (len(newest.entries), newest.entries[0].changes[0].after) == (ENTRIES_SHOWN, f"City {ENTRIES_SHOWN - 1}")
    oldest = read(site, user, before=newest.older)
    assert ([entry.what for entry in oldest.entries], oldest.older) == (["created this record"], None)


def test_many_references_are_read_at_once(user: User) -> None:
    site = StudySiteFactory.create()
    counts = []
    for number in (1, 5):
        for _ in range(number):
            change(site, user, principal_investigator=InvestigatorFactory.create())
        access = open_object(user=user, object_name=site.object_name)
        with CaptureQueriesContext(connection) as queries:
            read_timeline(access=access, record=site)
        counts.append(len(queries))
    assert counts == [2, 2]


# -- The page -------------------------------------------------------------------------------------
@pytest.fixture
def site(client: Client, user: User) -> StudySite:
    client.force_login(user)
    site = StudySiteFactory.create()
    for number in range(ENTRIES_SHOWN):
        change(site, user, city=f"City {number}")
    return site


def get_address(site: StudySite) -> str:
    return f"/records/site__v/{site.uid}/history/"


def test_the_page_leads_to_older_entries_which_come_as_rows_or_as_a_page(client: Client, site: StudySite) -> None:
    page = client.get(f"/records/site__v/{site.uid}/")
    older = page.context["page"].timeline.older
    address = f"{get_address(site)}?before={older}"
    assert f'href="{address}"' in page.content.decode()
    rows, whole = client.get(address, headers={"HX-Request": "true"}), client.get(address)
    assert ("<html" in rows.content.decode(), "<html" in whole.content.decode()) == (False, True)
    for answer in (rows, whole):
        assert ("created this record" in answer.content.decode(), answer.headers["Vary"]) == (
            True,
            "HX-Request, Cookie",
        )


def test_a_record_of_another_object_with_the_same_uid_keeps_its_history_to_itself(user: User) -> None:
    person = PersonFactory.create()
    change(person, user, phone="secret")
    site = StudySiteFactory.create(uid=person.uid)
    assert [entry.what for entry in read(site, user).entries] == ["created this record"]


def test_times_are_the_users_own(client: Client, user: User) -> None:
    with travel("2026-03-04T23:30:00Z", tick=False):
        site = StudySiteFactory.create()
    user.time_zone = "Pacific/Auckland"
    user.save()
    client.force_login(user)
    assert "5 Mar 2026, 12:30</time>" in client.get(get_address(site)).content.decode()


@pytest.mark.parametrize("before", ["x", "-1", "9" * 40, "½"])
def test_a_place_that_is_none_is_not_found(client: Client, site: StudySite, before: str) -> None:
    assert client.get(get_address(site), {"before": before}).status_code == 404


def test_beyond_the_oldest_there_is_nothing(client: Client, site: StudySite) -> None:
    assert "Nothing older." in client.get(get_address(site), {"before": 1}).content.decode()
