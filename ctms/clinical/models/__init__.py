"""The objects of a clinical trial: `studies`, `people`, and `events` (visits and communications)."""

from ctms.clinical.models.events import (
    MonitoringEvent,
    MonitoringEventParticipant,
    StudyCommunicationContact,
    StudyCommunicationLog,
)
from ctms.clinical.models.people import Person
from ctms.clinical.models.studies import Study, StudyAssignment, StudyCountry, StudyPerson, StudySite

__all__ = [
    "MonitoringEvent",
    "MonitoringEventParticipant",
    "Person",
    "Study",
    "StudyAssignment",
    "StudyCommunicationContact",
    "StudyCommunicationLog",
    "StudyCountry",
    "StudyPerson",
    "StudySite",
]
