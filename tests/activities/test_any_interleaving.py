"""Edits of sources, their people and generated activities, in any order and with runs between, end in one state."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest
from django.db import transaction
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from activities.contacts.writing import rebuild_contacts
from activities.models import Activity, DeclinedActivity
from ctms.audit.services import delete_record, save_record
from ctms.clinical.choices import MonitoringEventState, VisitMethod
from ctms.clinical.models import (
    MonitoringEvent,
    MonitoringEventParticipant,
    Person,
    StudyCommunicationContact,
    StudyCommunicationLog,
)
from ctms.core.choices import RecordStatus
from tests.activities.generation import configure_automation, generate, list_generated
from tests.factories.base import build_admin_actor
from tests.factories.clinical import (
    MonitoringEventFactory,
    StudyCommunicationLogFactory,
    StudyPersonFactory,
    StudySiteFactory,
)

pytestmark = [pytest.mark.django_db, pytest.mark.both_databases, pytest.mark.system]

DAYS = [None, dt.date(2026, 3, 1), dt.date(2026, 4, 1)]
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("move"), st.sampled_from(DAYS)),
        st.tuples(st.just("method"), st.sampled_from(["", *VisitMethod.values])),
        st.tuples(st.just("state"), st.sampled_from(MonitoringEventState.values)),
        st.tuples(st.just("toggle"), st.integers(0, 2)),
        st.tuples(st.just("rest"), st.integers(0, 2)),
        st.tuples(st.just("lead"), st.integers(0, 2)),
        st.tuples(st.just("contact"), st.integers(0, 2)),
        st.tuples(st.just("date"), st.sampled_from(DAYS)),
        st.tuples(st.just("edit"), st.integers(0, 5)),
        st.tuples(st.just("delete"), st.integers(0, 5)),
        st.tuples(st.just("run"), st.none()),
    ),
    max_size=16,
)


def save(record: Any, **values: Any) -> None:
    record.refresh_from_db()
    for name, value in values.items():
        setattr(record, name, value)
    save_record(record=record, actor=build_admin_actor())


def take(event: MonitoringEvent, log: StudyCommunicationLog, people: list[Person], step: tuple[str, Any]) -> None:
    """Do one step of a user or of the job."""
    what, value = step
    fields = {
        "move": (event, "planned_start"),
        "method": (event, "visit_method"),
        "state": (event, "lifecycle_state"),
        "date": (log, "date"),
    }
    if what in fields:
        record, name = fields[what]
        save(record, **{name: value})
    elif what == "toggle":
        toggle(MonitoringEventParticipant(monitoring_event=event, person=people[value]))
    elif what == "contact":
        toggle(StudyCommunicationContact(communication=log, person=people[value]))
    elif what == "rest":
        rest(event, people[value])
    elif what == "lead":
        save(event.site, principal_investigator=people[value])
    elif what == "run":
        generate()
    elif generated := list_generated():
        activity = generated[value % len(generated)]
        if what == "edit":
            save(activity, subject="Mine", date=dt.date(2020, 1, 1), notes="Kept")
        else:
            delete_record(record=activity, actor=build_admin_actor())


def toggle(part: MonitoringEventParticipant | StudyCommunicationContact) -> None:
    """Add the person to the source, or remove the person if already added."""
    parent = "monitoring_event" if isinstance(part, MonitoringEventParticipant) else "communication"
    same = {parent: getattr(part, parent), "person": part.person}
    present = type(part)._default_manager.filter(**same).first()
    if present is not None:
        delete_record(record=present, actor=build_admin_actor())
    else:
        save_record(record=part, actor=build_admin_actor())


def rest(event: MonitoringEvent, person: Person) -> None:
    """Make a participant Inactive, or Active again."""
    present = MonitoringEventParticipant.objects.filter(monitoring_event=event, person=person).first()
    if present is not None:
        is_active = present.status == RecordStatus.ACTIVE
        save(present, status=RecordStatus.INACTIVE if is_active else RecordStatus.ACTIVE)


def read_state() -> list[tuple[Any, ...]]:
    columns = ("monitoring_event", "person", "date", "channel", "complete", "subject", "status")
    active = Activity.objects.filter(is_generated=True, status=RecordStatus.ACTIVE)
    return sorted(active.values_list(*columns), key=repr)


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(steps=STEPS)
def test_any_order_of_edits_and_runs_ends_in_what_the_rules_say(steps: list[tuple[str, Any]]) -> None:
    with transaction.atomic():
        configure_automation()
        site = StudySiteFactory.create()
        event = MonitoringEventFactory.create(site=site, planned_start=DAYS[1], planned_end=None)
        log = StudyCommunicationLogFactory.create(site=site, study=site.study, date=DAYS[1])
        people = [StudyPersonFactory.create(site=site, study=site.study).person for _ in range(3)]
        for step in steps:
            take(event, log, people, step)
        save(event, planned_start=dt.date(2026, 5, 1), planned_end=dt.date(2026, 5, 2))
        save(log, date=dt.date(2026, 5, 1))
        generate()
        reached, notes = read_state(), [each.notes for each in list_generated()]
        assert set(notes) <= {"", "Kept"}

        # Compare with activities generated at once for the present people, as if there had been no steps before. Those
        # that a user deleted came back only if their people were named anew.
        declined = set(DeclinedActivity.objects.values_list("monitoring_event", "person"))
        for activity in list_generated():
            delete_record(record=activity, actor=build_admin_actor())
        DeclinedActivity.objects.all().delete()
        save(event, planned_end=dt.date(2026, 5, 3))
        save(log, summary="Touched")
        generate()
        assert reached == [row for row in read_state() if row[:2] not in declined]

        versions = sorted(Activity.objects.values_list("pk", "version"))
        generate()
        assert sorted(Activity.objects.values_list("pk", "version")) == versions
        assert rebuild_contacts() == {"site__v": 0, "study_person__clin": 0}
        transaction.set_rollback(True)
