"""Test connection, step by step, with the sandbox over HTTP."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from itertools import chain, repeat
from types import SimpleNamespace
from typing import Any

import pytest
from django.conf import settings

from connections.choices import FieldRuleKind, IntegrationKind
from connections.crmchecks import check_account_field
from connections.models import Connection, FieldRule
from connections.services import set_password
from crm_sync.diagnostics.connection_test import CheckState, CheckStep, check_connection
from crm_sync.models import IntegrationRun, TransferLink
from crm_sync.salesforce.describe import read_description
from ctms.audit.models import AuditEntry
from ctms.audit.services import create_records, save_record
from ctms.configuration.models import ApplicationSettings
from ctms.configuration.services import set_application_settings
from ctms.core.choices import RecordStatus
from ctms.core.models import allow_record_writes
from tests.crm_sync.scripted_server import Reply, ScriptedServer, run_scripted_server
from tests.crm_sync.world import World, enter_credentials
from tests.factories.base import build_admin_actor
from tests.factories.configuration import map_identifiers
from tests.factories.connections import move_connection

pytestmark = pytest.mark.django_db

PASSED, WARNING, FAILED, SKIPPED = CheckState.PASSED, CheckState.WARNING, CheckState.FAILED, CheckState.SKIPPED
STUDY_OUTBOUND, CALL_OUTBOUND = IntegrationKind.STUDY_OUTBOUND, IntegrationKind.CALL_OUTBOUND
CALL_INBOUND = IntegrationKind.CALL_INBOUND
WAY = ["Sign-in details", "Host name", "TLS", "Token", "Identity", "API version", "API calls", "Clock"]
INTEGRATIONS = [
    "Clinical Study Outbound Integration",
    "Clinical Site Outbound Integration",
    "CRM Call Outbound Integration",
    "CRM Call Inbound Integration",
]
PERSONS, PERMISSIONS, DESCRIPTION = "Persons and accounts", "Permissions", "Description"
NOT_UNIQUE = "{} is not unique: nothing keeps two records from having the same value."


def list_states(steps: list[CheckStep]) -> dict[str, CheckState]:
    return {step.title: step.state for step in steps}


def find_step(steps: list[CheckStep], title: str) -> CheckStep:
    return next(step for step in steps if step.title == title)


def find_rule(world: World, kind: IntegrationKind, target: str) -> FieldRule:
    return FieldRule.objects.get(
        rule__integration__connection=world.connection, rule__integration__kind=kind, target=target
    )


def save(record: Any, **values: Any) -> None:
    for name, value in values.items():
        setattr(record, name, value)
    save_record(record=record, actor=build_admin_actor())


def check(connection: Connection, **values: Any) -> list[CheckStep]:
    """Test the connection after reading it from the database again, as a request does."""
    return check_connection(connection=Connection.objects.get(pk=connection.pk), **values)


def know_no_name(*_: Any) -> Any:
    """Answer as the name service does; that of this machine may be slow, or have no network."""
    raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")


@pytest.fixture
def scripted(settings: Any) -> Iterator[ScriptedServer]:
    with run_scripted_server() as server:
        settings.CRM_SANDBOX_ORIGINS = {"na.crm.test": server.origin}
        yield server


# -- All steps pass -------------------------------------------------------------------------------
def test_a_connection_that_works_passes_every_step(world: World) -> None:
    steps = check(world.connection)
    assert list_states(steps) == dict.fromkeys([*WAY, *INTEGRATIONS, PERSONS, PERMISSIONS, DESCRIPTION], PASSED)
    told = {step.title: step.message for step in steps}
    organisation = world.crm.organisation.id[:15]
    assert told["Token"] == "na.crm.test gave a token by Username and password."
    assert told["Identity"] == f"Logged in as {world.crm.user.username} to the organisation {organisation}."
    assert "Vault_Clinical_Interaction_vod__c: read, create, edit" in told[PERMISSIONS]
    assert told["API version"] == "na.crm.test offers v60.0, which the transfer uses."
    assert told[PERSONS] == (
        "A person's External ID is compared with External_ID_vod__c of the account; "
        "the account's field is unique and case-sensitive."
    )
    assert {step.rule_pk is not None for step in steps if step.title in INTEGRATIONS} == {True}


def test_a_test_writes_nothing_on_either_side(world: World) -> None:
    entries = AuditEntry.objects.count()
    check(world.connection)
    assert AuditEntry.objects.count() == entries
    assert not TransferLink.objects.exists()
    assert {entry.method for entry in world.crm.request_log if "/services/data" in entry.path} == {"GET"}


# -- Reaching the CRM ------------------------------------------------------------------------------
def test_a_wrong_password_fails_the_log_in_and_nothing_after_it_is_done(world: World) -> None:
    assert world.connection.authorization is not None
    set_password(
        authorization=world.connection.authorization, password="canary-wrong-password", actor=build_admin_actor()
    )
    steps = check(world.connection)
    skipped = [*WAY[4:], *INTEGRATIONS, PERSONS, PERMISSIONS, DESCRIPTION]
    assert list_states(steps) == dict.fromkeys(WAY[:3], PASSED) | {"Token": FAILED} | dict.fromkeys(skipped, SKIPPED)
    step = find_step(steps, "Token")
    assert step.message == "na.crm.test refused the log-in: authentication failure."
    assert step.remedy.startswith("Check the user name and password.")
    assert {each.message for each in steps if each.state == SKIPPED} == {"Not done, because “Token” failed."}
    assert "canary" not in repr(steps)


def test_what_is_not_entered_yet_is_told_before_anything_is_sent(world: World) -> None:
    save(world.connection, authorization=None)
    [first, *rest] = check(world.connection)
    assert (first.state, first.message, first.remedy) == (
        FAILED,
        "NA has no Authorization.",
        "Choose or create one on the connection.",
    )
    assert {step.state for step in rest} == {SKIPPED}


def test_secrets_of_another_organisation_are_not_sent(world: World, second_world: World) -> None:
    authorization = world.connection.authorization
    save(world.connection, authorization=None)
    save(second_world.connection, authorization=authorization)
    before = second_world.crm.request_log.count()
    [first, *rest] = check(second_world.connection)
    assert (first.state, first.message, first.remedy) == (
        FAILED,
        f"The Authorization {authorization} of EMEA has the password of https://na.crm.test; nothing was sent.",
        "Use its action Set Password.",
    )
    assert {step.state for step in rest} == {SKIPPED}
    assert second_world.crm.request_log.count() == before


def test_a_host_that_no_name_service_knows_is_told_as_such(
    world: World, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.CRM_ALLOWED_HOST_SUFFIXES = ["invalid"]
    move_connection(world.connection, url="https://no-such-crm.invalid")
    monkeypatch.setattr(socket, "getaddrinfo", know_no_name)
    steps = check(world.connection)
    step = find_step(steps, "Host name")
    assert (step.state, step.message) == (
        FAILED,
        "no-such-crm.invalid has no address in the name service; tried once.",
    )
    assert find_step(steps, "TLS").message == "Not done, because “Host name” failed."


def test_a_host_with_an_internal_address_is_refused_before_a_socket_opens(
    world: World, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.CRM_ALLOWED_HOST_SUFFIXES = ["example.com"]
    move_connection(world.connection, url="https://crm.example.com")
    found = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("169.254.169.254", 443))]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_: found)
    step = find_step(check(world.connection), "Host name")
    assert (step.state, step.message) == (
        FAILED,
        "crm.example.com leads to the address 169.254.169.254, which is not one that a CRM may have.",
    )


def test_a_host_that_is_not_allowed_any_more_is_refused(world: World, settings: Any) -> None:
    settings.CRM_SANDBOX_ORIGINS = {}
    step = check(world.connection)[0]
    assert (step.state, step.message) == (FAILED, "na.crm.test is refused: the host is not on the allow-list.")


def test_a_port_at_which_nobody_listens_fails_the_connection(world: World, settings: Any) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        settings.CRM_SANDBOX_ORIGINS = {"na.crm.test": f"http://127.0.0.1:{taken.getsockname()[1]}"}
        step = find_step(check(world.connection), "TLS")
    assert (step.state, step.message) == (
        FAILED,
        "na.crm.test refused the connection or cannot be reached; tried once.",
    )


def test_another_organisation_than_the_records_are_in_fails_the_log_in(world: World, second_world: World) -> None:
    world.transfer()
    assert world.connection.authorization is not None
    enter_credentials(authorization=world.connection.authorization, crm=second_world.crm)
    settings.CRM_SANDBOX_ORIGINS["na.crm.test"] = second_world.crm.base_url
    step = find_step(check(world.connection), "Identity")
    assert step.state == FAILED
    assert step.message.startswith(
        f"NA leads to the CRM organisation {second_world.crm.organisation.id[:15]}, but its records are in "
    )


# -- Time -----------------------------------------------------------------------------------------
def set_clock(monkeypatch: pytest.MonkeyPatch, monotonic: Callable[[], float]) -> None:
    monkeypatch.setattr("crm_sync.crm.deadlines.time", SimpleNamespace(monotonic=monotonic))


def test_a_server_that_accepts_and_never_answers_ends_the_test_in_time(
    world: World, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The test has more time than it says, however busy the machine is: what ends the call is its own limit.
    set_clock(monkeypatch, chain([60.0], repeat(0.0)).__next__)
    with socket.create_server(("127.0.0.1", 0)) as mute:
        settings.CRM_SANDBOX_ORIGINS = {"na.crm.test": f"http://127.0.0.1:{mute.getsockname()[1]}"}
        steps = check(world.connection, seconds=2.0)
    step = find_step(steps, "TLS")
    assert (step.state, step.message) == (FAILED, "na.crm.test did not answer within 1.6 seconds; tried once.")
    assert {each.state for each in steps[3:]} == {SKIPPED}


def test_a_crm_that_answers_too_slowly_leaves_the_rest_undone_for_want_of_time(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.crm.misbehaviour.add_rule(match={"path": "/describe"}, effect={"delay_ms": 700})
    # The time is over once the first object is described.
    set_clock(monkeypatch, lambda: 3600.0 if world.crm.request_log.count(path_contains="/describe") else 0.0)
    steps = check(world.connection)
    failed = [step for step in steps if step.state == FAILED]
    assert [step.message for step in failed] == [
        "na.crm.test had not answered when the 14 seconds of the test were over."
    ]
    late = steps[steps.index(failed[0]) + 1 :]
    assert {step.message for step in late} == {"Not done: no time left."}


def test_an_answer_that_trickles_does_not_hold_the_page(
    world: World, scripted: ScriptedServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The look-up of the host has a minute more, however busy the machine is; the call after it has half a second.
    set_clock(monkeypatch, chain([0.0, -60.0], repeat(0.0)).__next__)
    over, answered = threading.Event(), threading.Event()

    def answer(_request: Any) -> Reply:
        over.wait(60)
        answered.set()
        return Reply([])

    scripted.answer = answer
    steps = check(world.connection, seconds=0.5)
    assert not answered.is_set()
    over.set()
    assert find_step(steps, "TLS").state == FAILED


# -- API calls and version ------------------------------------------------------------------------
def test_a_used_up_quota_fails(world: World) -> None:
    world.crm.misbehaviour.api_limit = 1
    check(world.connection)
    steps = check(world.connection)
    step = find_step(steps, "API calls")
    assert step.state == FAILED
    assert step.message == "na.crm.test has used 1 of 1 API calls, and this connection stops at 90%."
    assert find_step(steps, INTEGRATIONS[0]).message == "Not done, because “API calls” failed."


def test_a_quota_that_does_not_last_for_another_transfer_warns(world: World) -> None:
    world.transfer()
    IntegrationRun.objects.update(api_calls=25)  # as a transfer of many records would have taken
    world.crm.misbehaviour.api_limit = world.crm.organisation.usage.used + 90
    step = find_step(check(world.connection), "API calls")
    assert step.state == WARNING
    assert step.message.endswith("79 calls from now. The last transfer took 100.")


def test_a_crm_user_who_may_not_read_the_limits_is_told_by_the_answers_head(world: World) -> None:
    world.crm.misbehaviour.add_rule(
        match={"path": "/limits"}, effect={"status": 403, "error_code": "INSUFFICIENT_ACCESS"}
    )
    assert find_step(check(world.connection), "API calls").state == PASSED


@pytest.mark.parametrize(("skew", "side"), [(-600, "ahead of"), (600, "behind")])
def test_a_clock_that_is_not_the_crms_warns_with_the_remedy(world: World, skew: int, side: str) -> None:
    assert find_step(check(world.connection), "Clock").message == "na.crm.test shows the time of the Vault."
    world.misbehave(settings={"clock_skew_seconds": skew})
    steps = check(world.connection)
    step = find_step(steps, "Clock")
    assert step.state == WARNING
    assert f" seconds {side} the CRM's." in step.message
    assert "time server" in step.remedy
    assert {step.state for step in steps} == {PASSED, WARNING}


def test_a_version_that_the_crm_does_not_offer_fails_before_any_call_that_names_it(world: World, settings: Any) -> None:
    settings.CRM_API_VERSION = "v99.0"
    world.crm.misbehaviour.add_rule(
        match={"path": "/limits"}, effect={"status": 410, "error_code": "UNSUPPORTED_API_VERSION"}
    )
    steps = check(world.connection)
    step = find_step(steps, "API version")
    assert find_step(steps, "API calls").message == "Not done, because “API version” failed."
    assert step.state == FAILED
    assert step.message.startswith("na.crm.test does not offer the version v99.0 of its API; it offers v")


# -- Objects and fields ---------------------------------------------------------------------------
def test_a_field_that_the_crm_does_not_have_fails_its_integration_and_no_other(world: World) -> None:
    save(find_rule(world, STUDY_OUTBOUND, "Phase_vod__c"), target="Phase_old__c")
    steps = check(world.connection)
    expected = dict.fromkeys([*WAY, *INTEGRATIONS, PERSONS, PERMISSIONS, DESCRIPTION], PASSED) | {
        INTEGRATIONS[0]: FAILED
    }
    assert list_states(steps) == expected
    [finding] = find_step(steps, INTEGRATIONS[0]).findings
    assert finding.message == (
        "Clinical_Study_vod__c has no field Phase_old__c, which the field rule “study_phase__v → Phase_old__c” names, "
        "or the CRM user may not see it."
    )
    assert finding.remedy == "Correct the name in the rule, or let the CRM user see it."


def test_a_rule_that_is_switched_off_is_not_checked(world: World) -> None:
    save(find_rule(world, STUDY_OUTBOUND, "Phase_vod__c"), target="Phase_old__c", status=RecordStatus.INACTIVE)
    assert find_step(check(world.connection), INTEGRATIONS[0]).state == PASSED


def test_a_field_behind_a_reference_is_looked_up_in_the_object_referred_to(world: World) -> None:
    rule = find_rule(world, IntegrationKind.CALL_INBOUND, "from__v")
    save(rule, source="Account_vod__r")
    findings = find_step(check(world.connection), INTEGRATIONS[3]).findings
    assert [finding.message.partition(",")[0] for finding in findings] == [
        "Call2_vod__c has no field Account_vod__r.Email"
    ]


def test_an_object_that_the_crm_does_not_have_fails(world: World) -> None:
    save(world.connection.integrations.get(kind=STUDY_OUTBOUND).rule, crm_object="Trial__c")
    [finding] = find_step(check(world.connection), INTEGRATIONS[0]).findings
    assert finding.message == "The CRM has no object Trial__c, or the CRM user may not see it."


def test_a_field_that_may_not_be_written_and_a_value_that_is_not_offered_are_found(world: World) -> None:
    save(find_rule(world, STUDY_OUTBOUND, "Phase_vod__c"), target="CreatedDate")
    rule = find_rule(world, STUDY_OUTBOUND, "Status_vod__c")
    save(rule, picklist_map={"active__v": "Active", "inactive__v": "Asleep"})
    findings = find_step(check(world.connection), INTEGRATIONS[0]).findings
    assert [(finding.message.partition(",")[0], finding.is_warning) for finding in findings] == [
        ("CreatedDate of Clinical_Study_vod__c", False),
        ("Status_vod__c of Clinical_Study_vod__c", True),
    ]
    assert "does not offer “Asleep”" in findings[1].message


def test_a_required_field_that_no_rule_fills_is_found(world: World) -> None:
    rule = find_rule(world, STUDY_OUTBOUND, "Name")
    save(rule, target="Study_Number__c")
    messages = [finding.message for finding in find_step(check(world.connection), INTEGRATIONS[0]).findings]
    assert messages[-1] == "Clinical_Study_vod__c needs a value in Name, which no active field rule fills."


def test_an_external_id_that_is_not_unique_or_none_at_all_fails(world: World) -> None:
    save(find_rule(world, STUDY_OUTBOUND, "Study_Name_vod__c"), status=RecordStatus.INACTIVE)
    save(world.connection.integrations.get(kind=STUDY_OUTBOUND).rule, crm_external_id_field="Study_Name_vod__c")
    messages = [finding.message for finding in find_step(check(world.connection), INTEGRATIONS[0]).findings]
    assert messages == [
        "Study_Name_vod__c of Clinical_Study_vod__c is no external id, so records cannot be sent by it.",
        NOT_UNIQUE.format("Study_Name_vod__c of Clinical_Study_vod__c"),
    ]


def test_an_account_identifier_that_is_not_unique_fails(world: World) -> None:
    map_identifiers(person_field="npi__v", account_field="NPI_vod__c")
    steps = check(world.connection)
    step = find_step(steps, PERSONS)
    assert (step.state, step.message) == (FAILED, "A person's NPI is compared with NPI_vod__c of the account.")
    assert [finding.message for finding in step.findings] == [NOT_UNIQUE.format("NPI_vod__c of Account")]
    assert list_states(steps)[INTEGRATIONS[3]] == PASSED


@pytest.mark.parametrize(
    ("field", "kind"), [("IsPersonAccount", "boolean"), ("CreatedDate", "datetime"), ("MasterRecordId", "reference")]
)
def test_an_account_identifier_of_a_type_that_cannot_be_one_fails(world: World, field: str, kind: str) -> None:
    map_identifiers(account_field=field)
    step = find_step(check(world.connection), PERSONS)
    assert step.state == FAILED
    assert [(finding.message, finding.remedy) for finding in step.findings] == [
        (
            f"{field} of Account is of the type {kind}, which cannot identify an account.",
            "Choose a unique text field, or a number, as CRM Account Identifier.",
        )
    ]


@pytest.mark.parametrize(
    "kind", ["date", "textarea", "multipicklist", "picklist", "encryptedstring", "address", "location"]
)
def test_no_type_but_one_text_or_a_number_identifies_an_account(kind: str) -> None:
    field = {"name": "Odd__c", "type": kind, "unique": True, "caseSensitive": True, "filterable": True}
    described = read_description({"name": "Account", "fields": [field]})
    (finding,) = check_account_field(account_object="Account", field_name="Odd__c", describe=lambda _name: described)
    assert finding.message == f"Odd__c of Account is of the type {kind}, which cannot identify an account."


def test_a_number_identifies_accounts_with_a_warning(world: World) -> None:
    map_identifiers(account_field="Customer_Number__c")
    step = find_step(check(world.connection), PERSONS)
    assert (step.state, [finding.message for finding in step.findings]) == (
        WARNING,
        ["Customer_Number__c of Account is a number, so it has no leading zeros and no other characters than digits."],
    )


def test_a_stored_person_identifier_that_cannot_be_one_fails_before_anything_is_sent(world: World) -> None:
    map_identifiers()
    # As an older program may have left it; it is refused today.
    with allow_record_writes():
        ApplicationSettings.objects.update(clinical_person_identifier="status__v")
    step = find_step(check(world.connection), INTEGRATIONS[2])
    assert step.state == FAILED
    assert step.message == (
        "The Clinical Person Identifier cannot identify persons: Status (status__v) is no text field of Person that "
        "can be searched. Choose another field."
    )


def test_without_an_identifier_mapping_the_last_step_says_what_to_enter(world: World) -> None:
    set_application_settings(
        clinical_person_identifier="",
        crm_account_identifier="",
        enable_global_crm_mapping=False,
        actor=build_admin_actor(),
    )
    step = find_step(check(world.connection), PERSONS)
    assert step.state == FAILED
    assert step.message.startswith("NA has no Clinical Person Identifier and no CRM Account Identifier")


def test_rules_that_cannot_be_followed_fail_without_a_call(world: World) -> None:
    save(find_rule(world, STUDY_OUTBOUND, "Name"), status=RecordStatus.INACTIVE)
    step = find_step(check(world.connection), INTEGRATIONS[0])
    assert step.state == FAILED
    assert step.message.endswith("is required but inactive, so nothing was transferred.")


def test_a_rule_that_fills_the_external_id_fails_the_test_though_it_was_stored_once(world: World) -> None:
    rule = world.connection.integrations.get(kind=STUDY_OUTBOUND).rule
    odd = FieldRule(rule=rule, source="name__v", target="vault_external_id_VOD__c", position=9)
    create_records(records=[odd], actor=build_admin_actor())
    step = find_step(check(world.connection), INTEGRATIONS[0])
    assert step.state == FAILED
    assert "The transfer finds its records by vault_external_id_VOD__c" in step.message


@pytest.mark.parametrize(
    ("kind", "source", "target", "told"),
    [
        (CALL_OUTBOUND, "complete__v", "Subject_vod__c", "type string, which cannot take"),
        (CALL_OUTBOUND, "notes__v", "Interaction_Date_vod__c", "type date, which cannot take"),
        (CALL_OUTBOUND, "created_date__v", "Interaction_Date_vod__c", "sends: Date and time."),
        (CALL_INBOUND, "Send_to_Vault_Clinical_vod__c", "date__v", "type boolean, which Date (date__v) cannot take"),
        (CALL_INBOUND, "Name", "complete__v", "type string, which Complete (complete__v) cannot take"),
        (CALL_INBOUND, "Call_Datetime_vod__c", "date__v", "type datetime, which Date (date__v) cannot take"),
    ],
)
def test_types_that_cannot_be_converted_are_found(
    world: World, kind: IntegrationKind, source: str, target: str, told: str
) -> None:
    save(find_rule(world, kind, target), kind=FieldRuleKind.COPY, source=source)
    findings = [finding.message for step in check(world.connection) for finding in step.findings]
    assert [told in finding for finding in findings] == [True], findings


def test_a_description_of_an_unexpected_form_is_no_crash(world: World, scripted: ScriptedServer) -> None:
    def answer(request: Any) -> Reply:
        if request.path.endswith("/describe"):
            return Reply({"name": "X", "fields": [{"length": "long"}]})
        if request.path.endswith("/limits"):
            return Reply({"DailyApiRequests": {"Max": 100, "Remaining": 90}})
        return Reply([{"label": "Now", "url": "/services/data/v60.0", "version": "60.0"}])

    scripted.answer = answer
    step = find_step(check(world.connection), INTEGRATIONS[0])
    assert (step.state, step.message) == (
        FAILED,
        "na.crm.test described Clinical_Study_vod__c in an unexpected form.",
    )
