"""What admins decide about custom fields, for whoever writes records by field."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from django.core.exceptions import ValidationError

from ctms.clinical.models import Person
from ctms.configuration.field_defaults import put_all_defaults
from ctms.configuration.models import CustomField
from ctms.configuration.services import create_custom_field, take_off_fields
from ctms.records.access import ObjectAccess, open_object
from ctms.records.api.fields import is_required
from ctms.records.fields.form_fields import build_form_field
from ctms.records.writing.bulk_write import RowDraft, UniqueChecker, prepare_drafts
from ctms.records.writing.services import build_clone, build_record, write_values
from tests.factories.base import build_admin_actor, get_admin_user
from tests.factories.clinical import PersonFactory

pytestmark = [pytest.mark.django_db, pytest.mark.both_databases]

NAME = "badge__c"
RETIRED = [{"api_name": name, "label": name, "is_active": name != "Red"} for name in ("Red", "Blue", "Grey")]


def add(*, default: str | None = None, **values: Any) -> ObjectAccess:
    field = CustomField(**{"of_object": "person__sys", "label": "Badge", "api_name": NAME, **values})
    create_custom_field(field=field, actor=build_admin_actor(), default=default)
    return open_object(user=get_admin_user(), object_name="person__sys")


def create(access: ObjectAccess, **values: Any) -> Person:
    record = build_record(access=access, object_type=next(iter(access.shape.types)))
    write_values(access=access, record=record, values={"last_name__sys": "Ash", **values}, actor=build_admin_actor())
    made: Person = record
    return made


def refuse(access: ObjectAccess, **values: Any) -> list[str]:
    with pytest.raises(ValidationError) as refused:
        create(access, **values)
    messages: list[str] = refused.value.message_dict[NAME]
    return messages


def change(access: ObjectAccess, record: Person, value: Any) -> None:
    write_values(access=access, record=record, values={NAME: value}, actor=build_admin_actor())


def test_a_required_field_is_required_of_new_records_and_others_can_be_changed_elsewhere() -> None:
    without = PersonFactory.create()
    access = add(is_required=True)
    assert refuse(access) == ["This field is required."]
    create(access, **{NAME: "B-1"})
    write_values(access=access, record=without, values={"last_name__sys": "Beck"}, actor=build_admin_actor())
    assert build_form_field(access=access, field=access.shape.get_field(NAME)).required
    assert is_required(shape=access.shape, field=access.shape.get_field(NAME))


def test_a_required_field_is_not_asked_of_types_that_do_not_have_it() -> None:
    access = add(is_required=True)
    for object_type in access.shape.types:
        take_off_fields(
            object_name="person__sys", object_type=object_type, field_names=[NAME], actor=build_admin_actor()
        )
    access = open_object(user=get_admin_user(), object_name="person__sys")
    assert create(access).custom_fields == {}
    assert not is_required(shape=access.shape, field=access.shape.get_field(NAME))


def test_a_new_record_has_the_default_which_people_may_empty() -> None:
    access = add(kind="picklist", picklist_values=["Red", "Blue"], default="Blue", is_required=True)
    assert create(access).custom_fields == {NAME: "Blue"}
    assert create(access, **{NAME: "Red"}).custom_fields == {NAME: "Red"}
    assert refuse(access, **{NAME: None}) == ["This field is required."]
    assert not is_required(shape=access.shape, field=access.shape.get_field(NAME))


def test_records_that_nobody_types_get_the_default_too() -> None:
    add(default="B-0")
    records = [PersonFactory.build(), PersonFactory.build(custom_fields={NAME: "B-1"})]
    put_all_defaults(records)
    assert [each.custom_fields[NAME] for each in records] == ["B-0", "B-1"]


def test_a_clone_has_what_its_source_has() -> None:
    access = add(default="B-0")
    create_custom_field(
        field=CustomField(of_object="person__sys", label="Card", api_name="card__c", is_unique=True),
        actor=build_admin_actor(),
    )
    access = open_object(user=get_admin_user(), object_name="person__sys")
    source = create(access, **{NAME: None, "card__c": "1"})
    assert build_clone(access=access, record=source).custom_fields == {}


def test_the_record_that_has_a_unique_value_is_named_to_those_who_see_it() -> None:
    access = add(is_unique=True)
    other = create(access, **{NAME: "B-1", "last_name__sys": "Zimmer"})
    assert refuse(access, **{NAME: "B-1"}) == [f"{other.name} has this Badge; only one may. Enter another value."]


def test_rows_of_a_batch_are_checked_for_unique_values_together() -> None:
    access = add(is_unique=True)
    create(access, **{NAME: "B-1"})
    drafts = [
        RowDraft(
            number=number,
            record=build_record(access=access, object_type=next(iter(access.shape.types))),
            values={"last_name__sys": "Ash", NAME: value},
        )
        for number, value in enumerate(("B-1", "B-2", "B-2", "B-3"), start=2)
    ]
    prepare_drafts(access=access, drafts=drafts, unique=UniqueChecker(shape=access.shape, noun="line"))
    assert [[each.message for each in draft.problems] for draft in drafts] == [
        ["Another person has this Badge; only one may. Enter another value."],
        [],
        ["Line 3 gets the same Badge; only one may have it."],
        [],
    ]


def test_a_retired_value_stays_and_is_not_chosen() -> None:
    access = add(kind="picklist", picklist_values=RETIRED)
    has_it = PersonFactory.create(custom_fields={NAME: "Red"})
    assert refuse(access, **{NAME: "Red"}) == ["“Red” is retired. Choose one of: Blue, Grey."]
    change(access, has_it, "Red")
    field = build_form_field(access=access, field=access.shape.get_field(NAME), present="Red")
    assert [value for value, _ in field.choices] == ["", "Blue", "Grey", "Red"]  # type: ignore[attr-defined]
    assert build_form_field(access=access, field=access.shape.get_field(NAME)).clean("red") == "Red"  # of a file


def test_a_retired_part_stays_and_is_not_added() -> None:
    access = add(kind="multi_select", picklist_values=RETIRED)
    has_it = PersonFactory.create(custom_fields={NAME: "Red"})
    change(access, has_it, ("Red", "Blue"))
    assert has_it.custom_fields == {NAME: "Red;Blue"}
    assert refuse(access, **{NAME: ("Red", "Blue")}) == ["“Red” is retired. Choose one of: Blue, Grey."]


@pytest.mark.parametrize(
    ("values", "value", "message"),
    [
        ({"kind": "text", "max_length": 3}, "B-10", "Enter at most 3 characters; these are 4."),
        ({"kind": "number", "decimals": 1}, "1.25", "Enter a number with at most 1 decimal."),
        ({"kind": "number", "decimals": 0}, "1.5", "Enter a whole number."),
        ({"kind": "number", "least": 2}, "1", "Enter at least 2."),
        ({"kind": "number", "greatest": 2}, "3", "Enter at most 2."),
    ],
)
def test_a_value_keeps_to_what_the_field_takes(values: dict[str, Any], value: str, message: str) -> None:
    access = add(**values)
    given = Decimal(value) if values["kind"] == "number" else value
    assert refuse(access, **{NAME: given}) == [message]
