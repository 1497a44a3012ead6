"""Who may let a CRM call back, in whose name, and what the console shows of it."""

from __future__ import annotations

from typing import Any

import pytest
from django.core.exceptions import ValidationError
from django.test import Client
from django.urls import reverse

from connections.callbacks import PREFIX, explain_no_callback, issue_session
from connections.choices import FieldRuleKind, IntegrationKind
from connections.models import CallbackSession, Connection, FieldRule, IntegrationRule
from connections.permissions import MANAGE_CONNECTIONS
from connections.ruleservices import add_field_rule
from connections.services import save_connection
from ctms.accounts.models import TokenScope, User
from ctms.audit.actors import Actor
from ctms.audit.models import AuditEntry
from ctms.audit.services import save_record
from ctms.configuration.steps import StepStatus, get_step
from tests.admin_forms import log_in_admin, submit
from tests.factories.accounts import SecurityProfileFactory, UserFactory
from tests.factories.base import build_admin_actor
from tests.factories.connections import ConnectionFactory

pytestmark = pytest.mark.django_db


def create_user(*permissions: str) -> User:
    return UserFactory.create(security_profile=SecurityProfileFactory.create(permissions=list(permissions)))


def change(connection: Connection, user: User | None, *, by: User, **values: Any) -> None:
    connection.authorized_connection_user = user
    for name, value in values.items():
        setattr(connection, name, value)
    save_connection(connection=connection, actor=Actor(user=by, source="page"))


def build_page(connection: Connection) -> str:
    return reverse("admin:connections_connection_callback_sessions", args=(connection.pk,))


# -- Who may authorise ----------------------------------------------------------------------------
def test_who_manages_connections_alone_lets_no_crm_act_as_somebody_else() -> None:
    connection, cra = ConnectionFactory.create(), create_user("study__v:read")
    with pytest.raises(ValidationError) as refusal:
        change(connection, cra, by=create_user(MANAGE_CONNECTIONS))
    assert "you may not manage users" in refusal.value.message_dict["authorized_connection_user"][0]


def test_who_manages_users_may_and_anybody_may_name_themselves() -> None:
    connection, cra = ConnectionFactory.create(), create_user("study__v:read")
    change(connection, cra, by=create_user(MANAGE_CONNECTIONS, "admin:security"))
    assert explain_no_callback(connection) == ""
    admin = create_user(MANAGE_CONNECTIONS)
    change(connection, admin, by=admin)
    assert explain_no_callback(connection) == ""


def test_who_manages_users_lets_no_crm_act_as_an_admin_of_more_rights() -> None:
    with pytest.raises(ValidationError, match="You cannot give what you do not have"):
        change(
            ConnectionFactory.create(),
            create_user("admin:audit"),
            by=create_user(MANAGE_CONNECTIONS, "admin:security"),
        )


def test_a_superuser_is_no_authorized_connection_user() -> None:
    superuser = UserFactory.create(is_superuser=True)
    with pytest.raises(ValidationError, match="may do everything"):
        change(ConnectionFactory.create(), superuser, by=build_admin_actor().user)


def test_who_may_not_authorise_neither_lets_sessions_write_nor_takes_them_to_another_organisation() -> None:
    connection, cra, admin = ConnectionFactory.create(), create_user("study__v:read"), create_user(MANAGE_CONNECTIONS)
    change(connection, cra, by=build_admin_actor().user)
    with pytest.raises(ValidationError) as refusal:
        change(connection, cra, by=admin, callback_scope=TokenScope.WRITE)
    assert list(refusal.value.message_dict) == ["callback_scope"]

    connection.refresh_from_db()
    change(connection, cra, by=admin, url="https://other.my.salesforce.com")
    assert "Let somebody who manages users save the connection." in explain_no_callback(connection)
    assert issue_session(connection_id=connection.pk, run_reference="run 1") is None
    change(connection, cra, by=build_admin_actor().user, description="Seen")
    assert explain_no_callback(connection) == ""


def test_a_user_named_before_there_were_sessions_is_said_to_be_unconfirmed_until_the_connection_is_saved(
    client: Client,
) -> None:
    connection, cra = ConnectionFactory.create(name="NA"), create_user("study__v:read")
    connection.authorized_connection_user = cra
    save_record(record=connection, actor=build_admin_actor())  # as the update left it: without `callback_origin`
    log_in_admin(client)
    page = reverse("admin:connections_connection_page", args=(connection.pk,))
    told = f"The Authorized Connection User {cra} is not confirmed, so nothing is handed over to the CRM."
    assert explain_no_callback(connection).startswith(told)
    assert "Not confirmed: open and save" in client.get(page).content.decode()
    assert get_step("connection").read_state().reason.startswith(told)
    assert get_step("connection").read_state().status == StepStatus.BROKEN

    submit(client, reverse("admin:connections_connection_change", args=(connection.pk,)), form_id="connection_form")

    assert "Not confirmed" not in client.get(page).content.decode()
    assert get_step("connection").read_state().status == StepStatus.DONE
    connection.refresh_from_db()
    assert explain_no_callback(connection) == ""


# -- Settings -------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("callback_minutes", 0),
        ("callback_minutes", 121),
        ("callback_header", "Authorization"),
        ("callback_header", "X-Vault\r\nHost: evil"),
        ("callback_header", "Sforce-Call-Options"),
        ("callback_scope", "everything"),
    ],
    ids=["no-time", "too-long", "authorization", "two-headers", "of-the-crm", "scope"],
)
def test_settings_that_cannot_be_right_are_refused_by_the_name_of_the_field(field: str, value: Any) -> None:
    with pytest.raises(ValidationError) as refusal:
        change(ConnectionFactory.create(), None, by=build_admin_actor().user, **{field: value})
    assert list(refusal.value.message_dict) == [field]


def get_rule(connection: Connection, kind: IntegrationKind) -> IntegrationRule:
    return IntegrationRule.objects.get(integration__connection=connection, integration__kind=kind)


def add_callback_rule(connection: Connection, kind: IntegrationKind, **values: Any) -> FieldRule:
    return add_field_rule(
        rule=get_rule(connection, kind), kind=FieldRuleKind.CALLBACK_SESSION, actor=build_admin_actor(), **values
    )


def test_one_field_rule_of_an_outbound_integration_hands_the_session_over() -> None:
    connection = ConnectionFactory.create()
    rule = add_callback_rule(connection, IntegrationKind.CALL_OUTBOUND, target="Vault_Session__c")
    assert str(rule) == "Call-back session → Vault_Session__c"
    with pytest.raises(ValidationError, match="there can be only one"):
        add_callback_rule(connection, IntegrationKind.CALL_OUTBOUND, target="Another__c")
    with pytest.raises(ValidationError, match="Leave the source empty"):
        add_callback_rule(connection, IntegrationKind.SITE_OUTBOUND, target="Vault_Session__c", source="name__v")
    with pytest.raises(ValidationError, match="is for what is sent to the CRM"):
        add_callback_rule(connection, IntegrationKind.CALL_INBOUND, target="subject__v")


def test_the_page_of_a_rule_adds_it(client: Client) -> None:
    log_in_admin(client)
    connection = ConnectionFactory.create()
    rule = get_rule(connection, IntegrationKind.CALL_OUTBOUND)
    address = reverse("admin:connections_integrationrule_add_field_rule", args=(rule.pk,)) + "?kind=callback"
    assert address in client.get(reverse("admin:connections_integrationrule_change", args=(rule.pk,))).content.decode()
    client.post(address, {"target": "Vault_Session__c"})
    assert rule.field_rules.get(kind=FieldRuleKind.CALLBACK_SESSION).target == "Vault_Session__c"
    inbound = get_rule(connection, IntegrationKind.CALL_INBOUND)
    address = reverse("admin:connections_integrationrule_add_field_rule", args=(inbound.pk,)) + "?kind=callback"
    assert client.get(address).status_code == 404


# -- The page -------------------------------------------------------------------------------------
def test_the_page_shows_live_sessions_without_their_text_and_revokes_them_with_an_entry(client: Client) -> None:
    admin = log_in_admin(client)
    connection, cra = ConnectionFactory.create(), create_user("study__v:read")
    change(connection, cra, by=build_admin_actor().user, callback_header="X-Vault-Session")
    issued = issue_session(connection_id=connection.pk, run_reference="run 7")
    assert issued is not None
    shown = client.get(build_page(connection)).content.decode()
    assert all(word in shown for word in ("Live sessions: 1", "Run 7", str(cra), "X-Vault-Session", "Not used"))
    assert issued[1] not in shown
    assert PREFIX not in shown

    answer = client.post(build_page(connection), follow=True).content.decode()

    assert "1 call-back session revoked." in answer
    assert CallbackSession.objects.get().revoked_because == "Revoked by an admin."
    entry = AuditEntry.objects.latest("id")
    assert (entry.actor, entry.record_uid, entry.connection_uid) == (admin, connection.uid, connection.uid)
    assert entry.changes == {"callback_sessions": [1, "revoked"]}


def test_the_page_says_why_nothing_is_handed_over(client: Client) -> None:
    log_in_admin(client)
    connection = ConnectionFactory.create()
    assert "has no Authorized Connection User" in client.get(build_page(connection)).content.decode()
    change(connection, create_user(), by=build_admin_actor().user)
    assert "Nothing names a header or a field" in client.get(build_page(connection)).content.decode()


def test_who_may_not_change_connections_sees_and_revokes_nothing(client: Client) -> None:
    profile = SecurityProfileFactory.create(permissions=["connection__sys:read"])
    client.force_login(UserFactory.create(is_staff=True, security_profile=profile))
    connection = ConnectionFactory.create()
    assert client.get(build_page(connection)).status_code == 403
    assert client.post(build_page(connection)).status_code == 403


def test_the_form_takes_the_settings(client: Client) -> None:
    log_in_admin(client)
    connection, cra = ConnectionFactory.create(), create_user("study__v:read")
    address = reverse("admin:connections_connection_change", args=(connection.pk,))
    submit(
        client,
        address,
        form_id="connection_form",
        authorized_connection_user=str(cra.pk),
        callback_minutes="30",
        callback_header="X-Vault-Session",
    )
    connection.refresh_from_db()
    assert (connection.authorized_connection_user, connection.callback_minutes) == (cra, 30)
    assert connection.callback_origin == connection.url
