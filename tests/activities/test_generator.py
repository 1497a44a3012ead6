"""The job Generate Clinical Activities: rules, updates, exceptions and cost."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest
import time_machine
from django.core.exceptions import ValidationError
from django.db import connection
from django.test.utils import CaptureQueriesContext

from activities.choices import ActivityType, Channel
from activities.models import Activity
from activities.sources import UPDATE_REQUIRED
from ctms.audit.models import AuditEntry
from ctms.audit.services import delete_record, save_record
from ctms.clinical.choices import CommunicationType, MonitoringEventState, MonitoringEventType, VisitMethod
from ctms.clinical.models import MonitoringEvent, MonitoringEventParticipant, StudyCommunicationLog
from ctms.configuration.services import set_object_type_status, take_off_fields
from ctms.core.choices import RecordStatus
from ctms.core.models import allow_record_writes
from ctms.jobs.choices import RunState
from exceptions_log.dismissals import dismiss_items
from exceptions_log.models import ExceptionItem
from tests.activities.generation import configure_automation, generate, list_generated, list_problems
from tests.factories.activities import ActivityFactory
from tests.factories.base import build_admin_actor
from tests.factories.clinical import (
    MonitoringEventFactory,
    MonitoringEventParticipantFactory,
    PersonFactory,
    StudyCommunicationContactFactory,
    StudyCommunicationLogFactory,
    StudyCountryFactory,
    StudyPersonFactory,
    StudySiteFactory,
)

pytestmark = [pytest.mark.django_db, pytest.mark.both_databases]

TODAY = dt.date(2026, 3, 10)


@pytest.fixture(autouse=True)
def _automated() -> None:
    configure_automation()


def save(record: Any, **values: Any) -> None:
    record.refresh_from_db()
    for name, value in values.items():
        setattr(record, name, value)
    save_record(record=record, actor=build_admin_actor())


def create_event(*, participants: int = 1, **values: Any) -> MonitoringEvent:
    """Create a visit with participants who are Study Persons of its study."""
    event = MonitoringEventFactory.create(
        **{"planned_start": TODAY, "planned_end": None, "visit_method": VisitMethod.ON_SITE, **values}
    )
    for _ in range(participants):
        member = StudyPersonFactory.create(site=event.site, study=event.study)
        MonitoringEventParticipantFactory.create(monitoring_event=event, person=member.person)
    return event


def create_log(*, contacts: int = 1, **values: Any) -> StudyCommunicationLog:
    log = StudyCommunicationLogFactory.create(**{"date": TODAY, **values})
    for _ in range(contacts):
        member = StudyPersonFactory.create(site=log.site, study=log.study)
        StudyCommunicationContactFactory.create(communication=log, person=member.person)
    return log


def is_flagged(source: Any) -> bool:
    source.refresh_from_db()
    return bool(source.activity_update_required)


# -- The rules ------------------------------------------------------------------------------------
def test_each_participant_gets_an_activity_of_the_visit() -> None:
    event = create_event(participants=2, object_type=MonitoringEventType.SITE_INITIATION_VISIT)
    run = generate()
    activities = list_generated()
    assert {each.person_id for each in activities} == {each.person_id for each in event.participants.all()}
    first = activities[0]
    assert (first.object_type, first.date, first.channel, first.complete, first.status) == (
        ActivityType.CLINICAL,
        TODAY,
        Channel.IN_PERSON,
        False,
        RecordStatus.ACTIVE,
    )
    assert (first.study, first.study_country, first.site) == (event.study, event.study_country, event.site)
    assert (first.monitoring_event, first.study_communication) == (event, None)
    assert first.subject.startswith("Site Initiation Visit")
    assert event.name in first.subject
    assert first.from_text == event.created_by.display_contact
    assert (run.state, run.result["Monitoring Events"]["created"]) == (RunState.SUCCEEDED, 2)
    assert not is_flagged(event)


def test_without_participants_it_is_the_principal_investigators() -> None:
    event = create_event(participants=0)
    generate()
    [activity] = list_generated()
    assert activity.person == event.site.principal_investigator


@pytest.mark.parametrize(
    ("method", "channel"),
    [
        (VisitMethod.ON_SITE, Channel.IN_PERSON),
        (VisitMethod.REMOTE_VIDEO, Channel.VIDEO),
        (VisitMethod.REMOTE_PHONE, Channel.PHONE),
        ("", Channel.OTHER),
    ],
)
def test_the_visit_method_is_the_channel(method: str, channel: Channel) -> None:
    create_event(visit_method=method)
    generate()
    assert [each.channel for each in list_generated()] == [channel]


@pytest.mark.parametrize(
    ("object_type", "channel"),
    [
        (CommunicationType.EMAIL, Channel.EMAIL),
        (CommunicationType.PHONE_CALL, Channel.PHONE),
        (CommunicationType.VIDEO_CALL, Channel.VIDEO),
        (CommunicationType.IN_PERSON_MEETING, Channel.IN_PERSON),
        (CommunicationType.MESSAGE, Channel.CHAT_TEXT),
        (CommunicationType.OTHER, Channel.OTHER),
    ],
)
def test_the_type_of_a_communication_is_the_channel(object_type: str, channel: Channel) -> None:
    create_log(object_type=object_type)
    generate()
    assert [each.channel for each in list_generated()] == [channel]


@pytest.mark.parametrize(
    ("values", "date", "complete"),
    [
        ({}, TODAY, False),
        ({"actual_start": dt.date(2026, 3, 12)}, dt.date(2026, 3, 12), False),
        ({"actual_start": TODAY, "actual_end": TODAY}, TODAY, True),
        ({"lifecycle_state": MonitoringEventState.FINAL}, TODAY, True),
    ],
)
def test_a_visit_is_on_its_actual_day_and_complete_once_it_has_ended(
    values: dict[str, Any], date: dt.date, complete: bool
) -> None:
    create_event(**values)
    generate()
    assert [(each.date, each.complete) for each in list_generated()] == [(date, complete)]


def test_a_communication_is_complete_from_its_day_on_though_nobody_changes_it() -> None:
    with time_machine.travel(dt.datetime(2026, 3, 9, 12, tzinfo=dt.UTC), tick=False):
        create_log(contacts=2, date=TODAY)
        generate()
        assert [each.complete for each in list_generated()] == [False, False]
    with time_machine.travel(dt.datetime(2026, 3, 10, 0, 1, tzinfo=dt.UTC), tick=False):
        generate()
        assert [each.complete for each in list_generated()] == [True, True]


# -- What changes ---------------------------------------------------------------------------------
def test_what_changes_in_the_source_changes_in_its_activities_and_the_rest_is_the_users() -> None:
    event = create_event()
    generate()
    [activity] = list_generated()
    save(activity, notes="Bring the binder", subject="Mine", channel=Channel.OTHER)
    save(event, planned_start=dt.date(2026, 4, 1), visit_method=VisitMethod.REMOTE_VIDEO)
    generate()
    activity.refresh_from_db()
    assert (activity.date, activity.channel, activity.notes) == (dt.date(2026, 4, 1), Channel.VIDEO, "Bring the binder")
    assert activity.subject != "Mine"
    assert AuditEntry.objects.filter(record_uid=activity.uid).latest("id").source == "job"


def test_whoever_is_removed_has_an_inactive_activity_and_whoever_returns_an_active_one() -> None:
    event = create_event(participants=2)
    generate()
    gone = event.participants.order_by("pk")[0]
    person = gone.person
    delete_record(record=gone, actor=build_admin_actor())
    assert is_flagged(event)
    generate()
    assert {each.person_id: each.status for each in list_generated()}[person.pk] == RecordStatus.INACTIVE
    MonitoringEventParticipantFactory.create(monitoring_event=event, person=person)
    generate()
    assert [each.status for each in list_generated()] == [RecordStatus.ACTIVE] * 2


def test_a_deleted_activity_does_not_come_back_with_the_next_change_of_its_visit() -> None:
    event = create_event(participants=2)
    generate()
    deleted, other = list_generated()
    delete_record(record=deleted, actor=build_admin_actor())
    save(event, planned_start=dt.date(2026, 4, 1))
    generate()
    assert [(each.pk, each.date) for each in list_generated()] == [(other.pk, dt.date(2026, 4, 1))]
    assert not is_flagged(event)

    # Somebody names the person anew.
    participant = event.participants.get(person=deleted.person_id)
    delete_record(record=participant, actor=build_admin_actor())
    MonitoringEventParticipantFactory.create(monitoring_event=event, person=deleted.person)
    generate()
    assert {each.person_id for each in list_generated()} == {deleted.person_id, other.person_id}


def test_a_deleted_activity_does_not_come_back_with_the_next_change_of_its_communication() -> None:
    contact = StudyCommunicationContactFactory.create()
    StudyPersonFactory.create(study=contact.communication.study, site=contact.communication.site, person=contact.person)
    generate()
    (deleted,) = list_generated()
    delete_record(record=deleted, actor=build_admin_actor())
    save(contact.communication, summary="Changed")
    generate()
    assert list_generated() == []
    save(contact, status=RecordStatus.INACTIVE)
    save(contact, status=RecordStatus.ACTIVE)
    generate()
    assert len(list_generated()) == 1


def test_a_deleted_activity_of_the_investigator_comes_back_for_a_new_investigator_alone() -> None:
    event = create_event(participants=0)
    investigator = PersonFactory.create()
    save(event.site, principal_investigator=investigator)
    generate()
    (deleted,) = list_generated()
    delete_record(record=deleted, actor=build_admin_actor())
    save(event, planned_start=dt.date(2026, 4, 1))
    generate()
    assert list_generated() == []
    save(event.site, principal_investigator=PersonFactory.create())
    generate()
    assert len(list_generated()) == 1


def test_a_participant_who_moves_changes_both_visits() -> None:
    event, other = create_event(participants=2), create_event()
    generate()
    moved = event.participants.order_by("pk")[0]
    StudyPersonFactory.create(site=other.site, study=other.study, person=moved.person)
    save(moved, monitoring_event=other)
    assert (is_flagged(event), is_flagged(other)) == (True, True)


@pytest.mark.parametrize(
    "values", [{"lifecycle_state": MonitoringEventState.CANCELLED}, {"status": RecordStatus.INACTIVE}]
)
def test_a_cancelled_or_inactive_visit_has_no_active_activity(values: dict[str, Any]) -> None:
    event = create_event()
    generate()
    save(event, **values)
    generate()
    assert [each.status for each in list_generated()] == [RecordStatus.INACTIVE]
    assert list_problems() == []


def test_a_new_principal_investigator_takes_over_visits_without_participants() -> None:
    event, other = create_event(participants=0), create_event(participants=1)
    generate()
    successor = PersonFactory.create()
    for site in (event.site, other.site):
        save(site, principal_investigator=successor)
    assert (is_flagged(event), is_flagged(other)) == (True, False)
    generate()
    statuses = {each.person_id: each.status for each in list_generated() if each.monitoring_event_id == event.pk}
    assert statuses[successor.pk] == RecordStatus.ACTIVE
    assert sorted(statuses.values()) == [RecordStatus.ACTIVE, RecordStatus.INACTIVE]


def test_a_run_without_changes_writes_nothing() -> None:
    create_event(participants=2)
    create_log()
    generate()
    versions = [(each.pk, each.version) for each in list_generated()]
    entries = AuditEntry.objects.count()
    run = generate()
    assert [(each.pk, each.version) for each in list_generated()] == versions
    assert AuditEntry.objects.count() == entries
    assert (run.state, run.message) == (RunState.SUCCEEDED, "0 activities written.")


# -- What is not automated ------------------------------------------------------------------------
def test_a_type_without_the_field_is_not_automated() -> None:
    take_off_fields(
        object_name=MonitoringEvent.object_name,
        object_type=MonitoringEventType.CLOSE_OUT_VISIT,
        field_names=[UPDATE_REQUIRED],
        actor=build_admin_actor(),
    )
    event = create_event(object_type=MonitoringEventType.CLOSE_OUT_VISIT)
    assert not is_flagged(event)
    generate()
    assert list_generated() == []


def test_the_flag_is_no_change_of_the_record() -> None:
    event = create_event()
    version = event.version
    entries = AuditEntry.objects.filter(record_uid=event.uid).count()
    generate()
    event.refresh_from_db()
    assert (event.version, AuditEntry.objects.filter(record_uid=event.uid).count()) == (version, entries)


def test_activities_that_users_log_for_a_visit_are_theirs() -> None:
    event = create_event()
    person = event.participants.get().person
    mine = Activity(person=person, date=TODAY, channel=Channel.PHONE, monitoring_event=event, subject="By hand")
    save_record(record=mine, actor=build_admin_actor())
    generate()
    mine.refresh_from_db()
    assert (mine.subject, len(list_generated())) == ("By hand", 1)


# -- What fails -----------------------------------------------------------------------------------
def test_what_cannot_be_written_is_an_item_with_its_remedy_until_it_can() -> None:
    nobody = create_event(participants=0, site=StudySiteFactory.create(principal_investigator=None))
    undated = create_event(planned_start=None)
    stranger = create_event(participants=0)
    outsider = PersonFactory.create(first_name="Ida", last_name="Outside")
    MonitoringEventParticipantFactory.create(monitoring_event=stranger, person=outsider)
    fine = create_event()
    remedy = f"Add {outsider} to the study as a Study Person, or choose somebody else."
    remedy = f"{outsider} is none of the study’s people. {remedy}"
    run = generate()
    assert run.state == RunState.WITH_EXCEPTIONS
    assert list_problems() == sorted(
        [
            (
                str(nobody),
                "It has no participant and its site no principal investigator. Add a participant.",
            ),
            (str(undated), "It has neither an actual nor a planned start. Enter one of them."),
            (str(stranger), remedy),
        ]
    )
    assert [is_flagged(each) for each in (nobody, undated, stranger, fine)] == [True, True, True, False]
    save(undated, planned_start=TODAY)
    StudyPersonFactory.create(site=stranger.site, study=stranger.study, person=outsider)
    save(nobody.site, principal_investigator=PersonFactory.create())
    run = generate()
    assert (run.state, list_problems(), len(list_generated())) == (RunState.SUCCEEDED, [], 4)


def test_the_principal_investigator_of_the_site_is_no_stranger_in_a_communication() -> None:
    site = StudySiteFactory.create()
    log = create_log(contacts=0, site=site)
    StudyCommunicationContactFactory.create(communication=log, person=site.principal_investigator)
    generate()
    assert [each.person for each in list_generated()] == [site.principal_investigator]
    assert list_problems() == []


def test_one_stranger_keeps_the_others_from_nothing() -> None:
    event = create_event(participants=1)
    MonitoringEventParticipantFactory.create(monitoring_event=event, person=PersonFactory.create())
    generate()
    assert (len(list_generated()), len(list_problems()), is_flagged(event)) == (1, 1, True)


def test_activities_stay_as_they_are_until_a_fault_is_corrected() -> None:
    event = create_event()
    generate()
    save(event, planned_start=None)
    generate()
    assert [(each.status, each.date) for each in list_generated()] == [(RecordStatus.ACTIVE, TODAY)]


def test_an_inactive_clinical_activity_type_is_one_item_and_nothing_is_lost() -> None:
    event = create_event()
    kind = {"object_name": Activity.object_name, "object_type": ActivityType.CLINICAL, "actor": build_admin_actor()}
    set_object_type_status(**kind, status=RecordStatus.INACTIVE)  # type: ignore[arg-type]
    assert generate().state == RunState.FAILED
    [(item, message)] = list_problems()
    assert (item, "Activate it under Configuration" in message) == ("Generate Clinical Activities", True)
    set_object_type_status(**kind, status=RecordStatus.ACTIVE)  # type: ignore[arg-type]
    generate()
    assert (list_problems(), len(list_generated()), is_flagged(event)) == ([], 1, False)


def test_what_was_dismissed_stays_so_until_the_source_changes() -> None:
    event = create_event(planned_start=None)
    generate()
    dismiss_items(keys=[ExceptionItem.objects.get().pk], reason="Will never happen", actor=build_admin_actor())
    run = generate()
    assert (list_problems(), run.state) == ([], RunState.SUCCEEDED)
    save(event, visit_method=VisitMethod.REMOTE_PHONE)
    generate()
    assert len(list_problems()) == 1


# -- How it works ---------------------------------------------------------------------------------
def test_statements_grow_with_batches_and_not_with_sources() -> None:
    country = StudyCountryFactory.create()
    site = StudySiteFactory.create(study_country=country)
    counts = []
    for number in (1, 1, 20):  # the first run also fills caches
        for _ in range(number):
            event = MonitoringEventFactory.create(site=site, planned_start=TODAY, planned_end=None)
            member = StudyPersonFactory.create(site=site, study=country.study)
            MonitoringEventParticipantFactory.create(monitoring_event=event, person=member.person)
            of_study = StudyCommunicationLogFactory.create(site=None, study=country.study, date=TODAY)
            StudyCommunicationContactFactory.create(communication=of_study, person=member.person)
        with CaptureQueriesContext(connection) as queries:
            generate()
        counts.append(len(queries))
    assert counts[1] == counts[2]


def test_sources_behind_the_first_batch_are_reached(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("activities.generator.BATCH", 2)
    for _ in range(5):
        create_event()
    generate()
    assert (len(list_generated()), MonitoringEvent.objects.filter(activity_update_required=True).count()) == (5, 0)
    assert MonitoringEventParticipant.objects.count() == 5


def test_a_source_that_contradicts_itself_is_one_item_and_the_others_are_written() -> None:
    wrong, right = create_event(), create_event()
    country = StudyCountryFactory.create(study=wrong.site.study, country="FR")
    with allow_record_writes():  # as rows from before such a rule, or of a site whose country was corrected
        MonitoringEvent.objects.filter(pk=wrong.pk).update(study_country=country)
    run = generate()
    assert run.state == RunState.WITH_EXCEPTIONS
    assert [activity.monitoring_event for activity in list_generated()] == [right]
    [(name, message)] = list_problems()
    assert "Correct the study, country or site of the monitoring event." in message
    assert name


def test_a_visit_that_moves_to_another_study_takes_its_activities_along() -> None:
    event = create_event()
    generate()
    site = StudySiteFactory.create()
    StudyPersonFactory.create(site=site, study=site.study, person=event.participants.get().person)
    save(event, site=site, study=site.study, study_country=site.study_country)
    assert generate().state == RunState.SUCCEEDED
    [activity] = list_generated()
    assert (activity.study, activity.site, activity.monitoring_event) == (site.study, site, event)


def test_a_visit_stays_in_its_study_while_a_user_has_logged_an_activity_of_it() -> None:
    event = create_event()
    ActivityFactory.create(study=event.study, monitoring_event=event)
    other = StudySiteFactory.create()
    with pytest.raises(ValidationError, match="stays in"):
        save(event, site=other, study=other.study, study_country=other.study_country)
