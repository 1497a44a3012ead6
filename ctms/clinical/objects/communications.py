"""Study communications and whom they were with."""

from __future__ import annotations

from ctms.clinical.choices import CommunicationType
from ctms.clinical.consistency import suggest_today
from ctms.clinical.models import (
    StudyCommunicationContact,
    StudyCommunicationLog,
)
from ctms.clinical.objects.shared import NAME, UPDATE_REQUIRED
from ctms.clinical.reference_choices import choose_from_study_people
from ctms.configuration.layouts import FieldSection, Layout, RelatedSection
from ctms.configuration.registry import (
    ChildPicker,
    InStudy,
    ObjectType,
    VaultObject,
)


def build_communication_objects() -> tuple[VaultObject, ...]:
    """Return the objects, to be registered."""
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
            UPDATE_REQUIRED: "activity_update_required",
        },
        object_types=tuple(ObjectType(api_name=value, label=label) for value, label in CommunicationType.choices),
        generated_fields=NAME,
        unassigned_fields=frozenset({UPDATE_REQUIRED}),
        list_columns=("name__v", "object_type__v", "study__v", "site__v", "date__v", "direction__v"),
        default_sort="-date__v",
        search_fields=("name__v", "subject__v"),
        heading_field="subject__v",
        filters=("study__v", "site__v", "object_type__v", "date__v", "status__v"),
        header_fields=("study__v", "site__v", "date__v"),
        kept_fields=("study__v", "date__v", "direction__v"),
        initial_values=suggest_today,
        # Activities are generated from those types that have the flag.
        required_with={"date__v": UPDATE_REQUIRED},
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
                            UPDATE_REQUIRED,
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
        generated_fields=NAME,
        list_columns=("name__v", "study_communication__v", "status__v"),
        default_sort="name__v",
        header_fields=("study_communication__v",),
        icon="people",
    )
    return communication, contact
