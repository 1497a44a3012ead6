"""Custom fields: their names, their place on pages, and which properties cannot be changed."""

from __future__ import annotations

import pytest
from django.core.exceptions import ValidationError

from ctms.configuration.models import CustomField
from ctms.configuration.selectors import find_layout, list_custom_field_objects, read_sections
from ctms.configuration.services import change_layouts, create_custom_field, update_custom_field
from ctms.configuration.services.custom_fields import build_api_name
from ctms.configuration.snapshot import load_configuration
from ctms.core.choices import RecordStatus
from ctms.core.errors import StaleRecordError
from tests.factories.base import build_admin_actor
from tests.factories.clinical import PersonFactory

pytestmark = [pytest.mark.django_db, pytest.mark.both_databases]


def create(*, add_to_layouts: bool = False, **values: object) -> CustomField:
    field = CustomField(**{"of_object": "person__sys", "label": "Favourite colour", **values})
    create_custom_field(field=field, actor=build_admin_actor(), add_to_layouts=add_to_layouts)
    return field


def refuse(**values: object) -> dict[str, list[str]]:
    with pytest.raises(ValidationError) as refused:
        create(**values)  # type: ignore[arg-type]
    messages: dict[str, list[str]] = refused.value.message_dict
    return messages


@pytest.mark.parametrize(
    ("label", "expected"),
    [
        ("Favourite colour", "favourite_colour__c"),
        ("  Größe (cm) ", "groe_cm__c"),
        ("2nd e-mail", "nd_e_mail__c"),
        ("A" * 90, f"{'a' * 60}__c"),
        ("颜色", ""),
        ("", ""),
    ],
)
def test_an_api_name_is_made_from_the_label(label: str, expected: str) -> None:
    assert build_api_name(label) == expected


def test_a_field_without_an_api_name_is_named_after_its_label() -> None:
    assert create().api_name == "favourite_colour__c"
    assert create(label="Colour", api_name="hue__c").api_name == "hue__c"


def test_a_label_without_a_letter_needs_an_api_name() -> None:
    assert refuse(label="颜色") == {"api_name": ["This field cannot be blank."]}


def test_a_field_is_there_once() -> None:
    create()
    assert refuse(label="Hue", api_name="favourite_colour__c") == {
        "__all__": ["Custom field with this Object and API name already exists."]
    }


@pytest.mark.parametrize("label", ["Favourite colour", "FAVOURITE Colour"])
def test_a_label_is_there_once_in_any_case(label: str) -> None:
    create().status = RecordStatus.INACTIVE
    [message] = refuse(label=label, api_name="hue__c")["__all__"]
    assert message.startswith("Label: another custom field of this object has it, active or not.")
    create(label=label, of_object="study__v")


def test_a_label_is_not_that_of_a_standard_field() -> None:
    assert refuse(label="last NAME") == {"label": ["The standard field last_name__sys has this label. Choose another."]}


@pytest.mark.parametrize("of_object", ["connection__sys", "planet__v", ""])
def test_only_the_study_teams_objects_take_fields(of_object: str) -> None:
    assert refuse(of_object=of_object) == {
        "of_object": [f"{of_object or 'No object'} takes no custom fields. Choose another."]
    }


def test_every_object_of_the_study_teams_takes_fields() -> None:
    assert {"study__v", "site__v", "person__sys", "crm_activity__v", "monitoring_event__ctms"} <= {
        each.api_name for each in list_custom_field_objects()
    }


def test_a_picklist_has_values_and_nothing_else_has() -> None:
    assert refuse(kind="picklist") == {"picklist_values": ["A picklist needs at least one value to choose."]}
    assert refuse(kind="date", picklist_values=["Red"]) == {
        "picklist_values": [
            "The kind Date has no values to choose. Remove them, or choose the kind Multi-select picklist or Picklist."
        ]
    }
    assert create(kind="picklist", picklist_values=["Red"]).picklist_values == [
        {"api_name": "Red", "label": "Red", "is_active": True}
    ]


def test_a_field_added_to_the_layouts_stands_last_in_the_first_section_of_each() -> None:
    create(add_to_layouts=True)
    for object_type in ("", "investigator__v"):
        layout = find_layout(object_name="person__sys", object_type=object_type)
        assert layout is not None
        assert read_sections(layout)[0].items[-1] == "favourite_colour__c"


def test_a_layout_without_a_section_of_fields_stays_without_the_field() -> None:
    change_layouts(object_name="person__sys", change=lambda _sections: (), actor=build_admin_actor())
    create(add_to_layouts=True)
    layout = find_layout(object_name="person__sys")
    assert layout is not None
    assert read_sections(layout) == ()


def test_an_inactive_field_leaves_the_pages_and_its_values_stay() -> None:
    field = create(add_to_layouts=True)
    person = PersonFactory.create(custom_fields={"favourite_colour__c": "red"})
    field.status = RecordStatus.INACTIVE
    assert update_custom_field(field=field, actor=build_admin_actor()) is True
    shape = load_configuration().get("person__sys")
    assert "favourite_colour__c" not in shape.fields
    assert "favourite_colour__c" not in [each.api_name for each in shape.get_layout("").sections[0].fields]
    person.refresh_from_db()
    assert person.custom_fields == {"favourite_colour__c": "red"}


def test_label_and_values_change_name_kind_and_object_do_not() -> None:
    field = create(kind="picklist", picklist_values=["Red"])
    field.label, field.picklist_values = "Colour", ["Red", "Blue"]
    assert update_custom_field(field=field, actor=build_admin_actor()) is True
    field.kind, field.picklist_values, field.api_name = "text", [], "hue__c"
    with pytest.raises(ValidationError) as refused:
        update_custom_field(field=field, actor=build_admin_actor())
    assert refused.value.message_dict == {
        "api_name": ["This cannot be changed: values are stored under it."],
        "kind": ["This cannot be changed: values are stored under it."],
    }


def test_somebody_elses_change_is_not_overwritten() -> None:
    field = create()
    other = CustomField.objects.get()
    other.label = "Colour"
    update_custom_field(field=other, actor=build_admin_actor())
    with pytest.raises(StaleRecordError):
        update_custom_field(field=field, actor=build_admin_actor(), expected_version=1)
