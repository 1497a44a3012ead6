"""Registers the clinical objects: their fields by API name, their types, lists and page layouts.

The layouts are those of a new Vault. They have no activities, and the fields for generating activities are where the
requirement documents expect them before an admin changes the layouts.
"""

from __future__ import annotations

from functools import partial

from django.db.models import Q

from ctms.accounts.models import PageView
from ctms.accounts.policies import register_limit
from ctms.audit.models import AuditEntry
from ctms.audit.places import STUDY, register_place
from ctms.clinical.access import (
    limit_to_assigned,
    limit_to_entries,
    limit_to_records_named,
    limit_to_visible_studies,
    read_sight,
)
from ctms.clinical.choices import MonitoringEventState
from ctms.clinical.models import (
    MonitoringEvent,
    Person,
    Study,
    StudyAssignment,
    StudySite,
)
from ctms.clinical.objects.communications import build_communication_objects
from ctms.clinical.objects.events import build_event_objects
from ctms.clinical.objects.people import build_people_objects
from ctms.clinical.objects.studies import build_study_objects
from ctms.clinical.user_choices import USER_RULE
from ctms.configuration.registry import (
    InStudy,
    register_object,
)
from ctms.configuration.scope import build_limit, register_study_rule, register_study_sight
from ctms.core.choices import RecordStatus
from ctms.records.bulk.handing_over.owned import OwnedObject, register_owned
from ctms.records.conditions.mine import limit_to_owned, register_mine
from ctms.records.fields.users import register_user_rule
from ctms.records.pages.own_record import register_own_record


def register_clinical_objects() -> None:
    """Register the objects. Called once, from `AppConfig.ready()`."""
    register_study_rule(limit_to_visible_studies)
    register_study_sight(read_sight)
    for vault_object in (
        *build_study_objects(),
        *build_people_objects(),
        *build_event_objects(),
        *build_communication_objects(),
    ):
        register_object(vault_object)
    register_user_rule(USER_RULE)
    register_own_record(object_name=Person.object_name, reference="user")
    register_mine(model=Study, label="my studies", limit=limit_to_assigned)
    register_mine(model=StudySite, label="my sites", limit=limit_to_owned)
    register_mine(model=MonitoringEvent, label="my visits", limit=limit_to_owned)
    _register_owned()
    register_limit(model=AuditEntry, limit=limit_to_entries)
    register_place(model=StudyAssignment, column=STUDY, path="study")
    register_limit(model=PageView, limit=partial(limit_to_records_named, object_field="object_name"))
    register_limit(model=StudyAssignment, limit=build_limit(model=StudyAssignment, scope=InStudy()))


def _register_owned() -> None:
    """Let sites and visits be handed over; a visit is open until its report is final, or it is cancelled."""
    register_owned(
        OwnedObject(
            model=StudySite,
            label="Sites",
            is_open=Q(),
            order=("name",),
            columns=("study__v", "state__v"),
            position=1,
            site="pk",
        )
    )
    register_owned(
        OwnedObject(
            model=MonitoringEvent,
            label="Visits that are not final",
            is_open=Q(status=RecordStatus.ACTIVE)
            & ~Q(lifecycle_state__in=(MonitoringEventState.FINAL, MonitoringEventState.CANCELLED)),
            order=("planned_start",),
            columns=("site__v", "planned_start_date__v"),
            position=2,
            day="planned_start",
        )
    )
