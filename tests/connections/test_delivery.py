"""The connection that a new Vault comes with: without URL, Inactive, waiting to be edited."""

from __future__ import annotations

import pytest
from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction
from django.db.models import QuerySet
from django.urls import reverse

from connections.models import MAX_CONNECTIONS, Connection
from connections.secret_origins import bind_secrets
from connections.services import DELIVERED_NAME, create_connection, deliver_connection, save_connection
from connections.steps import _CONNECTION
from ctms.audit.actors import Actor, build_system_actor
from ctms.audit.services import delete_record, save_record
from ctms.configuration.choices import StepStatus
from ctms.core.choices import RecordStatus
from tests.factories.connections import AuthorizationFactory, ConnectionFactory

pytestmark = [pytest.mark.django_db, pytest.mark.both_databases]
URL = "https://na.my.salesforce.com"


@pytest.fixture
def actor() -> Actor:
    return build_system_actor(source="command", reference="test")


@pytest.fixture
def delivered(actor: Actor) -> Connection:
    assert deliver_connection(actor=actor)
    return Connection.objects.get()


def test_it_is_inactive_without_url_and_has_its_integrations(delivered: Connection) -> None:
    assert (delivered.name, delivered.url, delivered.status) == (DELIVERED_NAME, "", RecordStatus.INACTIVE)
    assert delivered.integrations.count() == 4


def test_it_is_delivered_once_and_not_again_after_it_was_deleted(delivered: Connection, actor: Actor) -> None:
    assert not deliver_connection(actor=actor)
    for integration in delivered.integrations.all():
        for field_rule in integration.rule.field_rules.all():
            delete_record(record=field_rule, actor=actor)
        delete_record(record=integration.rule, actor=actor)
        integration.progress.delete()
        delete_record(record=integration, actor=actor)
    delete_record(record=delivered, actor=actor)
    assert not deliver_connection(actor=actor)
    assert not Connection.objects.exists()


def test_a_vault_that_has_a_connection_gets_none(actor: Actor) -> None:
    ConnectionFactory.create()
    assert not deliver_connection(actor=actor)


def test_its_first_url_makes_it_active(delivered: Connection, actor: Actor) -> None:
    delivered.url = URL
    save_connection(connection=delivered, actor=actor)
    delivered.refresh_from_db()
    assert (delivered.url, delivered.status) == (URL, RecordStatus.ACTIVE)


def test_another_name_alone_leaves_it_inactive(delivered: Connection, actor: Actor) -> None:
    delivered.name = "North America"
    save_connection(connection=delivered, actor=actor)
    delivered.refresh_from_db()
    assert delivered.status == RecordStatus.INACTIVE


def test_another_url_of_an_inactive_connection_does_not_activate_it(delivered: Connection, actor: Actor) -> None:
    delivered.url = URL
    save_connection(connection=delivered, actor=actor)
    delivered.status = RecordStatus.INACTIVE
    save_record(record=delivered, actor=actor)
    delivered.url = "https://emea.my.salesforce.com"
    save_connection(connection=delivered, actor=actor)
    delivered.refresh_from_db()
    assert delivered.status == RecordStatus.INACTIVE


def test_without_url_it_cannot_be_active(delivered: Connection, actor: Actor) -> None:
    delivered.status = RecordStatus.ACTIVE
    with pytest.raises(ValidationError, match="enter the URL of the CRM organisation"):
        save_record(record=delivered, actor=actor)
    with pytest.raises(IntegrityError), transaction.atomic():
        QuerySet.update(Connection.objects.filter(pk=delivered.pk), status=RecordStatus.ACTIVE)


def test_several_may_wait_for_their_url_and_two_cannot_have_the_same(delivered: Connection, actor: Actor) -> None:
    second = Connection(name="Second", status=RecordStatus.INACTIVE)
    create_connection(connection=second, actor=actor)
    delivered.url = URL
    save_connection(connection=delivered, actor=actor)
    second.url = URL
    with pytest.raises(ValidationError) as refused:
        save_connection(connection=second, actor=actor)
    assert refused.value.message_dict == {
        "url": ["Another connection leads to this organisation; calls would be received twice."]
    }


def test_it_counts_as_one_of_ten(delivered: Connection, actor: Actor) -> None:
    for number in range(MAX_CONNECTIONS - 1):
        ConnectionFactory.create(name=f"Connection {number}")
    with pytest.raises(ValidationError, match="at most 10 connections"):
        create_connection(connection=Connection(name="One more", url=URL), actor=actor)


def test_its_authorization_keeps_secrets_that_no_organisation_has_yet(delivered: Connection, actor: Actor) -> None:
    authorization = AuthorizationFactory.create()
    authorization.password_origin = authorization.connected_app_origin = ""
    delivered.authorization = authorization
    assert bind_secrets(delivered) is None
    assert authorization.password_origin == ""


def test_the_checklist_leads_to_it(delivered: Connection) -> None:
    state = _CONNECTION.read_state()
    assert state.status == StepStatus.TO_DO
    assert (
        state.reason == f"{DELIVERED_NAME} waits to be edited: name, URL and Authorization. On Save it becomes Active."
    )
    assert _CONNECTION.url() == reverse("admin:connections_connection_change", args=(delivered.pk,))
