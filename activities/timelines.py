"""What stands in the timelines of persons and sites: activities, monitoring events and study communications.

A person's timeline holds what names the person, in all studies that the reader sees; a Study Person's is that of the
person. A site's timeline holds what is of the site.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from typing import Any

from django.db.models import F, Q
from django.db.models.functions import Coalesce

from activities.choices import ActivityType, Channel
from activities.generation import CHANNEL_OF_METHOD, CHANNEL_OF_TYPE
from activities.models import Activity
from activities.objects import CHANNEL_ICONS, describe_completion
from ctms.clinical.choices import MonitoringEventState
from ctms.clinical.models import (
    MonitoringEvent,
    MonitoringEventParticipant,
    Person,
    StudyCommunicationContact,
    StudyCommunicationLog,
    StudyPerson,
    StudySite,
)
from ctms.core.choices import RecordStatus
from ctms.records.access import ObjectAccess, open_related
from ctms.records.conditions.mine import OWNER
from ctms.records.timelines.sources import (
    Reach,
    TimelineChannel,
    TimelineKind,
    TimelineSource,
    register_timeline_channels,
    register_timeline_source,
)

_NOT_STARTED = (MonitoringEventState.EXPECTED, MonitoringEventState.CONFIRMED)
_ENDED = Q(actual_end__isnull=False) | Q(lifecycle_state=MonitoringEventState.FINAL)


def register_timelines() -> None:
    """Register the sources and channels; called once, when the app is ready."""
    register_timeline_channels(
        TimelineChannel(name=value, label=label, icon=CHANNEL_ICONS[value]) for value, label in Channel.choices
    )
    for source in (_build_events(), _build_communications(), _build_activities()):
        register_timeline_source(source)


# -- Activities -----------------------------------------------------------------------------------
def _build_activities() -> TimelineSource:
    return TimelineSource(
        model=Activity,
        kinds=(
            TimelineKind(
                name="clinical",
                label=ActivityType.CLINICAL.label,
                plural="Clinical Activities",
                object_type=ActivityType.CLINICAL,
            ),
            TimelineKind(
                name="medical",
                label=ActivityType.MEDICAL.label,
                plural="Medical Activities",
                object_type=ActivityType.MEDICAL,
            ),
        ),
        reach=_reach(lambda _access, person: Q(person=person)),
        day=F("date"),
        may_lack_day=False,
        get_channel=lambda activity: str(activity.channel),
        channels={value: Q(channel=value) for value in Channel.values},
        is_open=lambda _today: Q(complete=False),
        is_done=lambda _today: Q(complete=True),
        describe_state=lambda activity, _today: describe_completion(activity),
        facts=("person__v", "site__v", "study__v", OWNER),
        excerpt="notes__v",
        follower=Q(is_generated=True),
        follows=("monitoring_event", "study_communication"),
        icon="activity",
    )


# -- Monitoring events ----------------------------------------------------------------------------
def _build_events() -> TimelineSource:
    return TimelineSource(
        model=MonitoringEvent,
        kinds=(TimelineKind(name="visits", label="Monitoring Event", plural="Monitoring Events"),),
        reach=_reach(_find_visits),
        day=Coalesce("actual_start", "planned_start"),
        may_lack_day=True,
        get_channel=lambda event: str(CHANNEL_OF_METHOD.get(event.visit_method, Channel.OTHER)),
        channels=_invert(CHANNEL_OF_METHOD, "visit_method"),
        is_open=lambda _today: ~_ENDED & ~Q(lifecycle_state=MonitoringEventState.CANCELLED),
        is_done=lambda _today: _ENDED,
        describe_state=_describe_event,
        facts=("site__v", "study__v", OWNER),
        icon="event",
    )


def _find_visits(access: ObjectAccess, person: Any) -> Q:
    """Return the condition for visits that a person takes part in.

    A visit without participants is one with the principal investigator of its site, as for generated activities.
    """
    led = Q(site__principal_investigator=person) & ~Q(participants__status=RecordStatus.ACTIVE)
    participants = open_related(access=access, object_name=MonitoringEventParticipant.object_name)
    if participants is None:
        return led
    named = participants.list_records().filter(person=person, status=RecordStatus.ACTIVE).order_by()
    return Q(pk__in=named.values("monitoring_event")) | led


def _describe_event(event: Any, today: dt.date) -> tuple[str, str]:
    state = event.get_lifecycle_state_display()
    if event.lifecycle_state == MonitoringEventState.CANCELLED:
        return "quiet", state
    if event.actual_end is not None or event.lifecycle_state == MonitoringEventState.FINAL:
        return "complete", state
    is_late = event.planned_start is not None and event.planned_start < today and event.actual_start is None
    if is_late and event.lifecycle_state in _NOT_STARTED:
        return "overdue", f"{state}, overdue"
    return "planned", state


# -- Study communications -------------------------------------------------------------------------
def _build_communications() -> TimelineSource:
    return TimelineSource(
        model=StudyCommunicationLog,
        kinds=(TimelineKind(name="communications", label="Study Communication", plural="Study Communications"),),
        reach=_reach(_find_communications),
        day=F("date"),
        may_lack_day=True,
        get_channel=lambda log: str(CHANNEL_OF_TYPE.get(log.object_type, Channel.OTHER)),
        channels=_invert(CHANNEL_OF_TYPE, "object_type"),
        is_open=lambda today: Q(date__isnull=True) | Q(date__gt=today),
        is_done=lambda today: Q(date__lte=today),
        describe_state=_describe_communication,
        facts=("direction__v", "site__v", "study__v"),
        excerpt="summary__v",
        icon="message",
    )


def _find_communications(access: ObjectAccess, person: Any) -> Q:
    contacts = open_related(access=access, object_name=StudyCommunicationContact.object_name)
    if contacts is None:
        return Q(pk__in=[])
    named = contacts.list_records().filter(person=person, status=RecordStatus.ACTIVE).order_by()
    return Q(pk__in=named.values("communication"))


def _describe_communication(log: Any, today: dt.date) -> tuple[str, str]:
    return ("planned", "Planned") if log.date is None or log.date > today else ("complete", "Complete")


def _reach(of_person: Reach) -> Mapping[str, Reach]:
    """Return what belongs to persons, to their roles in studies, and to sites."""
    return {
        Person.object_name: lambda access, person: of_person(access, person.pk),
        StudyPerson.object_name: lambda access, role: of_person(access, role.person_id),
        StudySite.object_name: lambda _access, site: Q(site=site),
    }


def _invert(channels: Mapping[str, Channel], name: str) -> Mapping[str, Q]:
    """Return channel → condition for records whose field `name` stands for it; what stands for none is Other."""
    conditions = {each: Q(**{f"{name}__in": [key for key, of in channels.items() if of == each]}) for each in Channel}
    conditions[Channel.OTHER] |= ~Q(**{f"{name}__in": list(channels)})
    return {str(each.value): condition for each, condition in conditions.items()}
