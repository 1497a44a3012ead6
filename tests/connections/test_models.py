from __future__ import annotations

from typing import Any

import pytest
from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction

from connections.choices import FieldRuleKind, IntegrationKind
from connections.models import (
    Connection,
    ConnectionAuthorization,
    CrmConnectionIdentifierMapping,
    FieldRule,
    Integration,
    IntegrationRule,
)
from ctms.audit.services import create_records, save_record
from ctms.core.models import AuditedModel
from tests.factories.base import build_admin_actor
from tests.factories.connections import AuthorizationFactory, ConnectionFactory, IdentifierMappingFactory

pytestmark = [pytest.mark.django_db, pytest.mark.both_databases]


def refuse(record: AuditedModel) -> dict[str, list[str]]:
    with pytest.raises(ValidationError) as raised:
        save_record(record=record, actor=build_admin_actor())
    return raised.value.message_dict


def refuse_in_database(record: AuditedModel) -> None:
    with pytest.raises(IntegrityError), transaction.atomic():
        create_records(records=[record], actor=build_admin_actor())


@pytest.fixture
def rule() -> IntegrationRule:
    integration = ConnectionFactory.create().integrations.get(kind=IntegrationKind.STUDY_OUTBOUND)
    rule: IntegrationRule = integration.rule
    return rule


@pytest.mark.parametrize("typed", ["https://NA.my.salesforce.com", " https://na.my.salesforce.com/ "])
def test_a_url_is_stored_in_its_normal_form_so_that_one_organisation_is_connected_once(typed: str) -> None:
    assert ConnectionFactory.create(url=typed).url == "https://na.my.salesforce.com"
    connection = Connection(name="Another", slot=2, url="HTTPS://na.MY.salesforce.com")
    assert refuse(connection) == {
        "url": ["Another connection leads to this organisation; calls would be received twice."]
    }
    refuse_in_database(connection)


@pytest.mark.parametrize(
    ("name", "api_name"),
    [
        ("North America", "north_america__c"),
        ("NA (test)", "na__test__c"),
        ("1st", "c_1st__c"),
        ("日本", "c___c"),
        ("Ünited", "nited__c"),
        ("x" * 128, "x" * 60 + "__c"),
        ("1" * 128, "c_" + "1" * 58 + "__c"),
    ],
)
def test_a_connection_gets_an_api_name_that_is_one(name: str, api_name: str) -> None:
    assert ConnectionFactory.create(name=name).api_name == api_name


@pytest.mark.parametrize("values", [{"slot": 0}, {"slot": 11}, {"url": "http://na.my.salesforce.com"}, {"slot": 1}])
def test_the_database_itself_refuses_an_eleventh_slot_a_taken_one_and_plain_http(values: dict[str, Any]) -> None:
    ConnectionFactory.create()
    refuse_in_database(Connection(**{"name": "N", "slot": 2, "url": "https://n.my.salesforce.com"} | values))


def test_an_authorization_has_the_one_type_there_is() -> None:
    authorization = AuthorizationFactory.create()
    assert authorization.object_type == "basic_auth__sys"
    assert refuse(ConnectionAuthorization(name="A", username="a", object_type="oauth__v")) == {
        "object_type": ["There is no connection authorization of type oauth__v. Choose one of: Basic Auth."],
    }
    assert list(refuse(ConnectionAuthorization(name="A"))) == ["username"]


def test_a_connection_has_one_mapping_which_names_the_account_field() -> None:
    mapping = IdentifierMappingFactory.create()
    assert list(refuse(CrmConnectionIdentifierMapping(connection=mapping.connection))) == [
        "crm_account_identifier",
        "connection",
    ]


def test_an_integration_of_one_kind_is_there_once(rule: IntegrationRule) -> None:
    refuse_in_database(Integration(connection=rule.integration.connection, kind=rule.integration.kind, name="Again"))


@pytest.mark.parametrize("name", ["A__c; DROP", "A b", "1A", "A..B", "A.", "A\nB", "Ä__c", "'", ""])
@pytest.mark.parametrize("field", ["target", "source", "reference_field"])
def test_a_name_that_no_crm_has_is_refused_by_field(rule: IntegrationRule, name: str, field: str) -> None:
    values = {"target": "A__c", "source": "created_by__v", "reference_object": "A", "reference_field": "B", field: name}
    errors = refuse(FieldRule(rule=rule, kind=FieldRuleKind.REFERENCE, **values))
    expected = {("source", ""): "__all__", ("reference_field", ""): "reference_object"}
    assert list(errors) == [expected.get((field, name), field)]


@pytest.mark.parametrize(
    ("values", "errors"),
    [
        (
            {"kind": "reference", "source": "created_by__v"},
            {"reference_object": ["A reference needs the CRM object and its external id field."]},
        ),
        (
            {"kind": "person_account", "source": "person__v"},
            {"reference_object": ["Name the CRM's account object, e.g. Account."]},
        ),
        ({"kind": "picklist", "source": "status__v"}, {"picklist_map": ["Map at least one value."]}),
        (
            {"kind": "picklist", "source": "status__v", "picklist_map": ["a"]},
            {"picklist_map": ['Enter an object of values, e.g. {"phone__v": "Phone_vod"}.']},
        ),
        (
            {"kind": "copy"},
            {
                "__all__": [
                    (
                        "Source: name the field to read, unless the kind is Constant, Link to the record or Call-back "
                        "session."
                    )
                ]
            },
        ),
        (
            {"kind": "copy", "source": "name__v", "target": "Name"},
            {"__all__": ["Another field rule fills this target field."]},
        ),
        ({"kind": "guess", "source": "name__v"}, {"kind": ["Value 'guess' is not a valid choice."]}),
    ],
)
def test_a_field_rule_that_cannot_work_is_refused_with_what_to_enter(
    rule: IntegrationRule, values: dict[str, Any], errors: dict[str, list[str]]
) -> None:
    assert refuse(FieldRule(**{"rule": rule, "target": "Another__c"} | values)) == errors


@pytest.mark.parametrize(
    ("values", "name"),
    [
        ({"kind": "constant", "constant": "Vault"}, "Vault → Origin__c"),
        ({"kind": "record_link"}, "Link to the record → Origin__c"),
        ({"kind": "copy", "source": "study_name__v"}, "study_name__v → Origin__c"),
    ],
)
def test_a_field_rule_is_named_by_what_goes_where(rule: IntegrationRule, values: dict[str, Any], name: str) -> None:
    field_rule = FieldRule(rule=rule, target="Origin__c", **values)
    save_record(record=field_rule, actor=build_admin_actor())
    assert field_rule.name == name
