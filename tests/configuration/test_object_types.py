"""What admins decide about object types: their fields, which of these are required, and the actions offered."""

from __future__ import annotations

import pytest
from django.core.exceptions import ValidationError

from ctms.audit.models import AuditEntry
from ctms.configuration.models import CustomField, ObjectType, ObjectTypeAction, ObjectTypeField
from ctms.configuration.registry import UnknownFieldError
from ctms.configuration.selectors import UnknownObjectTypeError, is_action_assigned
from ctms.configuration.services import (
    FieldDecision,
    assign_action,
    assign_fields,
    create_custom_field,
    decide_fields,
    take_off_fields,
    unassign_action,
)
from ctms.configuration.snapshot import TypeShape, load_configuration
from tests.factories.base import build_admin_actor

pytestmark = [pytest.mark.django_db, pytest.mark.both_databases]

CLINICAL = {"object_name": "crm_activity__v", "object_type": "clinical_activity__v"}
BASIC_AUTH = {"object_name": "connection_authorization__sys", "object_type": "basic_auth__sys"}
ENTER_DETAILS = "enter_connected_app_details__sys"


def read_type() -> TypeShape:
    return load_configuration().get("crm_activity__v").get_type("clinical_activity__v")


def decide(**decisions: FieldDecision) -> None:
    decide_fields(
        object_type=ObjectType.objects.get(api_name="clinical_activity__v"),
        decisions=decisions,
        actor=build_admin_actor(),
    )


def list_refusals(**decisions: FieldDecision) -> list[str]:
    with pytest.raises(ValidationError) as refused:
        decide(**decisions)
    messages: list[str] = refused.value.messages
    return messages


def test_a_field_is_assigned_and_taken_off_again() -> None:
    assert "monitoring_event__v" not in read_type().fields
    assign_fields(**CLINICAL, field_names=["monitoring_event__v"], actor=build_admin_actor())
    assert "monitoring_event__v" in read_type().fields
    take_off_fields(**CLINICAL, field_names=["monitoring_event__v"], actor=build_admin_actor())
    assert "monitoring_event__v" not in read_type().fields
    row = ObjectTypeField.objects.get()
    assert (row.field_name, row.is_assigned, row.version) == ("monitoring_event__v", False, 2)


def test_a_decision_on_one_type_leaves_the_others() -> None:
    take_off_fields(**CLINICAL, field_names=["notes__v"], actor=build_admin_actor())
    shape = load_configuration().get("crm_activity__v")
    assert [name for name, each in shape.types.items() if "notes__v" in each.fields] == ["medical_activity__v"]


def test_what_is_so_already_is_not_written() -> None:
    actor = build_admin_actor()
    before = AuditEntry.objects.count()
    assign_fields(**CLINICAL, field_names=["notes__v"], actor=actor)
    take_off_fields(**CLINICAL, field_names=["monitoring_event__v"], actor=actor)
    assert (ObjectTypeField.objects.count(), AuditEntry.objects.count()) == (0, before)


def test_a_field_is_required_until_it_is_not() -> None:
    decide(subject__v=FieldDecision(is_assigned=True, is_required=True))
    assert read_type().required == frozenset({"subject__v"})
    decide(subject__v=FieldDecision(is_assigned=True))
    assert read_type().required == frozenset()


def test_taking_a_field_off_ends_that_it_is_required() -> None:
    decide(subject__v=FieldDecision(is_assigned=True, is_required=True))
    take_off_fields(**CLINICAL, field_names=["subject__v"], actor=build_admin_actor())
    assert (read_type().required, "subject__v" in read_type().fields) == (frozenset(), False)


def test_a_custom_field_is_on_every_type_until_it_is_taken_off() -> None:
    create_custom_field(field=CustomField(of_object="crm_activity__v", label="Mood"), actor=build_admin_actor())
    assert "mood__c" in read_type().fields
    take_off_fields(**CLINICAL, field_names=["mood__c"], actor=build_admin_actor())
    assert "mood__c" not in read_type().fields


def test_what_cannot_be_is_refused_field_by_field_and_nothing_is_written() -> None:
    off, required = FieldDecision(is_assigned=False), FieldDecision(is_assigned=True, is_required=True)
    assert list_refusals(
        person__v=off,
        status__v=off,
        subject__v=FieldDecision(is_assigned=False, is_required=True),
        complete__v=required,
        from__v=required,
        notes__v=off,
    ) == [
        "Person (person__v) stays on every object type: no Activity is without it.",
        "Status (status__v) stays on every object type: no Activity is without it.",
        "Subject (subject__v) is required but not assigned: assign it, or require it no more.",
        "Complete (complete__v) cannot be required: it always has a value.",
        "From (from__v) cannot be required: the Vault fills it, not its users.",
    ]
    assert ObjectTypeField.objects.count() == 0


def test_an_unknown_field_or_type_is_named() -> None:
    with pytest.raises(UnknownFieldError, match=r"^Activity has no field 'colour__v'\."):
        decide(colour__v=FieldDecision(is_assigned=True))
    with pytest.raises(UnknownObjectTypeError, match=r"Its types: clinical_activity__v, medical_activity__v\.$"):
        assign_fields(object_name="crm_activity__v", object_type="dream__v", field_names=[], actor=build_admin_actor())
    with pytest.raises(UnknownObjectTypeError, match=r"^study__v has no object type 'dream__v'\. Its types: none\.$"):
        assign_fields(object_name="study__v", object_type="dream__v", field_names=[], actor=build_admin_actor())


def test_an_action_is_offered_no_more_when_it_is_unassigned() -> None:
    assign_action(**BASIC_AUTH, action_name=ENTER_DETAILS, actor=build_admin_actor())
    for _ in range(2):
        unassign_action(**BASIC_AUTH, action_name=ENTER_DETAILS, actor=build_admin_actor())
    assert is_action_assigned(**BASIC_AUTH, action_name=ENTER_DETAILS) is False
    assert ObjectTypeAction.objects.count() == 0
