"""Studies, study countries and study sites."""

from __future__ import annotations

from ctms.clinical.contacts import (
    CONTACT_BADGES,
    CONTACT_FIELDS,
    LAST,
    NEXT,
    OVERDUE,
    build_contact_views,
)
from ctms.clinical.models import (
    Study,
    StudyAssignment,
    StudyCountry,
    StudySite,
)
from ctms.clinical.objects.shared import DATES, DONE_BEFORE, NAME, PLANNED_AND_ACTUAL, has_no_owner
from ctms.clinical.state_badges import describe_site_state, describe_study_state
from ctms.clinical.typed_references import read_site, read_study
from ctms.configuration.layouts import FieldSection, Layout, RelatedSection
from ctms.configuration.quick_changes import QuickChange
from ctms.configuration.registry import (
    DeliveredView,
    InStudy,
    VaultObject,
)
from ctms.core.text.territories import find_country
from ctms.records.conditions.mine import ME, OWNER


def build_study_objects() -> tuple[VaultObject, ...]:
    """Return the objects, to be registered."""
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
            **PLANNED_AND_ACTUAL,
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
                    DATES,
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
        questions=DONE_BEFORE,
        take_over=read_study,
        tab=1,
        icon="study",
    )
    country = VaultObject(
        model=StudyCountry,
        scope=InStudy(),
        description="A study country is a country in which a study is run. Its sites belong to it.",
        fields={"study__v": "study", "country__v": "country"},
        generated_fields=NAME,
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
            QuickChange(api_name="take", label="Take over", icon="check", takes=OWNER, applies=has_no_owner),
        ),
        tab=2,
        parts=((StudyAssignment, "site"),),
        kept_fields=("study__v", "study_country__v"),
        take_over=read_site,
        badges={"state__v": describe_site_state, **CONTACT_BADGES},
        icon="site",
    )
    return study, country, site
