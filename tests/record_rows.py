"""One more record of any object of the study teams."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ctms.clinical.models import Study
from ctms.configuration.registry import VaultObject, list_record_objects
from tests.factories.activities import ActivityFactory, ActivityTemplateFactory
from tests.factories.base import AuditedFactory, sequence, sub
from tests.factories.clinical import (
    MonitoringEventFactory,
    MonitoringEventParticipantFactory,
    PersonFactory,
    StudyCommunicationContactFactory,
    StudyCommunicationLogFactory,
    StudyCountryFactory,
    StudyFactory,
    StudyPersonFactory,
    StudySiteFactory,
)
from tests.sample.models import Deviation, Training

OBJECTS = [each.api_name for each in list_record_objects()]


class TrainingFactory(AuditedFactory[Training]):
    """A training of a person."""

    class Meta:
        model = Training

    name = sequence(lambda n: f"Training {n:06d}")
    trainee = sub(PersonFactory)


class DeviationFactory(AuditedFactory[Deviation]):
    """A minor deviation at a site."""

    class Meta:
        model = Deviation

    name = sequence(lambda n: f"Deviation {n:06d}")
    object_type = "minor__v"


def _at_site(factory: Callable[..., Any]) -> Callable[[Study | None], Any]:
    def create(study: Study | None) -> Any:
        country = StudyCountryFactory.create(study=study or StudyFactory.create(), country=_next_country(study))
        return factory(site=StudySiteFactory.create(study_country=country))

    return create


def _next_country(study: Study | None) -> str:
    number = study.countries.count() if study else 0
    return f"{chr(65 + number // 26)}{chr(65 + number % 26)}"


def _create_country(study: Study | None) -> Any:
    study = study or StudyFactory.create()
    return StudyCountryFactory.create(study=study, country=_next_country(study))


# By API name: a record of the study, if one is given and the object belongs to one; else of a study of its own.
BUILDERS: dict[str, Callable[[Study | None], Any]] = {
    "study__v": lambda study: study or StudyFactory.create(),
    "study_country__v": _create_country,
    "site__v": lambda study: StudySiteFactory.create(study_country=_create_country(study)),
    "person__sys": lambda _study: PersonFactory.create(),
    "study_person__clin": _at_site(StudyPersonFactory.create),
    "monitoring_event__ctms": _at_site(MonitoringEventFactory.create),
    "monitoring_event_participant__ctms": lambda study: MonitoringEventParticipantFactory.create(
        monitoring_event=_at_site(MonitoringEventFactory.create)(study)
    ),
    "study_communication_log__ctms": _at_site(StudyCommunicationLogFactory.create),
    "study_communication_contact__ctms": lambda study: StudyCommunicationContactFactory.create(
        communication=_at_site(StudyCommunicationLogFactory.create)(study)
    ),
    "crm_activity__v": _at_site(ActivityFactory.create),
    "activity_template__v": lambda study: ActivityTemplateFactory.create(study=study or StudyFactory.create()),
    "deviation__v": lambda study: DeviationFactory.create(location=BUILDERS["site__v"](study)),
    "training__v": lambda _study: TrainingFactory.create(),
}


def create_record(vault_object: VaultObject | str, study: Study | None = None) -> Any:
    """One more record of the object."""
    name = vault_object if isinstance(vault_object, str) else vault_object.api_name
    return BUILDERS[name](study)
