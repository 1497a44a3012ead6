"""The description of an organisation is refreshed by hand, by a test, by a transfer and daily; over HTTP."""

from __future__ import annotations

from typing import Any

import pytest
from django.core.exceptions import ValidationError
from django.test import Client
from django.urls import reverse

from activities.models import Activity
from connections.choices import DescriptionOrigin, FieldRuleKind, IntegrationKind
from connections.descriptions import list_named_objects
from connections.models import Connection, CrmObjectDescription, IntegrationRule
from connections.models.descriptions import read_known_objects
from connections.pickers import list_source_choices
from connections.ruleservices import add_field_rule
from connections.services import set_connection_status, set_password
from crm_sync.diagnostics.connection_test import check_connection
from ctms.audit.services import save_record
from ctms.core.choices import RecordStatus
from tests.admin_forms import list_messages, log_in_admin
from tests.crm_sync.world import World
from tests.factories.accounts import SecurityProfileFactory, UserFactory
from tests.factories.base import build_admin_actor
from tests.factories.clinical import PersonFactory

pytestmark = pytest.mark.django_db


def make_untested(world: World) -> Connection:
    """Return the connection as a copy is before its first test."""
    connection = Connection.objects.get(pk=world.connection.pk)
    connection.status, connection.awaits_test = RecordStatus.INACTIVE, True
    save_record(record=connection, actor=build_admin_actor())
    return connection


def get_url(world: World) -> str:
    return reverse("admin:connections_connection_crm_description", args=(world.connection.pk,))


def test_an_admin_refreshes_it_and_sees_objects_and_who_asked(world: World, client: Client) -> None:
    user = log_in_admin(client)
    assert "Nothing yet" in client.get(get_url(world)).content.decode()

    response: Any = client.post(get_url(world), {"do": "refresh"})

    assert response.url == get_url(world)
    assert list_messages(client.get(get_url(world))) == ["5 objects were described; no changes since the last time."]
    page = client.get(get_url(world)).content.decode()
    assert "Vault_Clinical_Interaction_vod__c" in page
    assert set(CrmObjectDescription.objects.values_list("origin", "described_by")) == {("asked", user.pk)}
    assert "Account" in read_known_objects(world.connection).labels


def test_a_test_stores_what_it_reads_and_frees_a_copy(world: World) -> None:
    connection = make_untested(world)
    steps = check_connection(connection=connection, actor=build_admin_actor())
    assert CrmObjectDescription.objects.filter(origin=DescriptionOrigin.TEST).exists()
    assert {step.state.value for step in steps} <= {"passed", "warning"}
    assert set_connection_status(connection=connection, status=RecordStatus.ACTIVE, actor=build_admin_actor())


def test_a_failed_test_frees_no_copy(world: World) -> None:
    connection = make_untested(world)
    check_connection(connection=connection, actor=build_admin_actor(), seconds=0.000001)
    connection.refresh_from_db()
    assert connection.awaits_test


def test_a_transfer_with_new_rules_stores_what_it_reads(world: World) -> None:
    world.transfer()
    stored = CrmObjectDescription.objects.filter(connection=world.connection)
    assert set(stored.values_list("origin", flat=True)) == {DescriptionOrigin.TRANSFER}
    assert stored.count() == 3


def test_a_crm_that_refuses_the_log_in_is_told_and_leaves_what_is_stored(world: World, client: Client) -> None:
    log_in_admin(client)
    assert world.connection.authorization is not None
    set_password(authorization=world.connection.authorization, password="wrong", actor=build_admin_actor())
    client.post(get_url(world), {"do": "refresh"})
    assert list_messages(client.get(get_url(world)))
    assert not CrmObjectDescription.objects.exists()


# -- At once -----------------------------------------------------------------------------------------
def ask(client: Client, world: World, kind: IntegrationKind, name: str) -> Any:
    rule = IntegrationRule.objects.get(integration__connection=world.connection, integration__kind=kind)
    url = reverse("admin:connections_integrationrule_describe", args=(rule.pk,))
    return client.post(url, {"crm_object": name}).json()


def test_an_object_is_described_when_it_is_chosen_and_offers_its_fields(world: World, client: Client) -> None:
    user = log_in_admin(client)
    answer = ask(client, world, IntegrationKind.SITE_OUTBOUND, "Clinical_Study_vod__c")
    assert answer["is_known"]
    assert "fields, as the CRM has just described it" in answer["told"]
    offered = {name: [each for each, _ in choices] for name, choices in answer["choices"].items()}
    assert offered["crm_external_id_field"] == ["Vault_External_ID_vod__c"]
    assert "Name" in offered["deletion_field"]
    known = read_known_objects(world.connection)
    assert known.find("Clinical_Study_vod__c") is not None
    assert "Account" in known.labels
    assert CrmObjectDescription.objects.get().described_by == user


def test_what_a_chosen_object_refers_to_is_described_with_it_where_it_is_read(world: World, client: Client) -> None:
    log_in_admin(client)
    ask(client, world, IntegrationKind.CALL_INBOUND, "Call2_vod__c")
    known = read_known_objects(world.connection)
    offered = dict(list_source_choices(described=known.find("Call2_vod__c"), known=known))
    assert offered["Account_vod__r.NPI_vod__c"] == "Account: NPI (NPI_vod__c), string, 20 characters"


def test_an_object_that_the_crm_does_not_have_is_said_in_place(world: World, client: Client) -> None:
    log_in_admin(client)
    answer = ask(client, world, IntegrationKind.SITE_OUTBOUND, "Nothing__c")
    assert (answer["is_known"], answer["choices"]) == (False, {})
    assert "The CRM has no object Nothing__c" in answer["told"]
    assert "letters, digits" in ask(client, world, IntegrationKind.SITE_OUTBOUND, "no name")["told"]


def test_a_crm_that_cannot_be_asked_keeps_nobody_from_saving(world: World, client: Client) -> None:
    log_in_admin(client)
    assert world.connection.authorization is not None
    set_password(authorization=world.connection.authorization, password="wrong", actor=build_admin_actor())
    answer = ask(client, world, IntegrationKind.SITE_OUTBOUND, "Clinical_Study_vod__c")
    assert not answer["is_known"]
    assert "can be saved all the same" in answer["told"]


def test_describing_an_object_is_a_post_for_those_who_may_change_the_rule(world: World, client: Client) -> None:
    rule = IntegrationRule.objects.filter(integration__connection=world.connection).first()
    url = reverse("admin:connections_integrationrule_describe", args=(rule.pk if rule else 0,))
    profile = SecurityProfileFactory.create(permissions=["connections.view_integrationrule"])
    client.force_login(UserFactory.create(is_staff=True, security_profile=profile))
    assert client.post(url, {"crm_object": "Account"}).status_code == 403
    log_in_admin(client)
    assert client.get(url).status_code == 405
    assert not CrmObjectDescription.objects.exists()


def test_the_first_test_that_passes_lists_all_objects(world: World) -> None:
    [step] = [each for each in check_connection(connection=world.connection) if each.title == "Description"]
    assert step.state.value == "passed"
    known = read_known_objects(world.connection)
    assert "Account" in known.labels
    assert set(known.described) >= {name.lower() for name in list_named_objects(world.connection)}
    titles = [each.title for each in check_connection(connection=world.connection)]
    assert "Description" not in titles


# -- Through custom references of the CRM ------------------------------------------------------------
def test_a_field_behind_a_reference_of_the_crm_is_received_and_its_type_checked(world: World, client: Client) -> None:
    log_in_admin(client)
    ask(client, world, IntegrationKind.CALL_INBOUND, "Call2_vod__c")
    rule = IntegrationRule.objects.get(
        integration__connection=world.connection, integration__kind=IntegrationKind.CALL_INBOUND
    )
    actor = build_admin_actor()
    with pytest.raises(ValidationError, match=r"has no field Account_vod__r\.Nothing__c"):
        add_field_rule(
            rule=rule, kind=FieldRuleKind.COPY, source="Account_vod__r.Nothing__c", target="subject__v", actor=actor
        )
    add_field_rule(
        rule=rule, kind=FieldRuleKind.COPY, source="Account_vod__r.NPI_vod__c", target="subject__v", actor=actor
    )
    (account,) = world.add_accounts([PersonFactory.create(npi="1234567893")])
    world.change_in_crm("Account", account, NPI_vod__c="1234567893")
    world.add_calls([account])
    world.transfer()
    assert list(Activity.objects.values_list("subject", flat=True)) == ["1234567893"]
    assert "Account" in list_named_objects(world.connection)


def test_what_a_rule_reads_through_a_reference_is_refreshed_with_the_rest(world: World, client: Client) -> None:
    log_in_admin(client)
    ask(client, world, IntegrationKind.CALL_INBOUND, "Call2_vod__c")
    rule = IntegrationRule.objects.get(
        integration__connection=world.connection, integration__kind=IntegrationKind.CALL_INBOUND
    )
    assert "User" not in list_named_objects(world.connection)
    add_field_rule(
        rule=rule,
        kind=FieldRuleKind.COPY,
        source="CreatedBy.LastName",
        target="subject__v",
        actor=build_admin_actor(),
    )
    assert "User" in list_named_objects(world.connection)
