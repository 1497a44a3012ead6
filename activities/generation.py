"""Rules that generate Clinical Activities from Monitoring Events and Study Communications, without database access.

A source has one activity for each of its people. When the source changes, the fields that the rules fill are updated;
notes and other fields that users fill are kept.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from activities.choices import Channel
from ctms.clinical.choices import CommunicationType, MonitoringEventState, MonitoringEventType, VisitMethod
from ctms.clinical.models import MonitoringEvent, StudyCommunicationLog
from ctms.core.choices import RecordStatus
from exceptions_log.choices import ErrorType

_LONGEST_SUBJECT = 500
CHANNEL_OF_METHOD: Mapping[str, Channel] = {
    VisitMethod.ON_SITE: Channel.IN_PERSON,
    VisitMethod.REMOTE_VIDEO: Channel.VIDEO,
    VisitMethod.REMOTE_PHONE: Channel.PHONE,
}
CHANNEL_OF_TYPE: Mapping[str, Channel] = {
    CommunicationType.EMAIL: Channel.EMAIL,
    CommunicationType.PHONE_CALL: Channel.PHONE,
    CommunicationType.VIDEO_CALL: Channel.VIDEO,
    CommunicationType.IN_PERSON_MEETING: Channel.IN_PERSON,
    CommunicationType.MESSAGE: Channel.CHAT_TEXT,
    CommunicationType.OTHER: Channel.OTHER,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class SourcePerson:
    """A person of a source; `is_of_study` if a Study Person of its study or principal investigator of its site."""

    pk: int
    name: str
    is_of_study: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class GenerationProblem:
    """Why an activity cannot be written, and what to do; `person` is None if the source itself lacks something."""

    error_type: ErrorType
    message: str
    person: SourcePerson | None = None
    cause: str = ""  # the message without the names of this person; the message itself if empty


@dataclass(frozen=True, slots=True, kw_only=True)
class GenerationPlan:
    """The activities of a source: their common values, one activity for each of `people`, and problems.

    `kept` are people of the source whose activities stay as they are until a problem is corrected.
    """

    values: dict[str, Any]
    people: tuple[SourcePerson, ...] = ()
    kept: tuple[SourcePerson, ...] = ()
    problems: tuple[GenerationProblem, ...] = ()


def plan_event(event: MonitoringEvent, *, people: Iterable[SourcePerson]) -> GenerationPlan:
    """Plan the activities of a Monitoring Event.

    Their date is the actual start, else the planned start. They are complete if the visit has ended or is Final.
    """
    date = event.actual_start or event.planned_start
    return _plan(
        event,
        people=people,
        is_wanted=event.status == RecordStatus.ACTIVE and event.lifecycle_state != MonitoringEventState.CANCELLED,
        date=date,
        no_date="It has neither an actual nor a planned start. Enter one of them.",
        no_person="It has no participant and its site no principal investigator. Add a participant.",
        values={
            "channel": CHANNEL_OF_METHOD.get(event.visit_method, Channel.OTHER),
            "complete": event.actual_end is not None or event.lifecycle_state == MonitoringEventState.FINAL,
            "subject": _name_subject(dict(MonitoringEventType.choices), event),
            "monitoring_event_id": event.pk,
        },
    )


def plan_communication(log: StudyCommunicationLog, *, people: Iterable[SourcePerson], today: dt.date) -> GenerationPlan:
    """Plan the activities of a Study Communication; they are complete if it is dated today or earlier."""
    return _plan(
        log,
        people=people,
        is_wanted=log.status == RecordStatus.ACTIVE,
        date=log.date,
        no_date="It has no date. Enter it.",
        no_person="It has no contact person. Add one.",
        values={
            "channel": CHANNEL_OF_TYPE.get(log.object_type, Channel.OTHER),
            "complete": log.date is not None and log.date <= today,
            "subject": _name_subject(dict(CommunicationType.choices), log),
            "study_communication_id": log.pk,
        },
    )


def _plan(
    source: Any,
    *,
    people: Iterable[SourcePerson],
    is_wanted: bool,
    date: dt.date | None,
    no_date: str,
    no_person: str,
    values: dict[str, Any],
) -> GenerationPlan:
    shared = {
        **values,
        "date": date,
        "study_id": source.study_id,
        "study_country_id": source.study_country_id,
        "site_id": source.site_id,
        "status": RecordStatus.ACTIVE,
    }
    if not is_wanted:  # cancelled or inactive: generated activities are made inactive, without problems
        return GenerationPlan(values=shared)
    named = tuple(people)
    if not named:
        return GenerationPlan(values=shared, problems=(_refuse(no_person),))
    if date is None:
        return GenerationPlan(values=shared, kept=named, problems=(_refuse(no_date),))
    strangers = tuple(person for person in named if not person.is_of_study)
    return GenerationPlan(
        values=shared,
        people=tuple(person for person in named if person.is_of_study),
        kept=strangers,
        problems=tuple(
            _refuse(
                f"{person.name} is none of the study’s people. Add {person.name} to the study as a Study Person, or "
                "choose somebody else.",
                person=person,
                cause="A person is none of the study’s people.",
            )
            for person in strangers
        ),
    )


def _refuse(message: str, *, person: SourcePerson | None = None, cause: str = "") -> GenerationProblem:
    return GenerationProblem(error_type=ErrorType.MAPPING, message=message, person=person, cause=cause)


def _name_subject(labels: Mapping[Any, Any], source: Any) -> str:
    """Return type and name of the source, or the name alone if it begins with the type."""
    label = str(labels.get(source.object_type, source.object_type))
    subject = source.name if source.name.startswith(label) else f"{label}: {source.name}"
    return subject[:_LONGEST_SUBJECT]
