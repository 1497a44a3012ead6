"""The entries of the calendar: which days they stand on, who sees them, and in how many statements."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from time_machine import travel

from ctms.accounts.models import User
from ctms.clinical.choices import MonitoringEventState
from ctms.clinical.models import StudyPerson, StudySite
from ctms.core.choices import RecordStatus
from ctms.records.calendar import sources
from ctms.records.calendar.entries import list_entries, load_entries
from ctms.records.calendar.whose import STUDIES, Whose, read_whose
from tests.factories.accounts import SecurityProfileFactory
from tests.factories.activities import ActivityFactory, MedicalActivityFactory
from tests.factories.clinical import (
    MonitoringEventFactory,
    PersonFactory,
    StudyPersonFactory,
    StudySiteFactory,
)
from tests.records.calendar.visits import day, plan

pytestmark = [pytest.mark.django_db, pytest.mark.both_databases]

FIRST, LAST = dt.date(2026, 12, 1), dt.date(2026, 12, 31)


def allow(user: User, *permissions: str) -> None:
    """Let the user do this and nothing else."""
    user.security_profile = SecurityProfileFactory.create(permissions=list(permissions))


def read(user: User, **options: Any) -> list[tuple[str, int, int]]:
    found = list_entries(user=user, first=FIRST, last=LAST, **options)
    return [(each.title, each.start.day, each.end.day) for each in found]


def test_a_visit_stands_on_its_actual_days_once_it_has_begun(carla: User, site: StudySite) -> None:
    plan(site, 3, 5)
    plan(site, 7)
    plan(site, 9, 11, actual_start=day(8))
    plan(site, 14, 16, actual_start=day(15), actual_end=day(15))
    plan(site, 20, 21, actual_start=day(22))
    MonitoringEventFactory.create(site=site, planned_start=None, planned_end=None)
    assert [each[1:] for each in read(carla)] == [(3, 5), (7, 7), (8, 11), (15, 15), (22, 22)]


def test_what_began_before_and_ends_after_the_days_is_there(carla: User, site: StudySite) -> None:
    MonitoringEventFactory.create(site=site, planned_start=dt.date(2026, 11, 29), planned_end=dt.date(2027, 1, 2))
    MonitoringEventFactory.create(site=site, planned_start=dt.date(2026, 11, 29), planned_end=dt.date(2026, 11, 30))
    [entry] = list_entries(user=carla, first=FIRST, last=LAST)
    assert (entry.start, entry.end, entry.days) == (dt.date(2026, 11, 29), dt.date(2027, 1, 2), 35)
    entries = load_entries(user=carla, first=FIRST, last=LAST, whose=Whose(), with_complete=False, per_day=3)
    assert sum(entries.totals.values()) == 31


def test_cancelled_and_inactive_records_are_left_out(carla: User, site: StudySite) -> None:
    plan(site, 3, lifecycle_state=MonitoringEventState.CANCELLED)
    plan(site, 4, status=RecordStatus.INACTIVE)
    ActivityFactory.create(site=site, date=day(5), status=RecordStatus.INACTIVE)
    assert read(carla) == []


def test_completed_activities_are_there_when_asked_for(carla: User, site: StudySite) -> None:
    ActivityFactory.create(site=site, date=day(5), subject="Planned")
    ActivityFactory.create(site=site, date=day(6), subject="Done", complete=True)
    assert read(carla) == [("Planned", 5, 5)]
    assert read(carla, with_complete=True) == [("Planned", 5, 5), ("Done", 6, 6)]


def test_activities_that_were_generated_from_a_visit_stand_there_as_the_visit(carla: User, site: StudySite) -> None:
    visit = plan(site, 3)
    ActivityFactory.create(site=site, date=day(3), monitoring_event=visit, is_generated=True)
    assert len(read(carla)) == 1
    allow(carla, "crm_activity__v:read", "site__v:read", "study__v:read")
    assert len(read(carla)) == 1
    assert read(carla)[0][0].startswith("Activity")


def test_mine_is_what_i_own_and_what_is_at_my_sites(carla: User, site: StudySite) -> None:
    elsewhere = StudySiteFactory.create(study_country=site.study_country)
    ActivityFactory.create(site=elsewhere, date=day(3), subject="Of a colleague")
    ActivityFactory.create(site=elsewhere, date=day(4), subject="Owned", owner=carla)
    ActivityFactory.create(site=site, date=day(5), subject="At my site")
    assert [each[0] for each in read(carla)] == ["Owned", "At my site"]
    assert [each[0] for each in read(carla, whose=Whose(kind=STUDIES))] == ["Of a colleague", "Owned", "At my site"]
    assert len(read(carla, whose=read_whose(str(site.study.uid)))) == 3


def test_hidden_studies_appear_in_no_entry_and_no_count(carla: User, site: StudySite) -> None:
    hidden = StudySiteFactory.create(owner=carla)
    plan(hidden, 3)
    ActivityFactory.create(site=hidden, date=day(3), owner=carla)
    for whose in (Whose(), Whose(kind=STUDIES), read_whose(str(hidden.study.uid))):
        found = load_entries(user=carla, first=FIRST, last=LAST, whose=whose, with_complete=True, per_day=5)
        assert (found.shown, dict(found.totals)) == ([], {})


def test_what_the_profile_hides_is_not_named(carla: User, site: StudySite) -> None:
    person = PersonFactory.create(last_name="Seacole")
    ActivityFactory.create(site=site, study=site.study, date=day(5), person=person, subject="", owner=carla)
    allow(carla, "crm_activity__v:read", "study__v:read")
    [entry] = list_entries(user=carla, first=FIRST, last=LAST)
    assert "Seacole" not in entry.text
    assert "04001" not in entry.text
    assert not entry.is_movable


def test_an_entry_says_what_it_is_and_whether_it_can_be_moved(carla: User, site: StudySite) -> None:
    visit = plan(site, 20)
    plan(site, 21, actual_start=day(21))
    medical = MedicalActivityFactory.create(site=site, study=site.study, date=day(22), subject="By the rep")
    ActivityFactory.create(site=site, date=day(2), subject="Late")
    with travel("2026-12-10T10:00:00Z", tick=False):
        late, planned, begun, other = list_entries(user=carla, first=FIRST, last=LAST)
    assert (planned.text, planned.state, planned.tone) == (
        "04001 · Graz · Interim Monitoring Visit",
        "Expected",
        "planned",
    )
    assert (planned.uid, planned.url, planned.version) == (
        visit.uid,
        f"/records/monitoring_event__ctms/{visit.uid}/",
        visit.version,
    )
    assert (late.tone, begun.state, other.uid) == ("overdue", "Begun", medical.uid)
    assert [each.is_movable for each in (late, planned, begun, other)] == [True, True, False, False]


def test_each_day_is_counted_and_shows_no_more_than_asked(carla: User, site: StudySite) -> None:
    for number in range(7):
        ActivityFactory.create(site=site, date=day(5), subject=f"Call {number}")
    for _ in range(6):
        plan(site, 4, 6)
    plan(site, 6)
    found = load_entries(user=carla, first=FIRST, last=LAST, whose=Whose(), with_complete=False, per_day=2)
    assert dict(found.totals) == {day(4): 6, day(5): 13, day(6): 7}
    assert [each.start.day for each in found.shown] == [4, 4, 6, 5, 5]


def test_the_number_of_statements_does_not_grow(carla: User, site: StudySite) -> None:
    def count() -> tuple[int, int]:
        with CaptureQueriesContext(connection) as listed:
            list_entries(user=carla, first=FIRST, last=LAST)
        with CaptureQueriesContext(connection) as loaded:
            load_entries(user=carla, first=FIRST, last=LAST, whose=Whose(), with_complete=False, per_day=3)
        return len(listed), len(loaded)

    plan(site, 3)
    ActivityFactory.create(site=site, date=day(3))
    count()
    before = count()
    for number in range(1, 25):
        plan(site, number, number + 3)
        ActivityFactory.create(site=site, date=day(number))
    assert count() == before


def test_whose_is_explained_if_it_is_neither(carla: User) -> None:
    with pytest.raises(ValueError, match="neither mine, studies nor a study"):
        read_whose("yours")


def test_a_new_object_joins_by_a_registration(carla: User, site: StudySite, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sources, "_sources", dict(sources._sources))
    sources.register_calendar_source(
        sources.CalendarSource(
            object_name=StudyPerson.object_name,
            starts=("start_date__clin",),
            ends=("end_date__clin",),
            title="person__clin",
            captions=("team_role__v",),
            describe=lambda _record: ("neutral", "In the study"),
            is_complete=lambda _record: False,
            study="study__clin",
            site="site__clin",
        )
    )
    allow(carla, "study_person__clin:read", "site__v:read", "study__v:read", "person__sys:read")
    member = StudyPersonFactory.create(site=site, start_date=day(4), end_date=day(6))
    StudyPersonFactory.create(site=StudySiteFactory.create(study_country=site.study_country), start_date=day(5))
    [mine] = list_entries(user=carla, first=FIRST, last=LAST)
    assert (mine.uid, mine.text, mine.days) == (member.uid, f"{member.person} · Study coordinator", 3)
    assert len(list_entries(user=carla, first=FIRST, last=LAST, whose=read_whose(str(site.study.uid)))) == 2
