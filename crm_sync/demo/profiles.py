"""The three security profiles of the demonstration: Administrator, Study Manager and CRA."""

from __future__ import annotations

from collections.abc import Iterable

from activities.models import Activity
from ctms.accounts.models import SecurityProfile
from ctms.clinical.models import (
    MonitoringEvent,
    MonitoringEventParticipant,
    Person,
    Study,
    StudyCommunicationContact,
    StudyCommunicationLog,
    StudyCountry,
    StudyPerson,
    StudySite,
)
from ctms.configuration.registry import list_objects
from exceptions_log.models import ExceptionItem, ExceptionMessage

ADMINISTRATOR, STUDY_MANAGER, CRA = "administrator__c", "study_manager__c", "cra__c"

_READ = ("read",)
_WRITE = ("read", "create", "edit")
_ALL = ("read", "create", "edit", "delete")
_ADMIN_AREAS = (
    "admin:configuration",
    "admin:connections",
    "admin:integrations",
    "admin:jobs",
    "admin:redaction",
    "admin:security",
    "admin:settings",
)
_EXCEPTIONS = (ExceptionMessage.object_name, ExceptionItem.object_name)
# Objects of what happens in a study, and, in `_STRUCTURE`, of what it consists of.
_DAILY_WORK = (
    Activity.object_name,
    MonitoringEvent.object_name,
    MonitoringEventParticipant.object_name,
    StudyCommunicationLog.object_name,
    StudyCommunicationContact.object_name,
)
_STRUCTURE = (
    Study.object_name,
    StudyCountry.object_name,
    StudySite.object_name,
    StudyPerson.object_name,
    Person.object_name,
)


def build_profiles() -> list[SecurityProfile]:
    """Return the profiles, not yet saved."""
    return [
        SecurityProfile(
            name="Administrator",
            api_name=ADMINISTRATOR,
            description="Configures the Vault, its connections and jobs; sees every study and every exception",
            sees_all_studies=True,
            permissions=[
                *_grant(objects=[vault_object.api_name for vault_object in list_objects()], actions=_ALL),
                *_grant(objects=_EXCEPTIONS, actions=_READ),
                *_ADMIN_AREAS,
            ],
        ),
        SecurityProfile(
            name="Study Manager",
            api_name=STUDY_MANAGER,
            description="Sets up studies and keeps all that happens in them; sees why something did not reach the CRM",
            sees_all_studies=True,
            permissions=[
                *_grant(objects=_DAILY_WORK, actions=_ALL),
                *_grant(objects=_STRUCTURE, actions=_ALL),
                *_grant(objects=_EXCEPTIONS, actions=_READ),
            ],
        ),
        SecurityProfile(
            name="CRA",
            api_name=CRA,
            description="Logs activities, visits and communications of the studies assigned to them",
            permissions=[*_grant(objects=_DAILY_WORK, actions=_WRITE), *_grant(objects=_STRUCTURE, actions=_READ)],
        ),
    ]


def _grant(*, objects: Iterable[str], actions: Iterable[str]) -> list[str]:
    granted = tuple(actions)
    return [f"{object_name}:{action}" for object_name in objects for action in granted]
