from __future__ import annotations

import pytest
from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction

from ctms.accounts.selectors import get_system_user
from ctms.audit.models import AuditEntry
from ctms.audit.services import create_records, delete_record, save_record
from ctms.configuration.models import ApplicationSettings, CustomField, LayoutSection, ObjectType, PageLayout
from ctms.configuration.registry import list_objects
from ctms.configuration.selectors import get_application_settings, is_action_assigned, is_object_type_active
from ctms.configuration.services import (
    assign_action,
    deliver_object_types,
    set_application_settings,
    set_object_type_status,
)
from ctms.configuration.services.object_types import UnknownActionError
from ctms.core.choices import RecordStatus
from tests.factories.base import build_admin_actor

pytestmark = [pytest.mark.django_db, pytest.mark.both_databases]

AUTHORIZATION = {"object_name": "connection_authorization__sys", "object_type": "basic_auth__sys"}
MEDICAL = {"object_name": "crm_activity__v", "object_type": "medical_activity__v"}
CLINICAL = {"object_name": "crm_activity__v", "object_type": "clinical_activity__v"}
ENTER_DETAILS = "enter_connected_app_details__sys"


def test_every_registered_object_type_is_delivered_by_the_user_system() -> None:
    expected = {
        (each.api_name, t.api_name, "active__v" if t.delivered_active else "inactive__v")
        for each in list_objects()
        for t in each.object_types
    }
    assert set(ObjectType.objects.values_list("of_object", "api_name", "status")) == expected
    assert {row.created_by for row in ObjectType.objects.select_related("created_by")} == {get_system_user()}


def test_a_second_delivery_adds_nothing_and_changes_nothing() -> None:
    set_object_type_status(**MEDICAL, status=RecordStatus.ACTIVE, actor=build_admin_actor())
    before = list(ObjectType.objects.values()), AuditEntry.objects.count()
    deliver_object_types(actor=build_admin_actor())
    assert (list(ObjectType.objects.values()), AuditEntry.objects.count()) == before


def test_medical_activities_are_delivered_inactive_and_can_be_activated() -> None:
    assert [is_object_type_active(**each) for each in (CLINICAL, MEDICAL)] == [True, False]
    set_object_type_status(**MEDICAL, status=RecordStatus.ACTIVE, actor=build_admin_actor())
    assert is_object_type_active(**MEDICAL) is True


def test_an_object_type_that_no_row_speaks_of_is_as_delivered() -> None:
    for row in ObjectType.objects.filter(of_object="crm_activity__v"):
        delete_record(record=row, actor=build_admin_actor())
    assert [is_object_type_active(**each) for each in (CLINICAL, MEDICAL)] == [True, False]
    assert is_object_type_active(object_name="crm_activity__v", object_type="unknown__v") is False


def test_an_action_is_offered_once_an_admin_assigned_it() -> None:
    assert is_action_assigned(**AUTHORIZATION, action_name=ENTER_DETAILS) is False
    for _ in range(2):
        assign_action(**AUTHORIZATION, action_name=ENTER_DETAILS, actor=build_admin_actor())
    assert is_action_assigned(**AUTHORIZATION, action_name=ENTER_DETAILS) is True
    with pytest.raises(
        UnknownActionError, match=r"^Connection Authorization has no action 'dance__v'\. Its actions: ent"
    ):
        assign_action(**AUTHORIZATION, action_name="dance__v", actor=build_admin_actor())


def test_the_application_settings_are_one_row() -> None:
    assert get_application_settings().pk is None
    for field in ("npi__v", "external_id__v"):
        set_application_settings(
            clinical_person_identifier=field,
            crm_account_identifier="External_ID_vod__c",
            enable_global_crm_mapping=True,
            actor=build_admin_actor(),
        )
    assert (ApplicationSettings.objects.count(), get_application_settings().clinical_person_identifier) == (
        1,
        "external_id__v",
    )
    with pytest.raises(IntegrityError), transaction.atomic():
        create_records(records=[ApplicationSettings()], actor=build_admin_actor())
    with pytest.raises(IntegrityError), transaction.atomic():
        create_records(records=[ApplicationSettings(singleton=False)], actor=build_admin_actor())


@pytest.mark.parametrize("api_name", ["Colour__c", "colour", "colour__v", "1colour__c", "c" * 62 + "__c", "a b__c", ""])
def test_a_custom_field_has_a_name_that_the_registry_understands(api_name: str) -> None:
    field = CustomField(of_object="person__sys", api_name=api_name, label="Colour")
    with pytest.raises(ValidationError) as raised:
        save_record(record=field, actor=build_admin_actor())
    assert "api_name" in raised.value.message_dict


def test_a_related_section_without_its_object_is_refused_with_what_to_enter() -> None:
    layout = PageLayout.objects.get(of_object="study__v")
    section = LayoutSection(layout=layout, position=99, kind="related", title="Sites")
    with pytest.raises(ValidationError) as raised:
        save_record(record=section, actor=build_admin_actor())
    (message,) = raised.value.messages
    assert message == (
        "Related object: a section of related records names their object and the field that refers to this one, "
        "a section of fields names none."
    )
