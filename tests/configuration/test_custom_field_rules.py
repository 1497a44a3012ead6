"""What admins decide about a custom field, at the doors through which records are written."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction

from ctms.audit.models import AuditEntry
from ctms.audit.services import RecordInUseError, create_records, delete_record, save_record, update_records
from ctms.clinical.models import Person
from ctms.configuration.field_paths import names_field
from ctms.configuration.fields import ObjectField
from ctms.configuration.models import CustomField, LayoutSection, ReasonRule, UniqueValue
from ctms.configuration.selectors import find_layout, read_sections
from ctms.configuration.services import (
    create_custom_field,
    delete_custom_field,
    move_choice,
    set_application_settings,
    update_custom_field,
)
from ctms.configuration.snapshot import load_configuration
from ctms.configuration.unique_values import keep_values
from ctms.configuration.uses import list_uses
from ctms.core.choices import RecordStatus
from ctms.core.errors import VaultError
from ctms.records.models import SavedView
from tests.factories.base import build_admin_actor
from tests.factories.clinical import PersonFactory

pytestmark = [pytest.mark.django_db, pytest.mark.both_databases]
NAME = "badge__c"


def add(*, default: str | None = None, add_to_layouts: bool = False, **values: Any) -> CustomField:
    field = CustomField(**{"of_object": "person__sys", "label": "Badge", "api_name": NAME, **values})
    create_custom_field(field=field, actor=build_admin_actor(), default=default, add_to_layouts=add_to_layouts)
    return field


def change(field: CustomField, default: str | None = None, **values: Any) -> None:
    for name, value in values.items():
        setattr(field, name, value)
    update_custom_field(field=field, actor=build_admin_actor(), default=default)


def refuse(field: CustomField, **values: Any) -> dict[str, list[str]]:
    with pytest.raises(ValidationError) as refused:
        change(CustomField.objects.get(pk=field.pk), **values)
    messages: dict[str, list[str]] = refused.value.message_dict
    return messages


def get_field() -> ObjectField:
    return load_configuration().get("person__sys").get_field(NAME)


def make(value: Any) -> Person:
    person: Person = PersonFactory.create(custom_fields={NAME: value})
    return person


# -- Properties of kinds -------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("values", "named"),
    [
        ({"kind": "date", "max_length": 5}, "max_length"),
        ({"kind": "text", "decimals": 2}, "decimals"),
        ({"kind": "text", "least": Decimal(1)}, "least"),
        ({"kind": "text", "reference_object": "study__v"}, "reference_object"),
        ({"kind": "reference", "reference_object": "planet__v"}, "reference_object"),
        ({"kind": "yes_no", "is_required": True}, "is_required"),
        ({"kind": "long_text", "is_unique": True}, "is_unique"),
        ({"kind": "text", "max_length": 256}, "max_length"),
        ({"kind": "url", "is_unique": True}, "max_length"),
        ({"kind": "number", "least": Decimal(3), "greatest": Decimal(2)}, "greatest"),
        ({"kind": "number", "decimals": 7}, "decimals"),
    ],
)
def test_a_property_that_the_kind_does_not_have_is_refused(values: dict[str, Any], named: str) -> None:
    with pytest.raises(ValidationError) as refused:
        add(**values)
    assert list(refused.value.message_dict) == [named]


def test_a_required_field_is_required_on_every_type_that_has_it() -> None:
    add(is_required=True)
    shape = load_configuration().get("person__sys")
    assert get_field().is_required
    assert all(NAME in each.required for each in shape.types.values())


def test_a_reference_is_to_the_object_that_was_chosen() -> None:
    add(kind="reference", reference_object="study__v")
    assert get_field().reference is load_configuration().get("study__v").vault_object.model


@pytest.mark.parametrize(
    ("kind", "values", "typed", "stored"),
    [
        ("text", {}, "B-1", "B-1"),
        ("number", {"decimals": 2}, "1.50", 1.5),
        ("date", {}, "2026-03-31", "2026-03-31"),
        ("yes_no", {}, "yes", True),
        ("picklist", {"picklist_values": ["Red", "Blue"]}, "blue", "Blue"),
        ("multi_select", {"picklist_values": ["Red", "Blue"]}, "blue; red", "Red;Blue"),
        ("currency", {}, "12.50 EUR", {"amount": "12.50", "currency": "EUR"}),
        ("text", {}, " ", None),
    ],
)
def test_a_default_is_typed_as_in_a_form(kind: str, values: dict[str, Any], typed: str, stored: Any) -> None:
    field = add(kind=kind, default=typed, **values)
    assert CustomField.objects.get(pk=field.pk).default_value == stored


def test_a_default_that_the_field_does_not_take_is_refused() -> None:
    with pytest.raises(ValidationError) as refused:
        add(kind="number", default="many")
    assert list(refused.value.message_dict) == ["default_value"]
    field = add(kind="picklist", picklist_values=["Red", "Blue"], default="Red")
    retired = [{"api_name": name, "label": name, "is_active": name == "Blue"} for name in ("Red", "Blue")]
    assert refuse(field, picklist_values=retired) == {"default_value": ["The default is retired. Choose another."]}


@pytest.mark.parametrize(
    ("kind", "value", "values", "named"),
    [
        ("text", "abcdef", {"max_length": 5}, "max_length"),
        ("number", 1.25, {"decimals": 1}, "decimals"),
        ("number", 3, {"least": Decimal(4)}, "least"),
        ("number", 3, {"greatest": Decimal(2)}, "greatest"),
    ],
)
def test_what_values_of_records_do_not_fit_is_refused(
    kind: str, value: Any, values: dict[str, Any], named: str
) -> None:
    field = add(kind=kind)
    person = make(value)
    assert list(refuse(field, **values)) == [named]
    delete_record(record=person, actor=build_admin_actor())
    change(field, **values)


# -- Picklist values -----------------------------------------------------------------------------------------------
def add_colours() -> CustomField:
    return add(kind="picklist", picklist_values=["Red", "Blue"])


def test_a_new_label_is_shown_in_all_records_which_keep_the_value() -> None:
    field = add_colours()
    person = make("Red")
    change(field, picklist_values=[{"api_name": "Red", "label": "Crimson", "is_active": True}, "Blue"])
    person.refresh_from_db()
    assert (person.custom_fields, get_field().choice_labels["Red"], person.version) == ({NAME: "Red"}, "Crimson", 1)


def test_a_value_that_records_have_is_retired_and_not_removed() -> None:
    field = add_colours()
    make("Red")
    assert refuse(field, picklist_values=["Blue"]) == {
        "picklist_values": [
            "Red is in 1 record. Retire a value that records have, or let its records get another one first."
        ]
    }
    change(field, picklist_values=["Red"])  # nobody has Blue
    change(field, picklist_values=[{"api_name": "Red", "label": "Red", "is_active": False}, "Green"])
    assert (get_field().offered, get_field().choice_labels["Red"]) == ([("Green", "Green")], "Red")


@pytest.mark.parametrize(
    ("kind", "before", "after"), [("picklist", "Red", "Blue"), ("multi_select", "Red;Blue", "Blue")]
)
def test_records_get_another_value_with_version_and_audit_trail(kind: str, before: str, after: str) -> None:
    field = add(kind=kind, picklist_values=["Red", "Blue"])
    person, other = make(before), make("Blue")
    assert move_choice(field=field, old="Red", new="Blue", actor=build_admin_actor(), reason="Red is gone") == 1
    person.refresh_from_db()
    other.refresh_from_db()
    assert (person.custom_fields, person.version, other.version) == ({NAME: after}, 2, 1)
    entry = AuditEntry.objects.filter(record_uid=person.uid).order_by("-pk")[0]
    assert (entry.changes["custom_fields"][1], entry.reason) == ({NAME: after}, "Red is gone")
    change(field, picklist_values=["Blue"])


@pytest.mark.parametrize(("old", "new"), [("Red", "Red"), ("Red", "Green"), ("Green", "Red")])
def test_records_get_no_value_that_is_not_there(old: str, new: str) -> None:
    with pytest.raises(ValidationError):
        move_choice(field=add_colours(), old=old, new=new, actor=build_admin_actor())


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (["Red", "red"], "“red” is there already, as “Red”. Choose another label."),
        ([{"api_name": "a", "label": " ", "is_active": True}], "Every value needs a label."),
        ([{"api_name": "a", "label": "A", "is_active": False}], "Every value is retired."),
    ],
)
def test_values_that_cannot_be_are_refused(values: list[Any], message: str) -> None:
    assert refuse(add_colours(), picklist_values=values)["picklist_values"][0].startswith(message)


# -- Unique values -------------------------------------------------------------------------------------------------
TAKEN = {NAME: ["Another person has this Badge; only one may. Enter another value."]}


def test_no_two_records_get_the_same_value_whichever_way_they_are_written() -> None:
    add(is_unique=True)
    first, second = make("B-1"), make("B-2")
    with pytest.raises(ValidationError) as refused:
        make("B-1")
    assert refused.value.message_dict == TAKEN
    second.custom_fields = {NAME: "B-1"}
    for write in (
        lambda: save_record(record=second, actor=build_admin_actor()),
        lambda: update_records(records=[second], actor=build_admin_actor()),
    ):
        with pytest.raises(ValidationError) as refused:
            write()
        assert refused.value.message_dict == TAKEN
    new = [PersonFactory.build(custom_fields={NAME: "B-9"}) for _ in range(2)]
    with pytest.raises(ValidationError):
        create_records(records=new, actor=build_admin_actor())
    first.custom_fields = {}
    save_record(record=first, actor=build_admin_actor())
    save_record(record=second, actor=build_admin_actor())
    delete_record(record=second, actor=build_admin_actor())
    assert not UniqueValue.objects.exists()
    make("B-1")


def test_two_records_swap_their_values_in_one_write() -> None:
    add(is_unique=True)
    first, second = make("B-1"), make("B-2")
    first.custom_fields, second.custom_fields = {NAME: "B-2"}, {NAME: "B-1"}
    update_records(records=[first, second], actor=build_admin_actor())
    assert set(UniqueValue.objects.values_list("value", "record_uid")) == {("B-2", first.uid), ("B-1", second.uid)}


def test_a_race_that_nobody_looked_at_is_refused_by_the_database() -> None:
    add(is_unique=True)
    make("B-1")
    other = make("B-2")
    with pytest.raises(IntegrityError), transaction.atomic():
        keep_values([(other, {"custom_fields": [{NAME: "B-2"}, {NAME: "B-1"}]})])


def test_a_field_becomes_unique_when_its_values_are() -> None:
    field = add()
    first, second = make("B-1"), make("B-1")
    [message] = refuse(field, is_unique=True)["is_unique"]
    assert message == f"Several records have the same value: B-1 ({first}, {second}). Correct them."
    assert not CustomField.objects.get().is_unique
    delete_record(record=second, actor=build_admin_actor())
    change(field, is_unique=True)
    with pytest.raises(ValidationError):
        make("B-1")
    change(field, is_unique=False)
    make("B-1")


# -- Deactivating and deleting -------------------------------------------------------------------------------------
def test_a_field_is_deleted_only_if_no_record_has_a_value() -> None:
    field = add(add_to_layouts=True)
    save_record(record=ReasonRule(of_object="person__sys", field_name=NAME), actor=build_admin_actor())
    person = make("B-1")
    with pytest.raises(RecordInUseError, match=r"Badge cannot be deleted: 1 record has a value in it\. Make it inact"):
        delete_custom_field(field=field, actor=build_admin_actor())
    delete_record(record=person, actor=build_admin_actor())
    delete_custom_field(field=field, actor=build_admin_actor())
    layout = find_layout(object_name="person__sys")
    assert layout is not None
    assert NAME not in str(read_sections(layout))
    assert not any(NAME in section.items for section in LayoutSection.objects.all())
    assert (CustomField.objects.count(), ReasonRule.objects.count()) == (0, 0)


def test_where_a_field_is_used_is_named() -> None:
    add(add_to_layouts=True)
    save_record(record=ReasonRule(of_object="person__sys", field_name=NAME), actor=build_admin_actor())
    uses = list_uses(object_name="person__sys", field=get_field())
    assert {each.place for each in uses} == {"Page layout", "Reason for change"}
    assert all(each.url and not each.keeps_field for each in uses)


def test_an_inactive_field_stays_unique() -> None:
    field = add(is_unique=True)
    make("B-1")
    change(field, status=RecordStatus.INACTIVE)
    with pytest.raises((ValidationError, VaultError)):
        make("B-1")


@pytest.mark.parametrize(
    ("texts", "start", "is_found"),
    [
        (["badge__c=B-1"], "person__sys", True),
        (["badge__c__contains=B"], "person__sys", True),
        (["sort=-badge__c"], "person__sys", True),
        (["any.1.badge__c=B"], "person__sys", True),
        (["person__v.badge__c=B"], "crm_activity__v", True),
        (["badge__c=B-1"], "crm_activity__v", False),
        (["big_badge__c=B-1", "badge__custom=1"], "person__sys", False),
        (["study__v.badge__c=B"], "crm_activity__v", False),
    ],
)
def test_a_field_is_found_in_what_is_stored_of_it(texts: list[str], start: str, *, is_found: bool) -> None:
    assert names_field(texts=texts, start=start, object_name="person__sys", api_name=NAME) is is_found


def test_views_rules_and_identifiers_that_name_a_field_are_told() -> None:
    field = add()
    set_application_settings(
        enable_global_crm_mapping=False,
        clinical_person_identifier=NAME,
        crm_account_identifier="Badge__c",
        actor=build_admin_actor(),
    )
    user = build_admin_actor().user
    SavedView.objects.create(user=user, of_object="person__sys", name="Badges", columns=["name__v", NAME])
    SavedView.objects.create(user=user, of_object="study__v", name="Studies", parameters=f"{NAME}=1")
    uses = list_uses(object_name="person__sys", field=get_field())
    assert [(each.place, each.keeps_field) for each in uses] == [("Application Settings", True), ("Saved view", False)]
    with pytest.raises(RecordInUseError, match="used by Application Settings Clinical Person Identifier"):
        delete_custom_field(field=field, actor=build_admin_actor())


def test_a_label_cannot_be_the_api_name_of_another_value() -> None:
    # A cell or a form that says “red” could mean either.
    field = add(kind="picklist", picklist_values=["red", "blue"])
    renamed = [{"api_name": "red", "label": "Crimson"}, {"api_name": "blue", "label": "blue"}]
    change(field, picklist_values=renamed)
    [message] = refuse(field, picklist_values=[*renamed, {"api_name": "red__c", "label": "Red"}])["picklist_values"]
    assert message == "“Red” is the API name of the value “Crimson”. Choose another label."
