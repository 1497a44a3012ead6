"""Sources in every state that Generate Clinical Activities can meet, and a description of what it generates."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import Any

import time_machine

from activities.jobs import GENERATE_JOB_KEY
from activities.models import Activity
from ctms.audit.models import AuditEntry
from ctms.audit.services import delete_record, save_record
from ctms.clinical.models import MonitoringEvent, StudyCommunicationLog
from ctms.core.clock import get_now
from ctms.jobs.choices import UNFINISHED_STATES, RunState
from ctms.jobs.models import JobDefinition, JobRun, Lease
from exceptions_log.models import ExceptionItem, Failure
from tests.activities.generation import configure_automation, generate
from tests.factories.base import build_admin_actor
from tests.factories.clinical import (
    MonitoringEventFactory,
    MonitoringEventParticipantFactory,
    StudyCommunicationContactFactory,
    StudyCommunicationLogFactory,
    StudyPersonFactory,
    StudySiteFactory,
)
from tests.jobs.handlers import let_leases_run_out


@dataclass(frozen=True, kw_only=True)
class Stage:
    """The sources of a run.

    The visits and `changed` are flagged: one visit moved, one lost a participant, one is faulty and one is new.
    `due` is a communication whose activities are due.
    """

    moved: MonitoringEvent
    reduced: MonitoringEvent
    faulty: MonitoringEvent
    new: MonitoringEvent
    due: StudyCommunicationLog
    changed: StudyCommunicationLog


def build_stage() -> Stage:
    """Create the sources, generate as if it were yesterday, which reports a fault, and then make today's changes."""
    today = get_now()
    with time_machine.travel(today - dt.timedelta(days=1)):
        configure_automation()
        site = StudySiteFactory.create()
        people = [StudyPersonFactory.create(site=site, study=site.study).person for _ in range(2)]
        moved, reduced, faulty, new = (
            MonitoringEventFactory.create(site=site, planned_start=start, planned_end=None)
            for start in (today.date(), today.date(), None, None)
        )
        for event in (moved, reduced, faulty):
            for person in people:
                MonitoringEventParticipantFactory.create(monitoring_event=event, person=person)
        due, changed = StudyCommunicationLogFactory.create_batch(2, site=site, study=site.study, date=today.date())
        for log in (due, changed):
            StudyCommunicationContactFactory.create(communication=log, person=people[0])
        generate()
    actor = build_admin_actor()
    for record, field, value in (
        (moved, "planned_start", dt.date(2026, 5, 1)),
        (new, "planned_start", dt.date(2026, 5, 2)),
        (changed, "subject", "Corrected"),
    ):
        record.refresh_from_db()
        setattr(record, field, value)
        save_record(record=record, actor=actor)
    delete_record(record=reduced.participants.order_by("pk")[0], actor=actor)
    newcomer = StudyPersonFactory.create(site=site, study=site.study).person
    MonitoringEventParticipantFactory.create(monitoring_event=new, person=newcomer)
    StudyCommunicationContactFactory.create(communication=changed, person=people[1])
    return Stage(moved=moved, reduced=reduced, faulty=faulty, new=new, due=due, changed=changed)


def describe_generated() -> dict[str, list[Any]]:
    """Return all results of runs. The values are lists and not sets, so that a duplicate record shows."""
    columns = (
        *("monitoring_event", "study_communication", "person", "date", "channel", "complete", "subject"),
        *("status", "version", "is_generated"),
    )
    named = {each.uid: f"{each.monitoring_event_id}/{each.study_communication_id}/{each.person_id}" for each in _all()}
    entries = AuditEntry.objects.filter(object_name=Activity.object_name)
    return {
        "activities": sorted(Activity.objects.values_list(*columns), key=repr),
        "entries": sorted(
            (named[uid], action, sorted(set(changes) - {"uid", "name"}))
            for uid, action, changes in entries.values_list("record_uid", "action", "changes")
            if uid is not None
        ),
        "flagged": [
            (model.object_name, pk)
            for model in (MonitoringEvent, StudyCommunicationLog)
            for pk in model.objects.filter(activity_update_required=True).order_by("pk").values_list("pk", flat=True)
        ],
        "versions": [
            (model.object_name, *values)
            for model in (MonitoringEvent, StudyCommunicationLog)
            for values in model.objects.order_by("pk").values_list("pk", "version")
        ],
        "active exceptions": sorted(
            ExceptionItem.objects.filter(message__status="active__v", dismissed_at=None).values_list(
                "item", "error_message"
            )
        ),
        "drafts": list(Failure.objects.values_list("name", flat=True)),
        "unfinished runs": list(JobRun.objects.filter(state__in=UNFINISHED_STATES).values_list("state", flat=True)),
        "leases": list(Lease.objects.exclude(run=None).values_list("key", flat=True)),
        "last outcome": [JobRun.objects.filter(definition__key=GENERATE_JOB_KEY).latest("pk").state],
    }


def let_time_pass() -> None:
    """Set leases and queued runs back by a day, so that leases have expired and messages count as lost."""
    long_ago = get_now() - dt.timedelta(days=1)
    let_leases_run_out()
    JobRun.objects.filter(state=RunState.QUEUED).update(queued_at=long_ago)


def get_definition() -> JobDefinition:
    return JobDefinition.objects.get(key=GENERATE_JOB_KEY)


def _all() -> list[Activity]:
    return list(Activity.objects.all())
