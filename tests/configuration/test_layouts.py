"""Page layouts are created with the Vault, saved as a whole, copied for one object type, and deleted."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from django.core.exceptions import ValidationError

from ctms.accounts.selectors import get_system_user
from ctms.audit.models import AuditEntry
from ctms.audit.services import delete_record
from ctms.configuration.choices import SectionKind
from ctms.configuration.drafts import SectionDraft, Sections, place_item, remove_item, remove_section
from ctms.configuration.models import CustomField, LayoutSection, PageLayout
from ctms.configuration.registry import get_object, list_objects
from ctms.configuration.selectors import UnknownObjectTypeError, find_layout, read_sections
from ctms.configuration.services import (
    change_layouts,
    create_custom_field,
    create_type_layout,
    delete_layout,
    deliver_page_layouts,
    save_layout,
    update_custom_field,
)
from ctms.configuration.services.layouts import LayoutNeededError
from ctms.configuration.snapshot import build_default_layouts, load_configuration, read_section
from ctms.core.choices import RecordStatus
from ctms.core.errors import StaleRecordError
from tests.factories.base import build_admin_actor

pytestmark = [pytest.mark.django_db, pytest.mark.both_databases]

INVESTIGATOR = "investigator__v"


def get_layout(object_name: str = "study__v", object_type: str = "") -> PageLayout:
    return PageLayout.objects.get(of_object=object_name, object_type=object_type)


def save(layout: PageLayout, sections: Sections, expected_version: int | None = None) -> bool:
    return save_layout(
        layout=layout,
        sections=sections,
        expected_version=expected_version or layout.version,
        actor=build_admin_actor(),
    )


def list_problems(layout: PageLayout, sections: Sections) -> list[str]:
    with pytest.raises(ValidationError) as refused:
        save(layout, sections)
    messages: list[str] = refused.value.messages
    return messages


def related(**values: Any) -> SectionDraft:
    return SectionDraft(
        **{
            "title": "Sites",
            "kind": SectionKind.RELATED,
            "related_object": "site__v",
            "related_field": "study__v",
            **values,
        }
    )


# -- Delivery -------------------------------------------------------------------------------------
def test_every_object_of_the_study_teams_and_the_user_exception_message_are_delivered_with_layouts() -> None:
    expected = {
        (each.api_name, layout.object_type, layout.name, layout.sections)
        for each in list_objects()
        if not each.is_setup or each.api_name == "exception_message__sys"
        for layout in build_default_layouts(each)
    }
    delivered = {
        (
            layout.of_object,
            layout.object_type,
            layout.name,
            tuple(read_section(row) for row in layout.sections.order_by("position")),
        )
        for layout in PageLayout.objects.all()
    }
    assert delivered == expected
    assert ("person__sys", INVESTIGATOR) in {(name, object_type) for name, object_type, _, _ in delivered}


def test_delivery_is_written_by_the_user_system_into_the_audit_trail() -> None:
    layout = get_layout()
    entry = AuditEntry.objects.get(record_uid=layout.uid)
    assert (layout.created_by, entry.actor, entry.reason) == (
        get_system_user(),
        get_system_user(),
        "Delivered with the Vault",
    )


def test_a_second_delivery_leaves_what_admins_made_of_the_layouts() -> None:
    save(get_layout(), ())
    delete_layout(layout=get_layout("person__sys", INVESTIGATOR), actor=build_admin_actor())
    before = list(LayoutSection.objects.order_by("pk").values()), list(PageLayout.objects.values())
    deliver_page_layouts(actor=build_admin_actor())
    assert (list(LayoutSection.objects.order_by("pk").values()), list(PageLayout.objects.values())) == before


def test_an_object_without_any_layout_gets_its_own_again() -> None:
    layout = get_layout("study_country__v")
    for section in layout.sections.all():
        delete_record(record=section, actor=build_admin_actor())
    delete_record(record=layout, actor=build_admin_actor())
    deliver_page_layouts(actor=build_admin_actor())
    assert [each.title for each in read_sections(get_layout("study_country__v"))] == [
        "Study Country Details",
        "Study Sites",
        "Study People",
    ]


# -- Saving ---------------------------------------------------------------------------------------
def test_saving_what_is_there_writes_nothing() -> None:
    layout, entries = get_layout(), AuditEntry.objects.filter(object_name=PageLayout.object_name)
    before = entries.count()
    assert save(layout, read_sections(layout)) is False
    assert entries.count() == before


def test_sections_are_changed_added_moved_and_removed_in_one_save() -> None:
    layout = get_layout()
    details, dates, crm, *rest = read_sections(layout)
    added = related(title="More sites", items=("name__v", "city__v"), prevent_creation=True)
    wanted = (crm, replace(details, title=" The study ", items=("study_name__v", "name__v")), added)
    assert save(layout, wanted) is True
    stored = read_sections(layout)
    assert [replace(each, key="") for each in stored] == [
        replace(crm, key=""),
        replace(wanted[1], key="", title="The study"),
        replace(added, key=""),
    ]
    # Sections that stay keep their records.
    assert [each.key for each in stored[:2]] == [crm.key, details.key]
    assert not LayoutSection.objects.filter(uid__in=[each.key for each in (dates, *rest)]).exists()


def test_a_change_of_sections_alone_raises_the_version_of_the_layout_and_is_in_the_audit_trail() -> None:
    layout = get_layout()
    first, second, *rest = read_sections(layout)
    save(layout, (second, first, *rest))
    layout.refresh_from_db()
    assert (layout.version, layout.revision, layout.modified_by.username) == (2, 2, "factory.admin")
    entries = AuditEntry.objects.filter(record_uid__in=[layout.uid, first.key, second.key], action="changed")
    assert sorted((entry.record_name, entry.changes) for entry in entries) == [
        ("Study page layout", {"revision": [1, 2]}),
        ("Study page layout: Dates", {"position": [2, 1]}),
        ("Study page layout: Study Details", {"position": [1, 2]}),
    ]


def test_a_new_name_alone_is_no_new_revision() -> None:
    layout = get_layout()
    layout.name = "Study"
    assert save(layout, read_sections(layout)) is True
    layout.refresh_from_db()
    assert (layout.name, layout.version, layout.revision) == ("Study", 2, 1)


def test_somebody_elses_save_in_between_is_not_overwritten() -> None:
    mine, theirs = get_layout(), get_layout()
    save(theirs, read_sections(theirs)[1:])
    kept = read_sections(theirs)
    with pytest.raises(StaleRecordError, match=r"^Study page layout was changed by Ada Admin"):
        save(mine, ())
    current = get_layout()
    with pytest.raises(StaleRecordError, match="version 2, yours is 1"):
        save(current, (), expected_version=1)
    assert read_sections(get_layout()) == kept


def test_a_layout_that_somebody_deleted_is_not_saved() -> None:
    mine = get_layout("person__sys", INVESTIGATOR)
    delete_layout(layout=get_layout("person__sys", INVESTIGATOR), actor=build_admin_actor())
    with pytest.raises(StaleRecordError, match=r"^Investigator page layout was deleted by somebody else"):
        save(mine, ())


def test_a_layout_may_be_empty() -> None:
    save(get_layout(), ())
    assert load_configuration().get("study__v").get_layout("").sections == ()


# -- Refusals -------------------------------------------------------------------------------------
def test_a_field_stands_on_a_layout_once() -> None:
    layout = get_layout()
    details, *rest = read_sections(layout)
    twice = SectionDraft(title="Again", items=("name__v", "sponsor__v"))
    assert list_problems(layout, (details, twice, *rest)) == [
        "Study number (name__v) stands in Study Details and in Again: a field is on a layout once.",
        "Sponsor (sponsor__v) stands in Study Details and in Again: a field is on a layout once.",
    ]


def test_fields_and_columns_that_nobody_knows_are_named_with_their_section() -> None:
    layout = get_layout()
    assert list_problems(
        layout,
        (SectionDraft(title="Details", items=("name__v", "colour__v")), related(items=("name__v", "size__v"))),
    ) == [
        "Details: Study has no active field 'colour__v'.",
        "Sites: Study Site has no active field 'size__v'.",
    ]


@pytest.mark.parametrize(
    ("values", "problem"),
    [
        ({"related_object": "planet__v"}, "Sites: No object 'planet__v' is registered."),
        ({"related_field": "orbit__v"}, "Sites: study site (site__v) has no field 'orbit__v'."),
        (
            {"related_field": "study_country__v"},
            "Sites: Study country (study_country__v) of Study Site does not refer to Study.",
        ),
        ({"related_field": "name__v"}, "Sites: Site number (name__v) of Study Site does not refer to Study."),
        ({"items": ("name__v", "name__v")}, "Sites: the column Site number (name__v) is there twice; keep one."),
        ({"title": "  "}, "Section 1: give it a title."),
        ({"title": "a\x00b"}, "Section 1: its title holds characters that cannot be shown."),
        ({"title": "a\ud800b"}, "Section 1: its title holds characters that cannot be shown."),
        ({"title": "x" * 129}, f"{'x' * 40}…: a title has at most 128 characters."),
    ],
)
def test_a_related_section_that_cannot_work_is_refused(values: dict[str, Any], problem: str) -> None:
    (message,) = list_problems(get_layout(), (related(**values),))
    assert message.startswith(problem)


def test_a_layout_has_a_name() -> None:
    layout = get_layout()
    layout.name = " "
    assert list_problems(layout, read_sections(layout)) == ["Name: give the layout a name."]


def test_a_refused_layout_is_left_as_it_was() -> None:
    layout, before = get_layout(), read_sections(get_layout())
    list_problems(layout, (SectionDraft(title="A", items=("colour__v",)),))
    assert (read_sections(get_layout()), get_layout().version) == (before, 1)


def test_what_is_on_the_layout_already_may_stay_when_it_is_not_known_any_more() -> None:
    field = CustomField(of_object="study__v", label="Colour")
    create_custom_field(field=field, actor=build_admin_actor(), add_to_layouts=True)
    field.status = RecordStatus.INACTIVE
    update_custom_field(field=field, actor=build_admin_actor())
    layout = get_layout()
    first, second, *rest = read_sections(layout)
    assert first.items[-1] == "colour__c"
    assert save(layout, (second, first, *rest)) is True
    assert find_shown_fields() == ["study_name__v", "protocol_title__v"]
    field.status = RecordStatus.ACTIVE
    update_custom_field(field=field, actor=build_admin_actor())
    assert "colour__c" in [
        each.api_name for each in load_configuration().get("study__v").get_layout("").sections[1].fields
    ]


def find_shown_fields() -> list[str]:
    section = load_configuration().get("study__v").get_layout("").sections[1]
    return [
        field.api_name
        for field in section.fields
        if field.api_name in ("study_name__v", "protocol_title__v", "colour__c")
    ]


# -- The same change to several layouts ------------------------------------------------------------
def test_every_layout_of_an_object_is_changed_or_that_of_one_type() -> None:
    def add(sections: Sections) -> Sections:
        return place_item(sections, "full_name__v", to=sections[0].key)

    changed = change_layouts(object_name="person__sys", object_type=INVESTIGATOR, change=add, actor=build_admin_actor())
    assert [each.name for each in changed] == ["Investigator page layout"]
    changed = change_layouts(object_name="person__sys", change=add, actor=build_admin_actor())
    assert [each.name for each in changed] == ["Person page layout"]
    for object_type in ("", INVESTIGATOR):
        assert read_sections(get_layout("person__sys", object_type))[0].items[-1] == "full_name__v"


def test_a_type_without_its_own_layout_has_that_of_the_object() -> None:
    changed = change_layouts(
        object_name="person__sys",
        object_type="person__v",
        change=lambda sections: remove_section(sections, sections[-1].key),
        actor=build_admin_actor(),
    )
    assert [each.object_type for each in changed] == [""]


def test_one_refused_layout_of_several_leaves_all_as_they_were() -> None:
    before = read_sections(get_layout("person__sys"))

    def spoil(sections: Sections) -> Sections:
        is_investigator = "Sites led" in [each.title for each in sections]
        return place_item(
            remove_item(sections, sections[0].key, "phone__v"),
            "colour__v" if is_investigator else "full_name__v",
            to=sections[0].key,
        )

    with pytest.raises(ValidationError):
        change_layouts(object_name="person__sys", change=spoil, actor=build_admin_actor())
    assert read_sections(get_layout("person__sys")) == before


def test_an_object_without_layouts_says_how_they_come() -> None:
    with pytest.raises(LayoutNeededError, match=r"^connection__sys has no page layout\. They are delivered by"):
        change_layouts(object_name="connection__sys", change=lambda sections: sections, actor=build_admin_actor())


# -- Layouts of one type --------------------------------------------------------------------------
def test_the_layout_of_a_type_begins_as_a_copy_and_is_its_own_from_then_on() -> None:
    layout = PageLayout(of_object="crm_activity__v", object_type="medical_activity__v")
    create_type_layout(layout=layout, actor=build_admin_actor())
    original = read_sections(get_layout("crm_activity__v"))
    copy = read_sections(layout)
    assert layout.name == "Medical Activity page layout"
    assert [replace(each, key="") for each in copy] == [replace(each, key="") for each in original]
    save(layout, copy[:1])
    shape = load_configuration().get("crm_activity__v")
    assert len(shape.get_layout("medical_activity__v").sections) == 1
    assert len(shape.get_layout("clinical_activity__v").sections) == len(original)


def test_a_type_has_one_layout() -> None:
    with pytest.raises(ValidationError, match="Page layout with this Object and Object type already exists"):
        create_type_layout(
            layout=PageLayout(of_object="person__sys", object_type=INVESTIGATOR), actor=build_admin_actor()
        )


def test_a_layout_needs_a_type_that_there_is_and_one_to_copy() -> None:
    with pytest.raises(
        UnknownObjectTypeError, match=r"^person__sys has no object type 'robot__v'. Its types: person__v"
    ):
        create_type_layout(
            layout=PageLayout(of_object="person__sys", object_type="robot__v"), actor=build_admin_actor()
        )
    with pytest.raises(LayoutNeededError, match=r"^Connection Authorization has no page layout that could be copied"):
        create_type_layout(
            layout=PageLayout(of_object="connection_authorization__sys", object_type="basic_auth__sys"),
            actor=build_admin_actor(),
        )


def test_a_deleted_layout_of_a_type_leaves_its_records_that_of_the_object() -> None:
    delete_layout(layout=get_layout("person__sys", INVESTIGATOR), actor=build_admin_actor())
    found = find_layout(object_name="person__sys", object_type=INVESTIGATOR)
    assert found is not None
    assert found.name == "Person page layout"
    assert load_configuration().get("person__sys").get_layout(INVESTIGATOR).name == "Person page layout"
    assert AuditEntry.objects.filter(action="deleted", record_name="Investigator page layout").count() == 1


def test_the_layout_of_the_object_stays() -> None:
    with pytest.raises(LayoutNeededError, match=r"^Study page layout is the layout of every type without its own"):
        delete_layout(layout=get_layout(), actor=build_admin_actor())
    assert get_object("study__v").api_name == get_layout().of_object
