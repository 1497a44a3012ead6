"""The configuration steps of Activity tracking: to do in a delivered Vault, done once they are applied."""

from __future__ import annotations

from dataclasses import replace

import pytest

from ctms.audit.models import AuditEntry
from ctms.audit.services import save_record
from ctms.configuration.drafts import (
    Change,
    Sections,
    find_home,
    place_item,
    replace_section,
)
from ctms.configuration.models import LayoutSection, ObjectType, PageLayout
from ctms.configuration.selectors import find_layout, read_sections
from ctms.configuration.services import (
    FieldDecision,
    change_layouts,
    create_type_layout,
    decide_fields,
    set_object_type_status,
    take_off_fields,
)
from ctms.configuration.snapshot import load_configuration
from ctms.configuration.steps import (
    ConfigurationStep,
    StepState,
    StepStatus,
    apply_step,
    apply_steps,
    get_step,
    list_steps,
)
from ctms.core.choices import RecordStatus
from tests.factories.base import build_admin_actor

pytestmark = pytest.mark.django_db

ACTIVITY_SECTIONS = {
    "activity_section.investigator__v": ("person__sys", "investigator__v", "person__v", "Investigator page layout"),
    "activity_section.study__v": ("study__v", "", "study__v", "Study page layout"),
    "activity_section.study_country__v": ("study_country__v", "", "study_country__v", "Study country page layout"),
    "activity_section.site__v": ("site__v", "", "site__v", "Study site page layout"),
    "activity_section.study_person__clin": ("study_person__clin", "", "study_person__v", "Study person page layout"),
}
TO_DO = {
    **{key: f"{layout} has no section of activities." for key, (_, _, _, layout) in ACTIVITY_SECTIONS.items()},
    "automation.activity_fields": "Clinical Activity lacks Monitoring event and Study communication.",
    "automation.activity_layout": (
        "Activity page layout: Monitoring event and Study communication not in Study Details."
    ),
    "automation.monitoring_event_fields": (
        "Pre-Study Visit lacks Activity update required and Monitoring visit method; "
        "Site Initiation Visit lacks Activity update required and Monitoring visit method; "
        "Interim Monitoring Visit lacks Activity update required and Monitoring visit method; "
        "Close Out Visit lacks Activity update required and Monitoring visit method."
    ),
    "automation.monitoring_event_layout": (
        "Monitoring event page layout: Activity update required is still in Activity. "
        "Monitoring visit method is not in Monitoring Event Details."
    ),
    "automation.study_communication_fields": (
        "Email lacks Activity update required; Phone Call lacks Activity update required; Video Call lacks Activity "
        "update required; In-person Meeting lacks Activity update required; Message lacks Activity update required; "
        "Other lacks Activity update required."
    ),
    "automation.study_communication_layout": (
        "Study communication page layout: Activity update required is still in Study Communication Details."
    ),
    "medical_activity_type": "Medical Activity is inactive.",
}
DONE = {
    **{key: f"{layout} has Activities." for key, (_, _, _, layout) in ACTIVITY_SECTIONS.items()},
    "automation.activity_fields": "Monitoring event and Study communication on Clinical Activity.",
    "automation.activity_layout": "Monitoring Event and Study Communication are on the Activity page.",
    "automation.monitoring_event_fields": (
        "Activity update required and Monitoring visit method on Pre-Study Visit, Site Initiation Visit, "
        "Interim Monitoring Visit, Close Out Visit."
    ),
    "automation.monitoring_event_layout": (
        "Monitoring visit method is among the details, Activity update required on no page."
    ),
    "automation.study_communication_fields": (
        "Activity update required on Email, Phone Call, Video Call, In-person Meeting, Message, Other."
    ),
    "automation.study_communication_layout": "Activity update required is on no page.",
    "medical_activity_type": "Medical Activity is active.",
}


def to_do(reason: str) -> StepState:
    return StepState(status=StepStatus.TO_DO, reason=reason)


def done(reason: str) -> StepState:
    return StepState(status=StepStatus.DONE, reason=reason)


def apply(step: ConfigurationStep) -> None:
    apply_step(step=step, actor=build_admin_actor())


def read_titles(object_name: str, object_type: str = "") -> dict[str, tuple[str, ...]]:
    """Return the fields or columns of a layout by section title."""
    layout = find_layout(object_name=object_name, object_type=object_type)
    assert layout is not None
    return {section.title: section.items for section in read_sections(layout)}


def change(object_name: str, change: Change) -> None:
    change_layouts(object_name=object_name, change=change, actor=build_admin_actor())


def test_the_steps_stand_in_the_order_of_the_documents() -> None:
    keys = [step.key for step in list_steps()]
    assert [key for key in keys if key in TO_DO] == list(TO_DO)


@pytest.mark.parametrize("key", TO_DO)
def test_a_step_is_to_do_until_it_is_applied_and_a_second_time_changes_nothing(key: str) -> None:
    step = get_step(key)
    assert step.read_state() == to_do(TO_DO[key])
    apply(step)
    assert step.read_state() == done(DONE[key])
    written = AuditEntry.objects.count()
    apply(step)
    assert AuditEntry.objects.count() == written


@pytest.mark.parametrize("key", TO_DO)
def test_a_step_leads_to_the_page_where_it_is_done_by_hand(key: str) -> None:
    assert get_step(key).url().startswith("/admin/configuration/")


@pytest.mark.parametrize("key", ACTIVITY_SECTIONS)
def test_the_activity_section_shows_what_identifies_an_activity(key: str) -> None:
    object_name, object_type, related_field, _ = ACTIVITY_SECTIONS[key]
    apply(get_step(key))
    section = load_configuration().get(object_name).get_layout(object_type).sections[-1]
    assert section.related is not None
    assert section.related_field is not None
    assert (section.related.api_name, section.related_field.api_name, section.columns, section.prevent_creation) == (
        "crm_activity__v",
        related_field,
        ("name__v", "object_type__v", "date__v", "person__v", "channel__v", "complete__v", "subject__v"),
        False,
    )


def test_the_activity_section_of_investigators_is_not_that_of_every_person() -> None:
    apply(get_step("activity_section.investigator__v"))
    assert "Activities" in read_titles("person__sys", "investigator__v")
    assert "Activities" not in read_titles("person__sys")


def test_another_choice_of_columns_is_the_admins_own() -> None:
    step = get_step("activity_section.study__v")
    apply(step)
    change("study__v", lambda sections: (*sections[:-1], replace(sections[-1], title="Log", items=("date__v",))))
    assert step.read_state() == done("Study page layout has Log.")
    apply(step)
    assert read_titles("study__v")["Log"] == ("date__v",)


def test_a_section_by_a_field_that_refers_elsewhere_is_broken_and_mended() -> None:
    step = get_step("activity_section.study__v")
    apply(step)
    row = LayoutSection.objects.get(layout__of_object="study__v", related_object="crm_activity__v")
    # As after an upgrade that removed a field; no service would save this.
    row.related_field = "site__v"
    save_record(record=row, actor=build_admin_actor())
    assert step.read_state() == StepState(
        status=StepStatus.BROKEN,
        reason="Study page layout, section Activities: Site (site__v) of Activity does not refer to Study.",
    )
    apply(step)
    assert step.read_state() == done("Study page layout has Activities.")
    assert LayoutSection.objects.get(uid=row.uid).related_field == "study__v"


def test_the_automation_moves_the_fields_where_the_documents_say() -> None:
    apply_steps(steps=list_steps(), actor=build_admin_actor())
    activity, event = read_titles("crm_activity__v"), read_titles("monitoring_event__ctms")
    assert activity["Study Details"] == (
        "site__v",
        "study_person__v",
        "study_country__v",
        "study__v",
        "monitoring_event__v",
        "study_communication__v",
    )
    assert event["Monitoring Event Details"][-1] == "monitoring_visit_method__v"
    assert "Activity" not in event
    assert "activity_update_required__v" not in [name for items in event.values() for name in items]
    communication = read_titles("study_communication_log__ctms")
    assert "activity_update_required__v" not in [name for items in communication.values() for name in items]


def test_a_section_that_an_admin_renamed_is_still_home_to_its_fields() -> None:
    def rename(sections: Sections) -> Sections:
        home = find_home(sections, "Monitoring Event Details")
        assert home is not None
        return replace_section(sections, replace(home, title="The visit"))

    change("monitoring_event__ctms", rename)
    step = get_step("automation.monitoring_event_layout")
    apply(step)
    assert step.read_state().status == StepStatus.DONE
    assert read_titles("monitoring_event__ctms")["The visit"][-1] == "monitoring_visit_method__v"


def test_a_layout_without_a_section_of_fields_gets_one() -> None:
    change("crm_activity__v", lambda _sections: ())
    apply(get_step("automation.activity_layout"))
    assert read_titles("crm_activity__v") == {"Study Details": ("monitoring_event__v", "study_communication__v")}


def test_a_section_named_activity_that_holds_more_stays() -> None:
    def add_field(sections: Sections) -> Sections:
        section = next(each for each in sections if each.title == "Activity")
        return place_item(sections, "external_id__v", to=section.key)

    change("monitoring_event__ctms", add_field)
    apply(get_step("automation.monitoring_event_layout"))
    assert read_titles("monitoring_event__ctms")["Activity"] == ("external_id__v",)


def test_every_layout_of_the_object_is_looked_at() -> None:
    create_type_layout(
        layout=PageLayout(of_object="monitoring_event__ctms", object_type="close_out_visit__v"),
        actor=build_admin_actor(),
    )
    step = get_step("automation.monitoring_event_layout")
    assert step.read_state().reason.count("Activity update required is still in Activity.") == 2
    apply(step)
    assert step.read_state().status == StepStatus.DONE


def test_types_that_an_admin_switched_off_need_no_fields() -> None:
    for row in ObjectType.objects.filter(of_object="monitoring_event__ctms").exclude(api_name="close_out_visit__v"):
        set_object_type_status(
            object_name=row.of_object,
            object_type=row.api_name,
            status=RecordStatus.INACTIVE,
            actor=build_admin_actor(),
        )
    step = get_step("automation.monitoring_event_fields")
    assert step.read_state() == to_do("Close Out Visit lacks Activity update required and Monitoring visit method.")
    apply(step)
    types = load_configuration().get("monitoring_event__ctms").types
    assert [name for name, each in types.items() if "monitoring_visit_method__v" in each.fields] == [
        "close_out_visit__v"
    ]


def test_with_every_type_inactive_the_step_is_broken() -> None:
    for row in ObjectType.objects.filter(of_object="monitoring_event__ctms"):
        set_object_type_status(
            object_name=row.of_object,
            object_type=row.api_name,
            status=RecordStatus.INACTIVE,
            actor=build_admin_actor(),
        )
    assert get_step("automation.monitoring_event_fields").read_state() == StepState(
        status=StepStatus.BROKEN, reason="Every object type of Monitoring Event is inactive."
    )


def test_a_field_that_was_taken_off_again_is_missed_by_name() -> None:
    step = get_step("automation.activity_fields")
    apply(step)
    take_off_fields(
        object_name="crm_activity__v",
        object_type="clinical_activity__v",
        field_names=["study_communication__v"],
        actor=build_admin_actor(),
    )
    assert step.read_state() == to_do("Clinical Activity lacks Study communication.")


def test_applying_keeps_that_a_field_is_required() -> None:
    row = ObjectType.objects.get(api_name="clinical_activity__v")
    decide_fields(
        object_type=row,
        decisions={"monitoring_event__v": FieldDecision(is_assigned=True, is_required=True)},
        actor=build_admin_actor(),
    )
    apply(get_step("automation.activity_fields"))
    shape = load_configuration().get("crm_activity__v").get_type("clinical_activity__v")
    assert shape.required == frozenset({"monitoring_event__v"})
