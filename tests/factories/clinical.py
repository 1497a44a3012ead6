"""Factories of studies with their countries, sites and people, of monitoring events and of communications."""

from __future__ import annotations

import datetime as dt

from ctms.clinical.choices import CommunicationType, MonitoringEventType, PersonType, StudyPhase, StudyState, TeamRole
from ctms.clinical.models import (
    MonitoringEvent,
    MonitoringEventParticipant,
    Person,
    Study,
    StudyAssignment,
    StudyCommunicationContact,
    StudyCommunicationLog,
    StudyCountry,
    StudyPerson,
    StudySite,
)
from tests.factories.accounts import UserFactory
from tests.factories.base import AuditedFactory, derive, sequence, sub


class PersonFactory(AuditedFactory[Person]):
    """A person with an external id, by which connections match accounts unless told otherwise."""

    class Meta:
        model = Person

    object_type = PersonType.PERSON
    first_name = "Petra"
    last_name = sequence(lambda n: f"Person{n:06d}")
    email = derive(lambda person: f"{person.last_name.lower()}@example.org")
    external_id = sequence(lambda n: f"P-{n:06d}")


class InvestigatorFactory(PersonFactory):
    """A person of type Investigator."""

    object_type = PersonType.INVESTIGATOR
    first_name = "Irene"
    last_name = sequence(lambda n: f"Investigator{n:06d}")


class StudyFactory(AuditedFactory[Study]):
    """An active study that is sent to the CRM."""

    class Meta:
        model = Study

    name = sequence(lambda n: f"STUDY-{n:06d}")
    study_name = derive(lambda study: f"Study {study.name}")
    phase = StudyPhase.PHASE_3
    lifecycle_state = StudyState.ACTIVE


class StudyCountryFactory(AuditedFactory[StudyCountry]):
    """Germany, in a study of its own unless one is given."""

    class Meta:
        model = StudyCountry

    study = sub(StudyFactory)
    country = "DE"
    name = "Germany"


class StudySiteFactory(AuditedFactory[StudySite]):
    """A site with a principal investigator; its study follows from its study country."""

    class Meta:
        model = StudySite

    study_country = sub(StudyCountryFactory)
    study = derive(lambda site: site.study_country.study)
    name = sequence(lambda n: f"{n:06d}")
    site_name = derive(lambda site: f"Hospital {site.name}")
    principal_investigator = sub(InvestigatorFactory)


class StudyPersonFactory(AuditedFactory[StudyPerson]):
    """A person's role at a site; give `site=None` and a `study` for one of the whole study."""

    class Meta:
        model = StudyPerson

    person = sub(PersonFactory)
    site = sub(StudySiteFactory)
    study = derive(lambda study_person: study_person.site.study)
    team_role = TeamRole.STUDY_COORDINATOR


class StudyAssignmentFactory(AuditedFactory[StudyAssignment]):
    """A user's access to a study."""

    class Meta:
        model = StudyAssignment

    user = sub(UserFactory)
    study = sub(StudyFactory)


class MonitoringEventFactory(AuditedFactory[MonitoringEvent]):
    """An interim visit, planned for one day."""

    class Meta:
        model = MonitoringEvent

    object_type = MonitoringEventType.INTERIM_MONITORING_VISIT
    site = sub(StudySiteFactory)
    planned_start = dt.date(2026, 3, 2)
    planned_end = dt.date(2026, 3, 2)


class MonitoringEventParticipantFactory(AuditedFactory[MonitoringEventParticipant]):
    """A person who takes part in a monitoring event."""

    class Meta:
        model = MonitoringEventParticipant

    monitoring_event = sub(MonitoringEventFactory)
    person = sub(PersonFactory)


class StudyCommunicationLogFactory(AuditedFactory[StudyCommunicationLog]):
    """An e-mail to a site, without contacts; give `site=None` and a `study` for one about the whole study."""

    class Meta:
        model = StudyCommunicationLog

    object_type = CommunicationType.EMAIL
    site = sub(StudySiteFactory)
    study = derive(lambda communication: communication.site.study)
    date = dt.date(2026, 3, 2)
    subject = sequence(lambda n: f"Communication {n:06d}")


class StudyCommunicationContactFactory(AuditedFactory[StudyCommunicationContact]):
    """A contact person of a communication."""

    class Meta:
        model = StudyCommunicationContact

    communication = sub(StudyCommunicationLogFactory)
    person = sub(PersonFactory)
