"""Connections in the admin: creating them, their credentials (never shown) and their rules."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from connections.choices import GrantFlow, IntegrationKind
from connections.models import Connection, ConnectionAuthorization, FieldRule
from connections.models.authorizations import BASIC_AUTH
from connections.objects import ENTER_CONNECTED_APP_DETAILS
from ctms.audit.models import AuditEntry
from ctms.configuration.services import assign_action
from ctms.core.choices import RecordStatus
from tests.admin_forms import list_errors, list_messages, log_in_admin, read_form, submit, submit_values
from tests.factories.accounts import SecurityProfileFactory, UserFactory
from tests.factories.base import build_admin_actor
from tests.factories.connections import (
    CONSUMER_KEY,
    CONSUMER_SECRET,
    CRM_PASSWORD,
    AuthorizationFactory,
    ConnectionFactory,
)

pytestmark = pytest.mark.django_db

CANARY = "canary-7c1b2f"
ADD_CONNECTION = "/admin/connections/connection/add/"
CONNECTION_FORM = "connection_form"


def assign_connected_app_action() -> None:
    assign_action(
        object_name=ConnectionAuthorization.object_name,
        object_type=BASIC_AUTH,
        action_name=ENTER_CONNECTED_APP_DETAILS,
        actor=build_admin_actor(),
    )


def create_authorization() -> ConnectionAuthorization:
    authorization = ConnectionAuthorization(name="Integration user", username="integration@crm.example.com")
    return AuthorizationFactory.save_as(authorization, build_admin_actor())


def authorization_url(authorization: ConnectionAuthorization, page: str = "change") -> str:
    return f"/admin/connections/connectionauthorization/{authorization.pk}/{page}/"


def list_offered_actions(page: Any) -> list[str]:
    return [action["title"] for action in page.context["actions_detail"]]


# -- Connections ----------------------------------------------------------------------------------
def test_a_new_connection_is_active_and_has_its_integrations_and_rules(client: Client) -> None:
    log_in_admin(client)
    response = submit(
        client,
        ADD_CONNECTION,
        form_id=CONNECTION_FORM,
        name="North America",
        url="https://NA.my.salesforce.com/",
        authorization=create_authorization().pk,
    )
    connection = Connection.objects.get()
    assert response.url == reverse("admin:connections_connection_page", args=(connection.pk,))
    assert (connection.url, connection.api_name, connection.status) == (
        "https://na.my.salesforce.com",
        "north_america__c",
        RecordStatus.ACTIVE,
    )
    assert set(connection.integrations.values_list("kind", flat=True)) == set(IntegrationKind.values)
    assert FieldRule.objects.filter(rule__integration__connection=connection).count() == 27


def test_a_connection_without_authorization_is_saved_with_a_warning(client: Client, settings: Any) -> None:
    settings.CRM_SANDBOX_ORIGINS = {"eu.crm.test": "http://127.0.0.1:9"}
    log_in_admin(client)
    response = submit(client, ADD_CONNECTION, form_id=CONNECTION_FORM, name="Europe", url="https://eu.crm.test")
    warning, _ = list_messages(client.get(response.url))
    assert warning == "Europe has no Authorization yet: its transfers fail until one is chosen."


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("http://eu.my.salesforce.com", "The URL must start with https://; nothing is sent unencrypted."),
        ("https://veeva.com:8443", "Only the standard HTTPS port is allowed: remove :8443 from the URL."),
        ("https://10.0.0.1", "Enter the organisation's host name; IP addresses are refused."),
    ],
)
def test_a_url_against_the_rules_is_refused_beside_its_field(client: Client, url: str, message: str) -> None:
    log_in_admin(client)
    response = submit(client, ADD_CONNECTION, form_id=CONNECTION_FORM, name="Europe", url=url)
    assert list_errors(response) == {"url": [message]}
    values = read_form(response, form_id=CONNECTION_FORM)
    assert (values["name"], values["url"]) == (["Europe"], [url])


def test_the_identifier_mapping_is_a_row_of_the_connection(client: Client) -> None:
    log_in_admin(client)
    connection = ConnectionFactory.create()
    url = reverse("admin:connections_connection_change", args=(connection.pk,))
    typed = {
        "identifier_mapping-TOTAL_FORMS": "1",
        "identifier_mapping-0-id": "",
        "identifier_mapping-0-connection": connection.pk,
        "identifier_mapping-0-clinical_person_identifier": "npi__v",
        "identifier_mapping-0-crm_account_identifier": "NPI_vod__c",
    }
    submit_values(client, url, form_id=CONNECTION_FORM, typed=typed)
    connection.refresh_from_db()
    assert connection.identifier_mapping.clinical_person_identifier == "npi__v"

    typed["identifier_mapping-0-id"] = connection.identifier_mapping.pk
    typed["identifier_mapping-0-clinical_person_identifier"] = "shoe_size__v"
    response = submit_values(client, url, form_id=CONNECTION_FORM, typed=typed)
    mapping = response.context["inline_admin_formsets"][0].formset
    [message] = mapping.forms[0].errors["clinical_person_identifier"]
    assert message.startswith("person (person__sys) has no field 'shoe_size__v'. Its fields: uid__sys, ")


def test_integrations_are_listed_in_the_order_of_the_documents(client: Client) -> None:
    log_in_admin(client)
    page = client.get(f"/admin/connections/connection/{ConnectionFactory.create().pk}/change/").content.decode()
    places = [page.index(f">{label}</a>") for label in IntegrationKind.labels]
    assert places == sorted(places)


# -- Credentials ----------------------------------------------------------------------------------
def test_set_password_stores_it_and_tells_when_and_by_whom(client: Client) -> None:
    user = log_in_admin(client)
    authorization = create_authorization()
    page = client.get(authorization_url(authorization))
    assert "Not set" in page.content.decode()
    response = client.post(
        authorization_url(authorization, "set-password"), {"password": CANARY, "confirm_password": CANARY}, follow=True
    )
    authorization.refresh_from_db()
    assert authorization.password.reveal() == CANARY
    assert list_messages(response) == ["Set Password: saved."]
    assert f"Set on {authorization.password_set_at:%Y-%m-%d at %H:%M} UTC by {user}" in response.content.decode()
    assert CANARY not in response.content.decode()


def test_a_password_keeps_the_spaces_at_its_ends(client: Client) -> None:
    log_in_admin(client)
    authorization = create_authorization()
    typed = {"password": f" {CANARY} ", "confirm_password": f" {CANARY} "}
    client.post(authorization_url(authorization, "set-password"), typed)
    authorization.refresh_from_db()
    assert authorization.password.reveal() == f" {CANARY} "


def test_passwords_that_differ_are_refused_and_not_shown_again(client: Client) -> None:
    log_in_admin(client)
    authorization = create_authorization()
    response = client.post(
        authorization_url(authorization, "set-password"), {"password": CANARY, "confirm_password": CANARY + "x"}
    )
    assert response.context["form"].errors == {
        "confirm_password": ["The two passwords differ. Enter the same password in both fields."]
    }
    assert CANARY not in response.content.decode()
    authorization.refresh_from_db()
    assert not authorization.password


def test_connected_app_details_are_offered_only_once_the_action_is_assigned(client: Client) -> None:
    log_in_admin(client)
    authorization = create_authorization()
    assert list_offered_actions(client.get(authorization_url(authorization))) == ["Set Password", "Create Certificate"]
    refused = client.get(authorization_url(authorization, "enter-connected-app-details"))
    assert refused.status_code == 403
    assert "is not assigned to Basic Auth" in refused.content.decode()

    assign_connected_app_action()

    offered = list_offered_actions(client.get(authorization_url(authorization)))
    assert offered == ["Set Password", "Enter Connected App Details", "Create Certificate"]


def test_connected_app_details_are_stored(client: Client) -> None:
    log_in_admin(client)
    assign_connected_app_action()
    authorization = create_authorization()
    response = client.post(
        authorization_url(authorization, "enter-connected-app-details"),
        {
            "consumer_key": CANARY + "-key",
            "consumer_secret": CANARY + "-secret",
            "grant_flow": GrantFlow.CLIENT_CREDENTIALS,
        },
        follow=True,
    )
    authorization.refresh_from_db()
    assert (authorization.consumer_key.reveal(), authorization.consumer_secret.reveal(), authorization.grant_flow) == (
        CANARY + "-key",
        CANARY + "-secret",
        GrantFlow.CLIENT_CREDENTIALS,
    )
    assert CANARY not in response.content.decode()


def test_key_and_secret_are_both_required(client: Client) -> None:
    log_in_admin(client)
    assign_connected_app_action()
    authorization = create_authorization()
    response = client.post(
        authorization_url(authorization, "enter-connected-app-details"),
        {"consumer_key": CANARY, "grant_flow": GrantFlow.PASSWORD},
    )
    assert response.context["form"].errors == {"consumer_secret": ["This field is required."]}
    assert CANARY not in response.content.decode()


def test_secrets_are_on_no_page_of_the_authorization_and_not_in_the_audit_trail(client: Client) -> None:
    log_in_admin(client)
    authorization = AuthorizationFactory.create()
    pages = [
        authorization_url(authorization),
        authorization_url(authorization, "set-password"),
        reverse("admin:connections_connectionauthorization_changelist"),
        *(reverse("admin:audit_auditentry_change", args=(entry.pk,)) for entry in AuditEntry.objects.all()[:5]),
    ]
    shown = "".join(client.get(url).content.decode() for url in pages)
    stored = str(list(AuditEntry.objects.values_list("changes", flat=True)))
    authorization.refresh_from_db()
    secrets = (CRM_PASSWORD, CONSUMER_KEY, CONSUMER_SECRET, str.__str__(authorization.password.token))
    assert [secret for secret in secrets if secret in shown + stored] == []


def test_who_may_only_read_authorizations_sets_no_password(client: Client) -> None:
    profile = SecurityProfileFactory.create(permissions=["connection_authorization__sys:read"])
    client.force_login(UserFactory.create(is_staff=True, security_profile=profile))
    authorization = create_authorization()
    page = client.get(authorization_url(authorization))
    assert (page.status_code, list_offered_actions(page)) == (200, [])
    url = authorization_url(authorization, "set-password")
    assert client.get(url).status_code == 403
    assert client.post(url, {"password": CANARY, "confirm_password": CANARY}).status_code == 403


# -- Rules ----------------------------------------------------------------------------------------
def test_the_integrations_of_a_connection_lead_to_their_rules(client: Client) -> None:
    log_in_admin(client)
    connection = ConnectionFactory.create()
    page = client.get(reverse("admin:connections_connection_change", args=(connection.pk,))).content.decode()
    for integration in connection.integrations.select_related("rule"):
        assert reverse("admin:connections_integrationrule_change", args=(integration.rule.pk,)) in page
