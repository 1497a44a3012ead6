"""Registers the clinical objects: their fields by API name, their types, lists and page layouts.

The layouts are those of a new Vault. They have no activities, and the fields for generating activities are where the
requirement documents expect them before an admin changes the layouts.
"""

from __future__ import annotations

from functools import partial
from typing import Any
from urllib.parse import urlencode

from django.db.models import Q

from ctms.accounts.models import PageView
from ctms.accounts.policies import register_limit
from ctms.audit.models import AuditEntry
from ctms.audit.places import STUDY, register_place
from ctms.clinical.access import (
    limit_to_assigned,
    limit_to_entries,
    limit_to_known_persons,
    limit_to_records_named,
    limit_to_visible_studies,
)
from ctms.clinical.choices import CommunicationType, MonitoringEventState, MonitoringEventType, PersonType
from ctms.clinical.consistency import ask_future, suggest_today
from ctms.clinical.contacts import (
    CONTACT_BADGES,
    CONTACT_FIELDS,
    LAST,
    NEXT,
    OVERDUE,
    build_contact_views,
)
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
from ctms.clinical.reference_choices import choose_from_study_people
from ctms.clinical.state_badges import describe_event_state, describe_site_state, describe_study_state
from ctms.clinical.typed_references import read_person, read_site, read_study
from ctms.clinical.user_choices import USER_RULE
from ctms.configuration.copying import CopyRule
from ctms.configuration.layouts import FieldSection, Layout, RelatedSection
from ctms.configuration.quick_changes import QuickChange
from ctms.configuration.registry import (
    ChildPicker,
    DeliveredView,
    InStudy,
    NoStudy,
    ObjectType,
    Question,
    ToldApartThrough,
    VaultObject,
    register_object,
)
from ctms.configuration.scope import build_limit, register_study_rule
from ctms.core.choices import RecordStatus
from ctms.core.text.territories import find_country
from ctms.records.bulk.handing_over.owned import OwnedObject, register_owned
from ctms.records.conditions.mine import ME, MINE, MINE_HERE, OWNER, limit_to_owned, register_mine
from ctms.records.fields.users import register_user_rule

_PLANNED_AND_ACTUAL = {
    "planned_start_date__v": "planned_start",
    "planned_end_date__v": "planned_end",
    "actual_start_date__v": "actual_start",
    "actual_end_date__v": "actual_end",
}
_DONE_BEFORE = tuple(
    Question(fields=(name,), ask=partial(ask_future, attribute=_PLANNED_AND_ACTUAL[name]))
    for name in ("actual_start_date__v", "actual_end_date__v")
)
_NAME = frozenset({"name__v"})
_UPDATE_REQUIRED = "activity_update_required__v"
_DATES = FieldSection(title="Dates", fields=tuple(_PLANNED_AND_ACTUAL))


def register_clinical_objects() -> None:
    """Register the objects. Called once, from `AppConfig.ready()`."""
    register_study_rule(limit_to_visible_studies)
    for vault_object in (
        *_build_study_objects(),
        *_build_people_objects(),
        *_build_event_objects(),
        *_build_communication_objects(),
    ):
        register_object(vault_object)
    register_user_rule(USER_RULE)
    register_mine(model=Study, label="my studies", limit=limit_to_assigned)
    register_mine(model=StudySite, label="my sites", limit=limit_to_owned)
    register_mine(model=MonitoringEvent, label="my visits", limit=limit_to_owned)
    _register_owned()
    register_limit(model=AuditEntry, limit=limit_to_entries)
    register_place(model=StudyAssignment, column=STUDY, path="study")
    register_limit(model=PageView, limit=partial(limit_to_records_named, object_field="object_name"))
    register_limit(model=StudyAssignment, limit=build_limit(model=StudyAssignment, scope=InStudy()))


def _has_no_owner(record: Any) -> bool:
    """Whether nobody looks after a record, so that whoever may change it can take it over."""
    return record.owner_id is None


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


def _build_study_objects() -> tuple[VaultObject, ...]:
    study = VaultObject(
        model=Study,
        scope=InStudy(),
        description="A study is a clinical trial, by its number. Countries, sites, people and monitoring events "
        "belong to it.",
        fields={
            "study_name__v": "study_name",
            "protocol_title__v": "protocol_title",
            "study_phase__v": "phase",
            "state__v": "lifecycle_state",
            "sponsor__v": "sponsor",
            **_PLANNED_AND_ACTUAL,
            "send_to_crm__v": "send_to_crm",
        },
        labels={"name__v": "Study number"},
        list_columns=("name__v", "study_name__v", "study_phase__v", "state__v", "sponsor__v", "status__v"),
        default_sort="name__v",
        search_fields=("name__v", "study_name__v", "sponsor__v"),
        caption_field="study_name__v",
        filters=("study_phase__v", "state__v", "status__v"),
        header_fields=("study_name__v", "study_phase__v", "state__v"),
        layouts=(
            Layout(
                name="Study page layout",
                sections=(
                    FieldSection(
                        title="Study Details",
                        fields=(
                            "name__v",
                            "study_name__v",
                            "protocol_title__v",
                            "sponsor__v",
                            "study_phase__v",
                            "state__v",
                            "status__v",
                        ),
                    ),
                    _DATES,
                    FieldSection(title="Medical CRM", fields=("send_to_crm__v", "external_id__v")),
                    RelatedSection(
                        title="Study Countries", related_object="study_country__v", related_field="study__v"
                    ),
                    RelatedSection(title="Study Sites", related_object="site__v", related_field="study__v"),
                    RelatedSection(
                        title="Study People", related_object="study_person__clin", related_field="study__clin"
                    ),
                    RelatedSection(
                        title="Monitoring Events", related_object="monitoring_event__ctms", related_field="study__v"
                    ),
                    RelatedSection(
                        title="Study Communications",
                        related_object="study_communication_log__ctms",
                        related_field="study__v",
                    ),
                ),
            ),
        ),
        parts=((StudyAssignment, "study"),),
        badges={"state__v": describe_study_state},
        questions=_DONE_BEFORE,
        take_over=read_study,
        tab=1,
        icon="study",
    )
    country = VaultObject(
        model=StudyCountry,
        scope=InStudy(),
        description="A study country is a country in which a study is run. Its sites belong to it.",
        fields={"study__v": "study", "country__v": "country"},
        generated_fields=_NAME,
        list_columns=("name__v", "study__v", "status__v"),
        default_sort="name__v",
        search_fields=("name__v", "study__v.name__v"),
        filters=("study__v", "status__v"),
        header_fields=("study__v",),
        layouts=(
            Layout(
                name="Study country page layout",
                sections=(
                    FieldSection(title="Study Country Details", fields=("study__v", "country__v", "status__v")),
                    RelatedSection(title="Study Sites", related_object="site__v", related_field="study_country__v"),
                    RelatedSection(
                        title="Study People", related_object="study_person__clin", related_field="study_country__clin"
                    ),
                ),
            ),
        ),
        parts=((StudyAssignment, "study_country"),),
        kept_fields=("study__v",),
        take_over=lambda typed: {"country__v": find_country(typed) or typed},
        icon="country",
    )
    site = VaultObject(
        model=StudySite,
        scope=InStudy(),
        description="A study site is a hospital or practice at which a study is run, with its principal investigator.",
        fields={
            "study__v": "study",
            "study_country__v": "study_country",
            "site_name__v": "site_name",
            "principal_investigator__v": "principal_investigator",
            "state__v": "lifecycle_state",
            "city__v": "city",
            "address_country__v": "address_country",
            "send_to_crm__v": "send_to_crm",
            OWNER: "owner",
            **CONTACT_FIELDS,
        },
        labels={"name__v": "Site number"},
        list_columns=(
            "name__v",
            "site_name__v",
            "study__v",
            OWNER,
            LAST,
            NEXT,
            OVERDUE,
            "principal_investigator__v",
            "state__v",
            "study_country__v",
        ),
        default_sort="name__v",
        search_fields=("name__v", "site_name__v", "city__v", "study__v.name__v"),
        caption_field="site_name__v",
        mention_fields=("city__v", "site_name__v"),
        filters=("study__v", "study_country__v", OWNER, "state__v", LAST, NEXT, OVERDUE, "status__v"),
        header_fields=(
            "site_name__v",
            "study__v",
            "study_country__v",
            "principal_investigator__v",
            "state__v",
            OWNER,
            LAST,
            NEXT,
            OVERDUE,
        ),
        views=(
            DeliveredView(name="My sites", parameters=f"{OWNER}={ME}&status__v=active__v&sort=name__v"),
            DeliveredView(name="Without an owner", parameters=f"{OWNER}__empty=true&status__v=active__v&sort=name__v"),
            *build_contact_views(f"{OWNER}={ME}"),
        ),
        layouts=(
            Layout(
                name="Study site page layout",
                sections=(
                    FieldSection(
                        title="Study Site Details",
                        fields=(
                            "name__v",
                            "site_name__v",
                            "study__v",
                            "study_country__v",
                            "principal_investigator__v",
                            OWNER,
                            "state__v",
                            "status__v",
                        ),
                    ),
                    FieldSection(title="Address", fields=("city__v", "address_country__v")),
                    FieldSection(title="Medical CRM", fields=("send_to_crm__v", "external_id__v")),
                    RelatedSection(
                        title="Study People", related_object="study_person__clin", related_field="site__clin"
                    ),
                    RelatedSection(
                        title="Monitoring Events", related_object="monitoring_event__ctms", related_field="site__v"
                    ),
                    RelatedSection(
                        title="Study Communications",
                        related_object="study_communication_log__ctms",
                        related_field="site__v",
                    ),
                ),
            ),
        ),
        quick_changes=(
            QuickChange(api_name="take", label="Take over", icon="check", takes=OWNER, applies=_has_no_owner),
        ),
        tab=2,
        parts=((StudyAssignment, "site"),),
        kept_fields=("study__v", "study_country__v"),
        take_over=read_site,
        badges={"state__v": describe_site_state, **CONTACT_BADGES},
        icon="site",
    )
    return study, country, site


def _build_people_objects() -> tuple[VaultObject, ...]:
    details = FieldSection(
        title="Details",
        fields=(
            "object_type__v",
            "first_name__sys",
            "last_name__sys",
            "email__sys",
            "phone__v",
            "language__sys",
            "user__sys",
            "status__v",
        ),
    )
    identifiers = FieldSection(title="Identifiers", fields=("npi__v", "person_identifier__v", "external_id__v"))
    roles = RelatedSection(title="Study Roles", related_object="study_person__clin", related_field="person__clin")
    person = VaultObject(
        model=Person,
        scope=NoStudy("a person works for several studies, or for none yet", limit=limit_to_known_persons),
        description="A person is somebody with whom study teams interact: an investigator, a nurse, a coordinator.",
        fields={
            "first_name__sys": "first_name",
            "last_name__sys": "last_name",
            "full_name__v": "full_name",
            "email__sys": "email",
            "phone__v": "phone",
            "language__sys": "language",
            "npi__v": "npi",
            "person_identifier__v": "person_identifier",
            "user__sys": "user",
        },
        object_types=tuple(ObjectType(api_name=value, label=label) for value, label in PersonType.choices),
        generated_fields=_NAME,
        list_columns=("name__v", "object_type__v", "email__sys", "phone__v", "status__v"),
        default_sort="name__v",
        search_fields=("name__v", "email__sys", "phone__v", "npi__v", "person_identifier__v"),
        filters=("object_type__v", "status__v"),
        header_fields=("email__sys", "phone__v"),
        is_mergeable=True,
        duplicate_fields=("email__sys", "phone__v", "npi__v", "person_identifier__v"),
        told_apart_by=("person_identifier__v", "npi__v"),
        told_apart_through=ToldApartThrough(
            of_object="study_person__clin",
            reference="person__clin",
            fields=("team_role__v", "site__clin", "site__clin.city__v", "study__clin"),
        ),
        layouts=(
            Layout(name="Person page layout", sections=(details, identifiers, roles)),
            Layout(
                name="Investigator page layout",
                object_type=PersonType.INVESTIGATOR,
                sections=(
                    details,
                    identifiers,
                    roles,
                    RelatedSection(
                        title="Sites led", related_object="site__v", related_field="principal_investigator__v"
                    ),
                ),
            ),
        ),
        take_over=read_person,
        tab=3,
        icon="people",
    )
    study_person = VaultObject(
        model=StudyPerson,
        scope=InStudy(),
        description="A study person is the role that a person has in a study, in one of its countries or at one of "
        "its sites.",
        fields={
            "person__clin": "person",
            "study__clin": "study",
            "study_country__clin": "study_country",
            "site__clin": "site",
            "team_role__v": "team_role",
            "start_date__clin": "start_date",
            "end_date__clin": "end_date",
            **CONTACT_FIELDS,
        },
        generated_fields=_NAME,
        list_columns=("name__v", "study__clin", "site__clin", LAST, NEXT, OVERDUE, "team_role__v", "start_date__clin"),
        default_sort="name__v",
        search_fields=("name__v", "study__clin.name__v"),
        filters=("study__clin", "site__clin", "team_role__v", LAST, NEXT, OVERDUE, "status__v"),
        header_fields=("study__clin", "site__clin", "team_role__v", LAST, NEXT, OVERDUE),
        badges=CONTACT_BADGES,
        views=build_contact_views(f"site__clin={MINE}"),
        same_when=("person", "study", "study_country", "site", "team_role"),
        kept_fields=("study__clin", "study_country__clin", "site__clin", "start_date__clin"),
        take_over=lambda typed: {"person__clin": typed},
        layouts=(
            Layout(
                name="Study person page layout",
                sections=(
                    FieldSection(
                        title="Study Person Details",
                        fields=(
                            "person__clin",
                            "team_role__v",
                            "site__clin",
                            "study_country__clin",
                            "study__clin",
                            "start_date__clin",
                            "end_date__clin",
                            "status__v",
                        ),
                    ),
                ),
            ),
        ),
        icon="people",
    )
    return person, study_person


def _build_event_objects() -> tuple[VaultObject, ...]:
    event = VaultObject(
        model=MonitoringEvent,
        scope=InStudy(),
        description="A monitoring event is a visit to a site, planned or done, on-site or remote.",
        fields={
            "study__v": "study",
            "study_country__v": "study_country",
            "site__v": "site",
            "state__v": "lifecycle_state",
            **_PLANNED_AND_ACTUAL,
            "monitoring_visit_method__v": "visit_method",
            OWNER: "owner",
            _UPDATE_REQUIRED: "activity_update_required",
        },
        object_types=tuple(ObjectType(api_name=value, label=label) for value, label in MonitoringEventType.choices),
        generated_fields=_NAME,
        unassigned_fields=frozenset({"monitoring_visit_method__v", _UPDATE_REQUIRED}),
        list_columns=("name__v", "object_type__v", "study__v", "site__v", "planned_start_date__v", OWNER, "state__v"),
        default_sort="-planned_start_date__v",
        search_fields=("name__v", "site__v.name__v", "site__v.site_name__v"),
        filters=("study__v", "site__v", OWNER, "object_type__v", "state__v", "planned_start_date__v", "status__v"),
        header_fields=("study__v", "site__v", "planned_start_date__v", "state__v", OWNER),
        views=(
            DeliveredView(
                name="My visits",
                parameters=f"{urlencode(MINE_HERE)}&status__v=active__v&sort=-planned_start_date__v",
            ),
        ),
        layouts=(
            Layout(
                name="Monitoring event page layout",
                sections=(
                    FieldSection(
                        title="Monitoring Event Details",
                        fields=(
                            "object_type__v",
                            "site__v",
                            "study_country__v",
                            "study__v",
                            OWNER,
                            "state__v",
                            "status__v",
                        ),
                    ),
                    _DATES,
                    FieldSection(title="Activity", fields=("monitoring_visit_method__v", _UPDATE_REQUIRED)),
                    RelatedSection(
                        title="Participants",
                        related_object="monitoring_event_participant__ctms",
                        related_field="monitoring_event__v",
                        columns=("person__v", "role__v", "status__v"),
                    ),
                ),
            ),
        ),
        parts=((MonitoringEventParticipant, "monitoring_event"),),
        badges={"state__v": describe_event_state},
        questions=_DONE_BEFORE,
        kept_fields=("study__v", "study_country__v", "planned_start_date__v", "planned_end_date__v"),
        child_pickers=(
            ChildPicker(
                name="participants",
                part="monitoring_event_participant__ctms",
                parent="monitoring_event__v",
                reference="person__v",
            ),
        ),
        copying=CopyRule(
            label="Copy to several sites",
            per="site__v",
            within="study__v",
            days=("planned_start_date__v", "planned_end_date__v"),
            without=("actual_start_date__v", "actual_end_date__v", "state__v", OWNER, _UPDATE_REQUIRED),
        ),
        tab=4,
        icon="event",
    )
    participant = VaultObject(
        model=MonitoringEventParticipant,
        scope=InStudy(),
        description="A participant is a person who takes part in a monitoring event.",
        fields={"monitoring_event__v": "monitoring_event", "person__v": "person", "role__v": "role"},
        reference_choices={"person__v": choose_from_study_people("monitoring_event__v")},
        generated_fields=_NAME,
        list_columns=("name__v", "monitoring_event__v", "role__v"),
        default_sort="name__v",
        header_fields=("monitoring_event__v", "role__v"),
        kept_fields=("monitoring_event__v",),
        icon="people",
    )
    return event, participant


def _build_communication_objects() -> tuple[VaultObject, ...]:
    communication = VaultObject(
        model=StudyCommunicationLog,
        scope=InStudy(),
        description="A study communication is a message or a conversation about a study, with the persons who took "
        "part.",
        fields={
            "study__v": "study",
            "study_country__v": "study_country",
            "site__v": "site",
            "date__v": "date",
            "subject__v": "subject",
            "summary__v": "summary",
            "direction__v": "direction",
            _UPDATE_REQUIRED: "activity_update_required",
        },
        object_types=tuple(ObjectType(api_name=value, label=label) for value, label in CommunicationType.choices),
        generated_fields=_NAME,
        unassigned_fields=frozenset({_UPDATE_REQUIRED}),
        list_columns=("name__v", "object_type__v", "study__v", "site__v", "date__v", "direction__v"),
        default_sort="-date__v",
        search_fields=("name__v", "subject__v"),
        heading_field="subject__v",
        filters=("study__v", "site__v", "object_type__v", "date__v", "status__v"),
        header_fields=("study__v", "site__v", "date__v"),
        kept_fields=("study__v", "date__v", "direction__v"),
        initial_values=suggest_today,
        # Activities are generated from those types that have the flag.
        required_with={"date__v": _UPDATE_REQUIRED},
        follows={"study_country__v": "site__v"},
        take_over=lambda typed: {"subject__v": typed},
        layouts=(
            Layout(
                name="Study communication page layout",
                sections=(
                    FieldSection(
                        title="Study Communication Details",
                        fields=(
                            "object_type__v",
                            "date__v",
                            "direction__v",
                            "subject__v",
                            "summary__v",
                            _UPDATE_REQUIRED,
                            "status__v",
                        ),
                    ),
                    FieldSection(title="Study Details", fields=("site__v", "study_country__v", "study__v")),
                    RelatedSection(
                        title="Contacts",
                        related_object="study_communication_contact__ctms",
                        related_field="study_communication__v",
                        columns=("person__v", "status__v"),
                    ),
                ),
            ),
        ),
        parts=((StudyCommunicationContact, "communication"),),
        child_pickers=(
            ChildPicker(
                name="contacts",
                part="study_communication_contact__ctms",
                parent="study_communication__v",
                reference="person__v",
            ),
        ),
        create_one_per="site__v",
        tab=5,
        icon="message",
    )
    contact = VaultObject(
        model=StudyCommunicationContact,
        scope=InStudy(),
        description="A contact is a person with whom a communication was held.",
        fields={"study_communication__v": "communication", "person__v": "person"},
        reference_choices={"person__v": choose_from_study_people("study_communication__v")},
        generated_fields=_NAME,
        list_columns=("name__v", "study_communication__v", "status__v"),
        default_sort="name__v",
        header_fields=("study_communication__v",),
        icon="people",
    )
    return communication, contact
