"""*Check Identifiers*: counts in the Vault, mappings, and look-ups in the CRMs."""

from __future__ import annotations

import socket
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from connections.models import CrmConnectionIdentifierMapping
from crm_sync.diagnostics.connection_test import CheckState
from crm_sync.diagnostics.identifier_lookup import look_up_samples
from crm_sync.diagnostics.identifier_stats import list_fields, list_mappings, measure_identifier
from crm_sync.models import AccountMatch
from ctms.audit.models import AuditEntry
from ctms.audit.services import save_record
from ctms.clinical.models import Person
from ctms.configuration.models import CustomField
from ctms.configuration.services import set_application_settings
from tests.admin_forms import log_in_admin
from tests.crm_sync.world import World
from tests.factories.accounts import SecurityProfileFactory, UserFactory
from tests.factories.base import build_admin_actor
from tests.factories.clinical import PersonFactory
from tests.factories.configuration import map_identifiers
from tests.factories.connections import ConnectionFactory

pytestmark = [pytest.mark.django_db, pytest.mark.both_databases]


def get_url() -> str:
    return reverse("admin:identifier_check")


def measure() -> Any:
    [field] = list_fields(list_mappings())
    return measure_identifier(field=field, visible=Person.objects.all())


def create_persons(*external_ids: str) -> list[Person]:
    return [PersonFactory.create(external_id=external_id) for external_id in external_ids]


def create_numbered(*npis: str) -> list[Person]:
    """Create persons with these NPIs, which need not be unique."""
    return [PersonFactory.create(npi=npi) for npi in npis]


def list_values(examples: list[list[Person]]) -> list[list[str]]:
    return [[getattr(person, "identifier", "") for person in group] for group in examples]


def save_mapping(world: World, **values: str) -> None:
    mapping = CrmConnectionIdentifierMapping(connection=world.connection, **values)
    save_record(record=mapping, actor=build_admin_actor())


def remember_match(world: World, person: Person, identifier: str) -> None:
    AccountMatch.objects.create(
        connection=world.connection, person=person, identifier=identifier, value=person.name, account_id="001"
    )


# -- Counts ---------------------------------------------------------------------------------------
def test_values_gaps_and_duplicates_are_counted_with_examples() -> None:
    map_identifiers(person_field="npi__v")
    create_numbered("A-1", "A-1", "a-1", "B-2", "C-3", "C-3", "C-3", "", "D-4", "d-4")
    found = measure()
    assert (found.persons, found.with_value, found.without_value) == (10, 9, 1)
    assert (found.exact.values, found.exact.persons) == (2, 5)
    assert list_values(found.exact.examples) == [["A-1", "A-1"], ["C-3", "C-3", "C-3"]]
    assert (found.but_for_case.values, found.but_for_case.persons) == (2, 5)
    assert list_values(found.but_for_case.examples) == [["A-1", "A-1", "a-1"], ["D-4", "d-4"]]


def test_all_but_one_are_not_a_hundred_percent(client: Client) -> None:
    for number in range(299):
        PersonFactory.create(external_id=f"P-{number}")
    PersonFactory.create(external_id="")
    map_identifiers()
    log_in_admin(client)
    assert "299 (99%)" in client.get(reverse("admin:identifier_check")).content.decode()


def test_a_custom_field_is_counted_in_the_same_way() -> None:
    field = CustomField(of_object="person__sys", api_name="veeva_id__c", label="Veeva ID")
    save_record(record=field, actor=build_admin_actor())
    map_identifiers(person_field="veeva_id__c")
    for value in ("V1", "V1", "v1", None):
        PersonFactory.create(custom_fields={"veeva_id__c": value})
    PersonFactory.create()
    found = measure()
    assert (found.persons, found.with_value) == (5, 3)
    assert (found.exact.values, found.exact.persons, found.but_for_case.persons) == (1, 2, 3)


def test_a_value_that_thousands_share_gives_a_few_examples() -> None:
    map_identifiers(person_field="npi__v")
    create_numbered(*["A-1"] * 9, "B-2", "B-2")
    assert list_values(measure().exact.examples) == [["A-1"] * 4, ["B-2", "B-2"]]


def test_as_many_statements_for_many_persons_as_for_few(client: Client) -> None:
    log_in_admin(client)
    map_identifiers(person_field="npi__v")
    ConnectionFactory.create()

    def count() -> int:
        with CaptureQueriesContext(connection) as queries:
            assert client.get(get_url()).status_code == 200
        return len(queries)

    create_numbered("A-1", "A-1", "a-1")
    count()
    for_few = count()
    create_numbered(*[f"{letter}-{number % 7}" for letter in "AaBb" for number in range(10)])
    count()  # which notes the use of the session, if the log-in is a minute ago
    assert count() == for_few


# -- Mappings -------------------------------------------------------------------------------------
def test_every_active_connection_shows_the_mapping_in_force_and_its_matches(world: World, second_world: World) -> None:
    save_mapping(second_world, clinical_person_identifier="npi__v", crm_account_identifier="NPI_vod__c")
    first, second, third = create_persons("P-1", "P-2", "P-3")
    remember_match(world, first, "external_id__v = External_ID_vod__c")
    remember_match(world, second, "npi__v = NPI_vod__c")
    remember_match(second_world, third, "npi__v = NPI_vod__c")
    emea, na = list_mappings()
    assert (na.origin, na.matches, na.outdated) == ("Global mapping of Application Settings", 1, 1)
    assert (emea.origin, emea.matches, emea.outdated) == ("Own mapping of the connection", 1, 0)
    assert [field.api_name for field in list_fields([emea, na])] == ["external_id__v", "npi__v"]


def test_an_own_account_identifier_goes_with_the_global_person_identifier(world: World) -> None:
    save_mapping(world, crm_account_identifier="NPI_vod__c")
    [mapping] = list_mappings()
    assert mapping.identifiers is not None
    assert mapping.identifiers.key == "external_id__v = NPI_vod__c"
    assert mapping.origin == "Own account identifier, person identifier of Application Settings"


def test_without_any_mapping_the_page_says_what_to_enter(client: Client, world: World) -> None:
    log_in_admin(client)
    set_application_settings(
        clinical_person_identifier="",
        crm_account_identifier="",
        enable_global_crm_mapping=False,
        actor=build_admin_actor(),
    )
    text = client.get(get_url()).content.decode()
    assert "No Clinical Person Identifier" in text
    assert "NA has no Clinical Person Identifier and no CRM Account Identifier" in text
    assert "Look up" not in text


# -- Looking up -----------------------------------------------------------------------------------
def look_up(world: World, **values: Any) -> Any:
    return look_up_samples(mappings=list_mappings(), persons=Person.objects.all(), **values)[world.connection.pk]


def test_persons_are_looked_up_in_the_crm(world: World) -> None:
    ada, *_ = people = create_persons("P-1", "P-2", "P-3")
    account_ids = world.add_accounts(people[:2])
    entries = AuditEntry.objects.count()
    found = look_up(world)
    assert found.state == CheckState.PASSED
    assert found.message == (
        f"2 of the first 3 persons with a value of their own have one account: {ada.name} (P-1) is the account "
        f"{account_ids[0]}."
    )
    assert not AccountMatch.objects.exists()
    assert AuditEntry.objects.count() == entries


def test_a_value_that_differs_in_case_is_no_match_and_is_told(world: World) -> None:
    map_identifiers(person_field="npi__v", account_field="NPI_vod__c")
    PersonFactory.create(npi="x-1")
    world.crm.organisation.insert_records(
        object_name="Account", records=[{"LastName": "Ada", "NPI_vod__c": "X-1", "External_ID_vod__c": "1"}]
    )
    found = look_up(world)
    assert (found.state, found.message, found.remedy) == (
        CheckState.WARNING,
        "None of the first 1 persons with a value of their own has one account. 'x-1' here is 'X-1' there.",
        "Make the values equal letter by letter, case included.",
    )


def test_a_crm_that_refuses_the_log_in_is_told_in_a_sentence_and_the_other_is_asked(
    world: World, second_world: World
) -> None:
    world.add_accounts(create_persons("P-1"))
    second_world.crm.misbehaviour.block_password_flow = True
    found = look_up_samples(mappings=list_mappings(), persons=Person.objects.all())
    assert found[world.connection.pk].state == CheckState.PASSED
    refused = found[second_world.connection.pk]
    assert refused.state == CheckState.FAILED
    assert refused.message.startswith("emea.crm.test refused the log-in: ")


def test_a_crm_that_never_answers_neither_holds_the_page_nor_the_other_crm(
    world: World, second_world: World, settings: Any
) -> None:
    world.add_accounts(create_persons("P-1"))
    second_world.connection.read_timeout = 1
    save_record(record=second_world.connection, actor=build_admin_actor())
    with socket.create_server(("127.0.0.1", 0)) as mute:
        settings.CRM_SANDBOX_ORIGINS["emea.crm.test"] = f"http://127.0.0.1:{mute.getsockname()[1]}"
        found = look_up_samples(mappings=list_mappings(), persons=Person.objects.all())
    assert found[world.connection.pk].state == CheckState.PASSED
    assert found[second_world.connection.pk].message == "emea.crm.test did not answer within 1 seconds; tried once."


def test_nobody_to_look_up_is_no_failure(world: World) -> None:
    assert look_up(world).state == CheckState.SKIPPED


# -- The page -------------------------------------------------------------------------------------
def log_in_with(client: Client, *permissions: str, sees_all_studies: bool = True) -> None:
    profile = SecurityProfileFactory.create(permissions=list(permissions), sees_all_studies=sees_all_studies)
    client.force_login(UserFactory.create(is_staff=True, security_profile=profile))


def test_application_settings_lead_to_the_page_and_its_button_asks_the_crm(client: Client, world: World) -> None:
    log_in_admin(client)
    row = map_identifiers(person_field="npi__v")
    action = reverse("admin:configuration_applicationsettings_check_identifiers", args=(row.pk,))
    page = client.get(reverse("admin:configuration_applicationsettings_change", args=(row.pk,)))
    assert action in page.content.decode()
    assert client.get(action).headers["Location"] == get_url()
    _, second, _ = create_numbered("P-1", "P-1", "P-2")
    account = {"LastName": "Person", "External_ID_vod__c": "P-2"}
    world.crm.organisation.insert_records(object_name="Account", records=[account])
    text = client.get(get_url()).content.decode()
    assert reverse("record", args=("person__sys", second.uid)) in text
    assert "2 persons share 1 value" in text
    assert len(world.crm.request_log) == 0
    assert (
        "1 of the first 1 persons with a value of their own have one account" in client.post(get_url()).content.decode()
    )


def test_persons_are_shown_only_to_those_who_may_read_them(client: Client, world: World) -> None:
    map_identifiers(person_field="npi__v")
    first, _ = create_numbered("P-1", "P-1")
    log_in_with(client, "admin:connections")
    text = client.get(get_url()).content.decode()
    assert "2 persons share 1 value" in text
    assert "P-1" not in text
    assert first.last_name not in text
    assert client.post(get_url()).status_code == 403
    assert len(world.crm.request_log) == 0
    log_in_with(client, "admin:connections", "person__sys:read", sees_all_studies=False)
    assert "P-1" not in client.get(get_url()).content.decode()
    assert first.last_name not in client.post(get_url()).content.decode()
    log_in_with(client, "admin:connections", "person__sys:read")
    assert "P-1" in client.get(get_url()).content.decode()


def test_without_application_settings_the_page_is_refused(client: Client) -> None:
    log_in_with(client, "person__sys:read", "integration__sys:read")
    assert client.get(get_url()).status_code == 403


def test_settings_alone_do_not_look_anybody_up(client: Client, world: World) -> None:
    log_in_with(client, "admin:settings", "person__sys:read")
    assert "Look up" not in client.get(get_url()).content.decode()
    assert client.post(get_url()).status_code == 403
