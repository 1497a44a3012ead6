from __future__ import annotations

from typing import Any
from unittest.mock import patch

import pytest

from activities.models import Activity
from connections.models import CrmConnectionIdentifierMapping
from ctms.accounts.models import User
from ctms.clinical.models import Person, Study, StudyCountry
from ctms.configuration import registry
from ctms.configuration.registry import (
    COMMON_FIELDS,
    InStudy,
    UnknownFieldError,
    UnknownObjectError,
    VaultObject,
    get_object,
    get_object_of_model,
    list_objects,
    read_path,
    register_object,
    resolve_path,
)
from tests.factories.activities import ActivityFactory
from tests.factories.clinical import StudySiteFactory

OBJECTS = [
    "connection__sys",
    "connection_authorization__sys",
    "crm_activity__v",
    "crm_connection_identifier_mapping__v",
    "field_rule__sys",
    "integration__sys",
    "integration_rule__sys",
    "monitoring_event__ctms",
    "monitoring_event_participant__ctms",
    "person__sys",
    "site__v",
    "study__v",
    "study_communication_log__ctms",
    "study_country__v",
    "study_person__clin",
]


def read(record: Any, path: str) -> Any:
    references, end = resolve_path(vault_object=get_object(record.object_name), path=path)
    return read_path(record=record, references=references, end=end)


def test_every_object_of_the_vault_is_registered() -> None:
    assert [each.api_name for each in list_objects() if each.api_name in OBJECTS] == sorted(OBJECTS)


@pytest.mark.parametrize("api_name", OBJECTS)
def test_every_field_of_an_object_is_found_and_can_be_read(api_name: str) -> None:
    vault_object = get_object(api_name)
    record = vault_object.model()
    for name in vault_object.list_field_names():
        field = vault_object.get_field(name)
        assert field.api_name == name
        assert field.label
        if field.reference is None:
            getattr(record, field.attribute)


@pytest.mark.parametrize("api_name", OBJECTS)
def test_every_list_column_is_a_field(api_name: str) -> None:
    vault_object = get_object(api_name)
    assert [column for column in vault_object.list_columns if column not in vault_object.list_field_names()] == []


def test_the_object_of_a_model_is_found_and_none_for_what_is_no_object() -> None:
    assert get_object_of_model(Study) is get_object("study__v")
    assert get_object_of_model(User) is None


def test_an_unknown_object_is_named_with_those_there_are() -> None:
    with pytest.raises(UnknownObjectError, match=r"^No object 'studies' is registered\. Registered: .*study__v"):
        get_object("studies")


def test_an_unknown_field_is_named_with_those_there_are() -> None:
    with pytest.raises(UnknownFieldError) as raised:
        get_object("study_country__v").get_field("land__v")
    assert str(raised.value) == (
        "study country (study_country__v) has no field 'land__v'. Its fields: uid__sys, name__v, status__v, "
        "object_type__v, external_id__v, created_date__v, created_by__v, modified_date__v, modified_by__v, "
        "study__v, country__v."
    )


@pytest.mark.parametrize("name", ["name__v", "status__v", "external_id__v", "colour__c"])
def test_a_common_field_that_the_model_lacks_is_unknown(name: str) -> None:
    vault_object = get_object(CrmConnectionIdentifierMapping.object_name)
    with pytest.raises(UnknownFieldError, match=f"has no field '{name}'"):
        resolve_path(vault_object=vault_object, path=name)


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("", "has no field ''"),
        (".", "has no field ''"),
        ("name__v.name__v", "'name__v' of site refers to no other object|'name__v' of study site refers to no other"),
        ("created_by__v.username", "'created_by__v' of study site refers to no other object"),
        ("study__v.land__v", "study \\(study__v\\) has no field 'land__v'"),
        ("study__v..name__v", "study \\(study__v\\) has no field ''"),
    ],
)
def test_a_path_that_leads_nowhere_says_at_which_step(path: str, message: str) -> None:
    with pytest.raises(UnknownFieldError, match=message):
        resolve_path(vault_object=get_object("site__v"), path=path)


@pytest.mark.django_db
def test_a_path_is_read_over_references_to_its_end() -> None:
    site = StudySiteFactory.create(custom_fields={"colour__c": "red"})
    activity = ActivityFactory.create(site=site)
    assert read(activity, "site__v.study__v.name__v") == site.study.name
    assert read(activity, "site__v.principal_investigator__v.full_name__v") == str(site.principal_investigator)
    assert read(activity, "site__v.colour__c") == "red"
    assert read(activity, "site__v.size__c") is None
    assert read(activity, "monitoring_event__v.site__v.name__v") is None
    assert read(activity, "date__v") == activity.date


@pytest.mark.parametrize(
    ("vault_object", "message"),
    [
        (
            VaultObject(model=Study, scope=InStudy(), fields={"colour__v": "colour"}),
            r"^study__v\.colour__v: Study has no 'colour'\.$",
        ),
        (
            VaultObject(model=Study, scope=InStudy(), fields={}, list_columns=("name__v", "colour__v")),
            r"^study__v: the list column 'colour__v' is none of its fields\.$",
        ),
        (
            VaultObject(model=Study, scope=InStudy(), fields={}, search_fields=("colour__v.name__v",)),
            r"^study__v: the search field 'colour__v' is none of its fields\.$",
        ),
    ],
)
def test_an_object_that_contradicts_its_model_is_refused(vault_object: VaultObject, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        register_object(vault_object)


def test_two_models_cannot_be_one_object(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(StudyCountry, "object_name", "study__v")
    with pytest.raises(ValueError, match=r"^study__v is the API name of Study already\.$"):
        register_object(VaultObject(model=StudyCountry, scope=InStudy(), fields={}))


def test_an_object_may_be_registered_again_by_its_own_app() -> None:
    with patch.dict(registry._objects), patch.dict(registry._objects_by_model):
        register_object(get_object("study__v"))
    assert get_object("study__v").model is Study


def test_references_and_picklists_are_told_from_other_fields() -> None:
    activity = get_object(Activity.object_name)
    assert activity.get_field("person__v").reference is Person
    assert activity.get_field("channel__v").kind == "picklist"
    assert activity.get_field("date__v").kind == "date"
    assert activity.get_field("date__v").reference is None


def test_the_common_fields_are_those_of_every_record() -> None:
    assert set(COMMON_FIELDS) <= set(get_object("study__v").list_field_names())
