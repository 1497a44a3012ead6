"""The configuration in force: the registered objects with the changes that admins have made."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest
import time_machine

from ctms.audit.services import delete_record, save_record
from ctms.clinical.models import Person
from ctms.configuration.models import CustomField, LayoutSection, ObjectType, ObjectTypeField, PageLayout
from ctms.configuration.registry import UnknownFieldError, UnknownObjectError
from ctms.configuration.services import (
    assign_action,
    create_custom_field,
    create_type_layout,
    set_object_type_status,
)
from ctms.configuration.snapshot import LayoutShape, load_configuration
from ctms.core.choices import RecordStatus
from tests.factories.base import build_admin_actor
from tests.kinds import choose_values, list_custom_names

pytestmark = [pytest.mark.django_db, pytest.mark.both_databases]


def add_field(**values: Any) -> None:
    field = CustomField(**{"of_object": "study__v", "label": "Colour", **values})
    create_custom_field(field=field, actor=build_admin_actor())


def change_section(title: str, **values: Any) -> LayoutShape:
    """Store values in a section of the Study layout that `save_layout` would refuse, as from an older version."""
    row = LayoutSection.objects.get(layout__of_object="study__v", title=title)
    for name, value in values.items():
        setattr(row, name, value)
    save_record(record=row, actor=build_admin_actor())
    return load_configuration().get("study__v").get_layout("")


# -- Statements -----------------------------------------------------------------------------------
def test_one_statement_asks_whether_anything_changed(django_assert_num_queries: Any) -> None:
    load_configuration()
    with django_assert_num_queries(1):
        configuration = load_configuration()
        for name in ("study__v", "person__sys", "crm_activity__v"):
            configuration.get(name)
        configuration.get("study__v").get_layout("")


def test_after_a_change_everything_is_read_once(django_assert_num_queries: Any) -> None:
    load_configuration()
    add_field()
    with django_assert_num_queries(8):
        configuration = load_configuration()
        configuration.get("study__v")
        configuration.get("person__sys")
    with django_assert_num_queries(1):
        assert load_configuration() is configuration


@pytest.mark.parametrize("change", ["create", "change", "delete"])
def test_every_kind_of_change_is_seen(change: str) -> None:
    add_field()
    row = CustomField.objects.get()
    before = load_configuration()
    if change == "create":
        add_field(label="Size")
    elif change == "change":
        row.label = "Hue"
        save_record(record=row, actor=build_admin_actor())
    else:
        delete_record(record=row, actor=build_admin_actor())
    custom = [field.label for field in load_configuration().get("study__v").fields.values() if field.is_custom]
    assert load_configuration() is not before
    assert custom == {"create": ["Colour", "Size"], "change": ["Hue"], "delete": []}[change]


@pytest.mark.parametrize("name", ["investigator__v", "person__v"])
def test_a_change_under_a_clock_that_is_set_back_is_seen_whatever_another_test_has_changed(name: str) -> None:
    with time_machine.travel(dt.datetime(2026, 3, 4, tzinfo=dt.UTC), tick=False):
        row = ObjectType.objects.get(api_name=name)
        row.label = "Physician"
        save_record(record=row, actor=build_admin_actor())
    assert load_configuration().get("person__sys").get_type(name).label == "Physician"


# -- Types ----------------------------------------------------------------------------------------
def test_an_inactive_type_keeps_its_fields_and_takes_no_records() -> None:
    shape = load_configuration().get("crm_activity__v")
    assert {name: each.is_active for name, each in shape.types.items()} == {
        "clinical_activity__v": True,
        "medical_activity__v": False,
    }
    set_object_type_status(
        object_name="crm_activity__v",
        object_type="medical_activity__v",
        status=RecordStatus.ACTIVE,
        actor=build_admin_actor(),
    )
    assert load_configuration().get("crm_activity__v").get_type("medical_activity__v").is_active is True


def test_a_type_that_is_not_registered_has_every_field_and_takes_no_records() -> None:
    shape = load_configuration().get("crm_activity__v")
    unknown = shape.get_type("dream__v")
    assert (unknown.is_active, unknown.label, unknown.fields) == (False, "dream__v", frozenset(shape.fields))


def test_an_object_without_types_has_one_without_a_name() -> None:
    shape = load_configuration().get("study__v")
    assert (list(shape.types), shape.get_type("").fields, "object_type__v" in shape.fields) == (
        [""],
        frozenset(shape.fields),
        False,
    )


def test_a_renamed_type_is_called_by_its_new_name() -> None:
    row = ObjectType.objects.get(api_name="investigator__v")
    row.label = "Physician"
    save_record(record=row, actor=build_admin_actor())
    assert load_configuration().get("person__sys").get_type("investigator__v").label == "Physician"


def test_unassigned_fields_are_on_no_type_as_delivered() -> None:
    shape = load_configuration().get("monitoring_event__ctms")
    unassigned = {"monitoring_visit_method__v", "activity_update_required__v"}
    assert [each.api_name for each in shape.types.values() if each.fields & unassigned] == []
    assert [each.api_name for each in shape.list_type_fields("close_out_visit__v")] == [
        name for name in shape.fields if name not in unassigned
    ]


def test_a_decision_about_a_field_that_is_gone_is_passed_over() -> None:
    row = ObjectType.objects.get(api_name="clinical_activity__v")
    for name in ("gone__c", "notes__v"):
        save_record(
            record=ObjectTypeField(object_type=row, field_name=name, is_required=True), actor=build_admin_actor()
        )
    shape = load_configuration().get("crm_activity__v").get_type("clinical_activity__v")
    assert ("gone__c" in shape.fields, shape.required) == (False, frozenset({"notes__v"}))


def test_assigned_actions_are_on_their_type() -> None:
    assign_action(
        object_name="connection_authorization__sys",
        object_type="basic_auth__sys",
        action_name="enter_connected_app_details__sys",
        actor=build_admin_actor(),
    )
    shape = load_configuration().get("connection_authorization__sys")
    assert shape.get_type("basic_auth__sys").actions == frozenset({"enter_connected_app_details__sys"})


# -- Custom fields --------------------------------------------------------------------------------
@pytest.mark.parametrize("kind", list_custom_names())
def test_a_custom_field_of_every_kind_is_a_field_of_its_object(kind: str) -> None:
    values = choose_values(kind, "Red", "Blue")
    add_field(kind=kind, picklist_values=values)
    field = load_configuration().get("study__v").get_field("colour__c")
    assert (field.label, field.attribute, field.is_custom) == ("Colour", "custom_fields__colour__c", True)
    assert field.kind == kind
    assert field.reference is (Person if kind == "reference" else None)
    assert field.choices == ((("Red", "Red"), ("Blue", "Blue")) if values else ())


def test_an_unknown_field_or_object_is_named_with_those_there_are() -> None:
    with pytest.raises(UnknownFieldError, match=r"^Study has no field 'colour__c'\. Its fields: uid__sys, name__v"):
        load_configuration().get("study__v").get_field("colour__c")
    with pytest.raises(UnknownObjectError, match=r"^No object 'planet__v' is registered"):
        load_configuration().get("planet__v")


# -- Layouts --------------------------------------------------------------------------------------
def test_the_layout_of_a_type_wins_over_that_of_the_object() -> None:
    shape = load_configuration().get("person__sys")
    assert [shape.get_layout(name).name for name in ("person__v", "investigator__v", "dream__v")] == [
        "Person page layout",
        "Investigator page layout",
        "Person page layout",
    ]
    layout = PageLayout(of_object="person__sys", object_type="person__v", name="Staff")
    create_type_layout(layout=layout, actor=build_admin_actor())
    assert load_configuration().get("person__sys").get_layout("person__v").name == "Staff"


def test_an_object_without_rows_has_the_layout_it_is_registered_with() -> None:
    layout = load_configuration().get("connection__sys").get_layout("")
    assert (layout.name, [section.title for section in layout.sections]) == ("Connection page layout", ["Details"])


def test_fields_that_are_not_registered_are_left_out_and_warned_of() -> None:
    layout = change_section("Dates", items=["planned_start_date__v", "gone__v", "gone__c"])
    assert layout.warnings == ("Dates: Study has no field gone__v.", "Dates: Study has no field gone__c.")
    assert [field.api_name for field in layout.sections[1].fields] == ["planned_start_date__v"]


def test_columns_that_are_not_registered_are_left_out_and_warned_of() -> None:
    layout = change_section("Study Sites", items=["name__v", "gone__v"])
    assert layout.warnings == ("Study Sites: Study Site has no field gone__v.",)
    assert [section.columns for section in layout.sections if section.title == "Study Sites"] == [("name__v",)]


def test_a_section_without_columns_that_are_known_has_those_of_the_list() -> None:
    layout = change_section("Study Sites", items=["gone__v"])
    (section,) = [each for each in layout.sections if each.title == "Study Sites"]
    assert section.related is not None
    assert section.columns == section.related.list_columns


def test_a_custom_field_of_the_related_object_can_be_a_column() -> None:
    add_field(of_object="site__v")
    layout = change_section("Study Sites", items=["colour__c"])
    assert layout.warnings == ()
    assert [section.columns for section in layout.sections if section.title == "Study Sites"] == [("colour__c",)]


@pytest.mark.parametrize(
    ("values", "warning"),
    [
        ({"related_object": "planet__v"}, "Study Sites: No object 'planet__v' is registered."),
        ({"related_field": "orbit__v"}, "Study Sites: study site (site__v) has no field 'orbit__v'."),
        ({"related_field": "study_country__v"}, "Study Sites: Study country of study site refers to another object."),
    ],
)
def test_a_related_section_that_leads_nowhere_is_left_out_and_warned_of(values: dict[str, str], warning: str) -> None:
    layout = change_section("Study Sites", **values)
    assert [text[: len(warning)] for text in layout.warnings] == [warning]
    assert "Study Sites" not in [section.title for section in layout.sections]
