"""The configuration steps of connections: their checks and their actions."""

from __future__ import annotations

import pytest

from connections.choices import GrantFlow
from connections.models import Connection, ConnectionAuthorization, CrmConnectionIdentifierMapping, FieldRule
from connections.services import enter_connected_app_details, set_password
from ctms.audit.models import AuditEntry
from ctms.audit.services import save_record
from ctms.configuration.selectors import get_application_settings
from ctms.configuration.services import set_application_settings, unassign_action
from ctms.configuration.steps import NotApplicableError, StepState, StepStatus, apply_step, get_step
from ctms.core.choices import RecordStatus
from tests.factories.base import build_admin_actor
from tests.factories.connections import AuthorizationFactory, ConnectionFactory

pytestmark = pytest.mark.django_db

LACKING = StepState(status=StepStatus.TO_DO, reason="Enter Connected App Details is not assigned to Basic Auth.")


def test_the_connected_app_action_is_assigned_once() -> None:
    step = get_step("connected_app_action")
    assert step.read_state() == LACKING
    apply_step(step=step, actor=build_admin_actor())
    assert step.read_state() == StepState(
        status=StepStatus.DONE, reason="Enter Connected App Details is assigned to Basic Auth."
    )
    written = AuditEntry.objects.count()
    apply_step(step=step, actor=build_admin_actor())
    assert AuditEntry.objects.count() == written


def test_it_is_to_do_again_when_the_action_is_taken_away() -> None:
    step = get_step("connected_app_action")
    apply_step(step=step, actor=build_admin_actor())
    unassign_action(
        object_name="connection_authorization__sys",
        object_type="basic_auth__sys",
        action_name="enter_connected_app_details__sys",
        actor=build_admin_actor(),
    )
    assert step.read_state() == LACKING


def read(key: str) -> tuple[str, str]:
    state = get_step(key).read_state()
    return str(state.status), state.reason


def test_a_connection_is_asked_for_then_its_authorization() -> None:
    assert read("connection") == ("to_do", "There is no connection. Create one: name, URL and Authorization.")
    connection = ConnectionFactory.create(name="NA", authorization=None)
    assert read("connection") == ("broken", "No Authorization is chosen for NA: its transfers fail.")
    connection.authorization = AuthorizationFactory.create()
    save_record(record=connection, actor=build_admin_actor())
    assert read("connection") == ("done", "Active: NA.")


def test_only_the_admin_knows_which_connection() -> None:
    with pytest.raises(NotApplicableError, match="only you know what to enter"):
        apply_step(step=get_step("connection"), actor=build_admin_actor())


def test_credentials_are_asked_for_by_the_names_of_their_actions() -> None:
    assert read("credentials")[0] == "to_do"
    authorization = ConnectionAuthorization(name="User", username="user@crm.example.com", grant_flow=GrantFlow.PASSWORD)
    save_record(record=authorization, actor=build_admin_actor())
    ConnectionFactory.create(name="NA", authorization=authorization)
    assert read("credentials") == (
        "to_do",
        "Not entered yet: User: Set Password and Enter Connected App Details.",
    )
    set_password(authorization=authorization, password="secret", actor=build_admin_actor())
    assert read("credentials") == ("to_do", "Not entered yet: User: Enter Connected App Details.")
    enter_connected_app_details(
        authorization=authorization,
        consumer_key="key",
        consumer_secret="secret",
        grant_flow=GrantFlow.CLIENT_CREDENTIALS,
        actor=build_admin_actor(),
    )
    assert read("credentials") == ("done", "Entered for NA.")


def test_an_inactive_authorization_is_named() -> None:
    authorization = AuthorizationFactory.create(name="Integration user", status=RecordStatus.INACTIVE)
    ConnectionFactory.create(authorization=authorization)
    state = get_step("credentials").read_state()
    assert state == StepState.broken("Inactive, so that nobody logs in with it: Integration user. Make it Active.")


def test_identifiers_are_global_or_each_connections_own() -> None:
    assert read("identifiers") == ("to_do", "No global identifier mapping is enabled.")
    connection = ConnectionFactory.create(name="NA")
    assert read("identifiers")[1].startswith("NA: neither a mapping of its own nor a global one.")
    mapping = CrmConnectionIdentifierMapping(
        connection=connection, clinical_person_identifier="npi__v", crm_account_identifier="NPI_vod__c"
    )
    save_record(record=mapping, actor=build_admin_actor())
    assert read("identifiers") == ("done", "Every active connection has a mapping of its own.")


def test_an_account_identifier_alone_is_no_mapping() -> None:
    connection = ConnectionFactory.create(name="Europe")
    mapping = CrmConnectionIdentifierMapping(connection=connection, crm_account_identifier="NPI_vod__c")
    save_record(record=mapping, actor=build_admin_actor())
    step = get_step("identifiers")
    assert step.read_state() == StepState.to_do(
        "Europe: neither a mapping of its own nor a global one. Its transfers fail."
    )
    set_application_settings(
        clinical_person_identifier="npi__v",
        crm_account_identifier="",
        enable_global_crm_mapping=True,
        actor=build_admin_actor(),
    )
    assert step.read_state().status == StepStatus.DONE


def test_recommended_identifiers_fill_what_is_missing_and_change_nothing_else() -> None:
    set_application_settings(
        clinical_person_identifier="npi__v",
        crm_account_identifier="",
        enable_global_crm_mapping=False,
        actor=build_admin_actor(),
    )
    apply_step(step=get_step("identifiers"), actor=build_admin_actor())
    settings = get_application_settings()
    assert (settings.clinical_person_identifier, settings.crm_account_identifier) == ("npi__v", "External_ID_vod__c")
    assert read("identifiers")[0] == "done"


def test_a_required_rule_that_is_inactive_is_named_and_activated() -> None:
    ConnectionFactory.create(name="NA")
    rule = FieldRule.objects.filter(is_required=True).first()
    assert rule is not None
    rule.status = RecordStatus.INACTIVE
    save_record(record=rule, actor=build_admin_actor())
    assert read("required_rules") == (
        "broken",
        f"Required and Inactive, so that the integration sends nothing: NA: {rule.name}.",
    )
    apply_step(step=get_step("required_rules"), actor=build_admin_actor())
    assert read("required_rules") == ("done", "Every required field rule is Active.")


def test_further_connections_are_optional() -> None:
    ConnectionFactory.create()
    assert get_step("more_connections").is_optional
    assert read("more_connections") == ("to_do", "1 of 10 connections. Copy to New makes another from the first.")
    ConnectionFactory.create()
    assert read("more_connections") == ("done", "2 of 10 connections.")
    assert Connection.objects.count() == 2
