"""Last and next contact of sites and study people: which activities count, and every way in which they change."""

from __future__ import annotations

import datetime as dt
import importlib
from io import StringIO
from typing import Any

import pytest
import time_machine
from django.apps import apps
from django.core.management import CommandError, call_command
from django.db import connection, models
from django.test.utils import CaptureQueriesContext

from activities.contacts.writing import hold_contacts, move_on, rebuild_contacts, write_contacts
from activities.models import Activity, ContactChange
from activities.tasks import write_contact_dates
from ctms.audit.models import AuditEntry
from ctms.audit.services import create_records, delete_record, restore_records, save_record, update_records
from ctms.clinical.models import StudyPerson, StudySite
from ctms.core.choices import RecordStatus
from tests.factories.activities import ActivityFactory, MedicalActivityFactory
from tests.factories.base import build_admin_actor
from tests.factories.clinical import PersonFactory, StudyFactory, StudyPersonFactory, StudySiteFactory

pytestmark = [pytest.mark.django_db, pytest.mark.both_databases]

TODAY = dt.date(2026, 6, 15)
Dates = tuple[dt.date | None, dt.date | None, dt.date | None]
NEVER: Dates = (None, None, None)


@pytest.fixture(autouse=True)
def _on_that_day() -> Any:
    with time_machine.travel(dt.datetime(2026, 6, 15, 12, tzinfo=dt.UTC), tick=False):
        yield


def on(days: int) -> dt.date:
    return TODAY + dt.timedelta(days=days)


def read(record: StudySite | StudyPerson) -> Dates:
    write_contacts()
    record.refresh_from_db()
    return record.last_contact, record.next_contact, record.overdue_since


def save(record: Any, **values: Any) -> None:
    for name, value in values.items():
        setattr(record, name, value)
    save_record(record=record, actor=build_admin_actor())


# -- Which activities count -----------------------------------------------------------------------
def test_last_next_and_overdue_are_those_of_the_active_activities_of_the_site() -> None:
    site = StudySiteFactory.create()
    assert read(site) == NEVER
    for days, complete in ((-9, True), (-3, True), (-8, False), (-2, False), (0, False), (4, False), (6, True)):
        ActivityFactory.create(site=site, date=on(days), complete=complete)
    ActivityFactory.create(site=site, date=on(-1), complete=True, status=RecordStatus.INACTIVE)
    ActivityFactory.create(site=StudySiteFactory.create(study_country=site.study_country), date=on(-1), complete=True)
    assert read(site) == (on(-3), on(0), on(-8))
    assert site.days_since_contact == 3
    MedicalActivityFactory.create(site=site, date=on(0), complete=True)
    assert read(site) == (on(0), on(0), on(-8))


def test_a_study_person_has_the_activities_of_the_person_in_the_study_and_at_the_site_of_the_role() -> None:
    site = StudySiteFactory.create()
    person = PersonFactory.create()
    at_site = StudyPersonFactory.create(person=person, site=site, study=site.study)
    at_other = StudyPersonFactory.create(person=person, site=StudySiteFactory.create(study_country=site.study_country))
    in_study = StudyPersonFactory.create(person=person, study=site.study, site=None, study_country=None)
    in_other = StudyPersonFactory.create(person=person, study=StudyFactory.create(), site=None, study_country=None)
    of_other = StudyPersonFactory.create(site=site)
    ActivityFactory.create(person=person, site=site, date=on(-5), complete=True)
    ActivityFactory.create(person=person, study=site.study, date=on(-4), complete=True)  # at none of the sites
    ActivityFactory.create(person=person, date=on(-1), complete=True)  # of no study
    assert [read(each)[0] for each in (at_site, at_other, in_study, in_other, of_other)] == [
        on(-5),
        None,
        on(-4),
        None,
        None,
    ]
    # One that names the role, whoever its person is.
    ActivityFactory.create(study_person=of_other, date=on(-2), complete=True)
    assert read(of_other)[0] == on(-2)


# -- Every way in which they change ---------------------------------------------------------------
def test_dates_follow_each_change_of_an_activity_whichever_door_it_came_through() -> None:
    actor = build_admin_actor()
    here, there = StudySiteFactory.create(), StudySiteFactory.create()
    activity = ActivityFactory.create(site=here, date=on(-5))
    assert read(here) == (None, None, on(-5))
    save(activity, complete=True)
    assert read(here) == (on(-5), None, None)
    save(activity, date=on(3), complete=False)
    assert read(here) == (None, on(3), None)
    save(activity, status=RecordStatus.INACTIVE)
    assert read(here) == NEVER
    save(activity, status=RecordStatus.ACTIVE)
    activity.site, activity.study, activity.study_country = there, there.study, there.study_country
    update_records(records=[activity], actor=actor)
    assert (read(here), read(there)) == (NEVER, (None, on(3), None))
    delete_record(record=Activity.objects.get(pk=activity.pk), actor=actor)
    assert read(there) == NEVER
    activity.pk = None
    restore_records(records=[activity], actor=actor)
    assert read(there) == (None, on(3), None)
    create_records(
        records=[Activity(person=PersonFactory.create(), site=here, date=on(-7), channel="phone__v", complete=True)],
        actor=actor,
    )
    assert read(here) == (on(-7), None, None)


def test_dates_follow_a_study_person_who_is_new_or_moves() -> None:
    site = StudySiteFactory.create()
    other = StudySiteFactory.create(study=site.study, study_country=site.study_country)
    person = PersonFactory.create()
    ActivityFactory.create(person=person, site=site, date=on(-5), complete=True)
    role = StudyPersonFactory.create(person=person, site=site, study=site.study)
    assert read(role)[0] == on(-5)
    save(role, site=other)
    assert read(role)[0] is None
    save(role, site=site)
    assert read(role)[0] == on(-5)
    save(role, person=PersonFactory.create())
    assert read(role)[0] is None


def test_a_change_of_other_fields_is_not_noted() -> None:
    activity = ActivityFactory.create(site=StudySiteFactory.create())
    write_contacts()
    save(activity, subject="Another", notes="More")
    save(activity.site, city="Quito")
    assert not ContactChange.objects.exists()


def test_dates_are_written_right_after_the_commit(django_capture_on_commit_callbacks: Any) -> None:
    site = StudySiteFactory.create()
    write_contacts()
    with django_capture_on_commit_callbacks(execute=True) as callbacks:
        ActivityFactory.create(site=site, date=on(-1), complete=True)
    assert callbacks
    site.refresh_from_db()
    assert site.last_contact == on(-1)
    assert not ContactChange.objects.exists()


# -- They are no change of the record -------------------------------------------------------------
def test_dates_change_neither_version_nor_modified_date_and_leave_no_entry() -> None:
    site = StudySiteFactory.create()
    before = (site.version, site.modified_at)
    ActivityFactory.create(site=site, date=on(-1), complete=True)
    entries = AuditEntry.objects.filter(record_uid=site.uid).count()
    assert read(site)[0] == on(-1)
    assert (site.version, site.modified_at) == before
    assert AuditEntry.objects.filter(record_uid=site.uid).count() == entries


def test_a_save_of_a_record_that_was_read_before_leaves_the_dates_as_they_are_now() -> None:
    site = StudySiteFactory.create()
    read_before, also = StudySite.objects.get(pk=site.pk), StudySite.objects.get(pk=site.pk)
    ActivityFactory.create(site=site, date=on(-1), complete=True)
    write_contacts()
    save(read_before, city="Quito")
    assert read(site)[0] == on(-1)
    also.version = read_before.version
    also.city = "Lima"
    update_records(records=[also], actor=build_admin_actor())
    assert read(site)[0] == on(-1)
    assert AuditEntry.objects.filter(record_uid=site.uid).latest("pk").changes.keys() == {"city"}


# -- A day passes ---------------------------------------------------------------------------------
def test_when_a_day_has_passed_what_was_next_is_overdue_and_what_was_done_ahead_has_been() -> None:
    site, quiet = StudySiteFactory.create(), StudySiteFactory.create()
    ActivityFactory.create(site=site, date=on(0))
    ActivityFactory.create(site=site, date=on(2))
    ActivityFactory.create(site=site, date=on(1), complete=True)
    ActivityFactory.create(site=quiet, date=on(-1), complete=True)
    assert read(site) == (None, on(0), None)
    assert move_on() == 0
    with time_machine.travel(dt.datetime(2026, 6, 16, 0, 1, tzinfo=dt.UTC)):
        write_contact_dates()
        assert read(site) == (on(1), on(2), on(0))
    with time_machine.travel(dt.datetime(2026, 6, 18, 0, 1, tzinfo=dt.UTC)):
        assert move_on() == 1
        assert read(site) == (on(1), None, on(0))
        assert site.contacts_move_on is None


# -- Rebuilding -----------------------------------------------------------------------------------
def test_the_command_finds_and_puts_right_what_differs() -> None:
    site = StudySiteFactory.create()
    role = StudyPersonFactory.create(site=site, study=site.study)
    ActivityFactory.create(site=site, person=role.person, date=on(-1), complete=True)
    out = StringIO()
    call_command("rebuild_contacts", stdout=out)  # what waits for being written is no difference
    assert "0 of site__v, 0 of study_person__clin" in out.getvalue()
    for model in (StudySite, StudyPerson):
        models.QuerySet(model).update(last_contact=on(-4))
    with pytest.raises(CommandError, match="They differ"):
        call_command("rebuild_contacts", "--check", stdout=StringIO())
    out = StringIO()
    with pytest.raises(CommandError, match="were put right"):
        call_command("rebuild_contacts", stdout=out)
    assert "1 of site__v, 1 of study_person__clin" in out.getvalue()
    assert (read(site)[0], read(role)[0]) == (on(-1), on(-1))
    assert rebuild_contacts() == {"site__v": 0, "study_person__clin": 0}


def test_the_migration_fills_what_exists() -> None:
    site = StudySiteFactory.create()
    role = StudyPersonFactory.create(site=site, study=site.study)
    named = StudyPersonFactory.create(site=site, study=site.study)
    for days, complete in ((-9, True), (-3, True), (-8, False), (4, False), (6, True)):
        ActivityFactory.create(site=site, person=role.person, date=on(days), complete=complete)
    ActivityFactory.create(study_person=named, date=on(-2), complete=True)
    ActivityFactory.create(study_person=named, person=named.person, date=on(-6), complete=False)
    expected = [read(each) for each in (site, role, named)]
    for model in (StudySite, StudyPerson):
        models.QuerySet(model).update(last_contact=None, next_contact=None, overdue_since=None, contacts_move_on=None)
    module: Any = importlib.import_module("activities.migrations.0008_fill_contact_dates")
    module.fill_dates(apps, None)
    assert [read(each) for each in (site, role, named)] == expected
    assert rebuild_contacts() == {"site__v": 0, "study_person__clin": 0}


def test_statements_do_not_grow_with_records() -> None:
    counted = []
    for number in (2, 20):
        sites = StudySiteFactory.create_batch(number)
        made = [
            Activity(person=PersonFactory.create(), site=site, date=on(-1), channel="phone__v", complete=True)
            for site in sites
        ]
        for each in made:
            StudyPersonFactory.create(person=each.person, site=each.site, study=each.site.study if each.site else None)
        write_contacts()
        with CaptureQueriesContext(connection) as writing:
            create_records(records=made, actor=build_admin_actor())
        with CaptureQueriesContext(connection) as dates:
            assert write_contacts() == 2 * number
        counted.append((len(writing), len(dates)))
    assert counted[0] == counted[1]
    assert counted[0][1] <= 20, [each["sql"] for each in dates.captured_queries]


def test_a_job_writes_the_dates_when_it_ends_and_of_many_changes_only_the_first(
    django_capture_on_commit_callbacks: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("activities.contacts.writing.CHANGES", 2)
    sites = StudySiteFactory.create_batch(3)
    write_contacts()
    with django_capture_on_commit_callbacks(execute=True) as callbacks, hold_contacts():
        for site in sites:
            ActivityFactory.create(site=site, person=PersonFactory.create(), date=on(-1), complete=True)
        site.refresh_from_db()
        assert site.last_contact is None
    assert callbacks == []
    assert StudySite.objects.filter(last_contact=on(-1)).count() == 1  # two changes: one of a site, and one of a person
    write_contact_dates()
    assert StudySite.objects.filter(last_contact=on(-1)).count() == 3
