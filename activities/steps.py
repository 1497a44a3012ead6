"""Register the configuration steps of Activity tracking, in order and words of the requirement documents."""

from __future__ import annotations

from dataclasses import replace

from activities.choices import ActivityType
from activities.jobs import GENERATE_JOB_KEY
from activities.models import Activity
from activities.objects import SOURCES
from activities.sources import UPDATE_REQUIRED
from ctms.clinical.choices import PersonType
from ctms.clinical.models import (
    MonitoringEvent,
    Person,
    Study,
    StudyCommunicationLog,
    StudyCountry,
    StudyPerson,
    StudySite,
)
from ctms.configuration.drafts import (
    SectionDraft,
    Sections,
    add_section,
    drop_empty,
    find_field,
    find_home,
    list_fields,
    place_item,
    remove_item,
)
from ctms.configuration.layouts import RelatedSection
from ctms.configuration.step_kinds import (
    StepText,
    build_active_type_step,
    build_layout_step,
    build_related_section_step,
    build_type_fields_step,
)
from ctms.configuration.steps import register_step
from ctms.jobs.steps import build_job_step

_CLINICAL = "Clinical Activity setup"
_AUTOMATION = "Automated Clinical Activities (optional)"
_MEDICAL = "Medical Activity setup"
_ACTIVITIES = RelatedSection(
    title="Activities",
    related_object=Activity.object_name,
    related_field="",
    columns=("name__v", "object_type__v", "date__v", "person__v", "channel__v", "complete__v", "subject__v"),
)
_VISIT_METHOD = "monitoring_visit_method__v"
_STUDY_DETAILS, _EVENT_DETAILS, _EVENT_ACTIVITY = "Study Details", "Monitoring Event Details", "Activity"
# Object, its type, the field of Activity that refers to it, and the name of its layout.
_LAYOUTS = (
    (Person.object_name, PersonType.INVESTIGATOR.value, "person__v", "Investigator"),
    (Study.object_name, "", "study__v", "Study"),
    (StudyCountry.object_name, "", "study_country__v", "Study Country"),
    (StudySite.object_name, "", "site__v", "Study Site"),
    (StudyPerson.object_name, "", "study_person__v", "Study Person"),
)


def register_activity_steps() -> None:
    """Register the steps; called once, when the app is ready."""
    for object_name, object_type, related_field, label in _LAYOUTS:
        article = "an" if label[0] in "AEIOU" else "a"
        also = " Medical Activities, which the Medical CRM sends, show there as well." if object_type else ""
        register_step(
            build_related_section_step(
                text=StepText(
                    key=f"activity_section.{object_type or object_name}",
                    title=f"Activities on the {label} page",
                    why=f"Study teams see and log the activities of {article} {label} on its record page.{also}",
                    section=_CLINICAL,
                    position=100,
                ),
                object_name=object_name,
                object_type=object_type,
                wanted=replace(_ACTIVITIES, related_field=related_field),
            )
        )
    _register_automation_steps()
    register_step(
        build_active_type_step(
            text=StepText(
                key="medical_activity_type",
                title="Medical Activity object type",
                why="Calls that the Medical CRM sends become Medical Activities once their object type is active.",
                section=_MEDICAL,
                position=300,
            ),
            object_name=Activity.object_name,
            object_type=ActivityType.MEDICAL,
        )
    )


def _register_automation_steps() -> None:
    register_step(
        build_type_fields_step(
            text=_automate(
                key="activity_fields",
                title="Source fields of the Clinical Activity type",
                why="A generated activity refers to the Monitoring Event or Study Communication that it comes from.",
            ),
            object_name=Activity.object_name,
            object_type=ActivityType.CLINICAL,
            field_names=SOURCES,
        )
    )
    register_step(
        build_layout_step(
            text=_automate(
                key="activity_layout",
                title="Source fields on the Activity page",
                why="Study teams see, among the Study Details, what an activity was generated from.",
            ),
            object_name=Activity.object_name,
            find_missing=_find_missing_sources,
            change=_add_sources,
            done="Monitoring Event and Study Communication are on the Activity page.",
        )
    )
    register_step(
        build_type_fields_step(
            text=_automate(
                key="monitoring_event_fields",
                title="Fields of the Monitoring Event types",
                why="The job takes the events whose type has Activity Update Required; their method gives the channel.",
            ),
            object_name=MonitoringEvent.object_name,
            field_names=(UPDATE_REQUIRED, _VISIT_METHOD),
        )
    )
    register_step(
        build_layout_step(
            text=_automate(
                key="monitoring_event_layout",
                title="Monitoring Event page",
                why="Users choose the visit method among the details; Activity Update Required is set by the Vault.",
            ),
            object_name=MonitoringEvent.object_name,
            find_missing=_find_event_differences,
            change=_arrange_event,
            done="Monitoring visit method is among the details, Activity update required on no page.",
        )
    )
    register_step(
        build_type_fields_step(
            text=_automate(
                key="study_communication_fields",
                title="Field of the Study Communication types",
                why="The job takes the communications whose type has Activity Update Required.",
            ),
            object_name=StudyCommunicationLog.object_name,
            field_names=(UPDATE_REQUIRED,),
        )
    )
    register_step(
        build_layout_step(
            text=_automate(
                key="study_communication_layout",
                title="Study Communication page",
                why="Activity Update Required is set by the Vault: users need not see it.",
            ),
            object_name=StudyCommunicationLog.object_name,
            find_missing=_find_update_required,
            change=_remove_update_required,
            done="Activity update required is on no page.",
        )
    )
    register_step(
        build_job_step(
            text=_automate(
                key="job",
                title="Generate Clinical Activities job",
                why="Writes the activities of Monitoring Events and Study Communications, and follows their changes.",
            ),
            job_key=GENERATE_JOB_KEY,
        )
    )


def _automate(*, key: str, title: str, why: str) -> StepText:
    return StepText(key=f"automation.{key}", title=title, why=why, section=_AUTOMATION, position=200, is_optional=True)


# -- Expected layouts -----------------------------------------------------------------------------
def _find_missing_sources(sections: Sections) -> str:
    labels = {"monitoring_event__v": "Monitoring event", "study_communication__v": "Study communication"}
    missing = [label for name, label in labels.items() if name not in list_fields(sections)]
    return f"{' and '.join(missing)} not in {_STUDY_DETAILS}." if missing else ""


def _add_sources(sections: Sections) -> Sections:
    for name in SOURCES:
        if name not in list_fields(sections):
            sections = _place_at_home(sections, name, _STUDY_DETAILS)
    return sections


def _find_event_differences(sections: Sections) -> str:
    home, holder = find_home(sections, _EVENT_DETAILS), find_field(sections, _VISIT_METHOD)
    misplaced = "" if home is not None and holder == home else f"Monitoring visit method is not in {_EVENT_DETAILS}."
    return f"{_find_update_required(sections)} {misplaced}".strip()


def _arrange_event(sections: Sections) -> Sections:
    sections = _remove_update_required(sections)
    if _find_event_differences(sections):
        sections = _place_at_home(sections, _VISIT_METHOD, _EVENT_DETAILS)
    return drop_empty(sections, title=_EVENT_ACTIVITY)


def _find_update_required(sections: Sections) -> str:
    holder = find_field(sections, UPDATE_REQUIRED)
    return f"Activity update required is still in {holder.title}." if holder else ""


def _remove_update_required(sections: Sections) -> Sections:
    while (holder := find_field(sections, UPDATE_REQUIRED)) is not None:
        sections = remove_item(sections, holder.key, UPDATE_REQUIRED)
    return sections


def _place_at_home(sections: Sections, name: str, title: str) -> Sections:
    home = find_home(sections, title)
    if home is None:
        return add_section(sections, SectionDraft(title=title, items=(name,)))
    return place_item(sections, name, to=home.key)
