"""Persons, and what they are in a study."""

from __future__ import annotations

from ctms.clinical.access import (
    limit_to_known_persons,
)
from ctms.clinical.choices import PersonType
from ctms.clinical.contacts import (
    CONTACT_BADGES,
    CONTACT_FIELDS,
    LAST,
    NEXT,
    OVERDUE,
    build_contact_views,
)
from ctms.clinical.models import (
    Person,
    StudyPerson,
)
from ctms.clinical.objects.shared import NAME
from ctms.clinical.typed_references import read_person
from ctms.configuration.layouts import FieldSection, Layout, RelatedSection
from ctms.configuration.registry import (
    InStudy,
    NoStudy,
    ObjectType,
    ToldApartThrough,
    VaultObject,
)
from ctms.records.conditions.mine import MINE


def build_people_objects() -> tuple[VaultObject, ...]:
    """Return the objects, to be registered."""
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
        generated_fields=NAME,
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
        generated_fields=NAME,
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
