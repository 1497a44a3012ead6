"""*Test Connection* as an admin uses it."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from connections.services import set_password
from ctms.audit.models import AuditEntry
from ctms.audit.services import save_record
from tests.admin_forms import log_in_admin
from tests.crm_sync.world import World
from tests.factories.accounts import SecurityProfileFactory, UserFactory
from tests.factories.base import build_admin_actor

pytestmark = pytest.mark.django_db


def get_url(world: World) -> str:
    return reverse("admin:connections_connection_test_connection", args=(world.connection.pk,))


def list_rows(page: Any) -> dict[str, str]:
    return {row["step"].title: row["step"].state.value for row in page.context["rows"]}


def log_in_with(client: Client, *permissions: str) -> None:
    profile = SecurityProfileFactory.create(permissions=list(permissions))
    client.force_login(UserFactory.create(is_staff=True, security_profile=profile))


def test_the_page_is_offered_on_the_connection_and_asks_nothing_until_the_button_is_pressed(
    client: Client, world: World
) -> None:
    log_in_admin(client)
    record = client.get(reverse("admin:connections_connection_change", args=(world.connection.pk,))).content.decode()
    assert get_url(world) in record
    page = client.get(get_url(world))
    assert "Test now" in page.content.decode()
    assert len(world.crm.request_log) == 0


def test_a_test_shows_every_step_with_its_state_and_can_be_repeated(client: Client, world: World) -> None:
    log_in_admin(client)
    page = client.post(get_url(world))
    assert list(list_rows(page).items())[:2] == [("Sign-in details", "passed"), ("Host name", "passed")]
    assert set(list_rows(page).values()) == {"passed"}
    text = page.content.decode()
    assert "The connection works: every step passed." in text
    assert "Test again" in text
    rule = world.connection.integrations.get(kind="clinical_study_outbound__v").rule
    assert reverse("admin:connections_integrationrule_change", args=(rule.pk,)) in text


def test_what_failed_is_shown_with_its_remedy_and_no_secret(client: Client, world: World) -> None:
    log_in_admin(client)
    assert world.connection.authorization is not None
    set_password(authorization=world.connection.authorization, password="canary-7f2b", actor=build_admin_actor())
    entries = AuditEntry.objects.count()
    text = client.post(get_url(world)).content.decode()
    assert "The connection does not work yet: 1 failed, 11 not done, 3 passed." in text
    assert "Check the user name and password." in text
    assert "canary" not in text
    assert world.crm.connected_app.client_secret not in text
    assert AuditEntry.objects.count() == entries


def test_names_that_an_admin_typed_are_shown_as_text(client: Client, world: World) -> None:
    log_in_admin(client)
    world.connection.name = "<script>alert(1)</script>"
    save_record(record=world.connection, actor=build_admin_actor())
    assert "<script>alert(1)" not in client.post(get_url(world)).content.decode()


def test_manage_connections_is_enough_to_test(client: Client, world: World) -> None:
    log_in_with(client, "admin:connections")
    assert client.post(get_url(world)).status_code == 200


def test_reading_connections_is_not_enough_to_test(client: Client, world: World) -> None:
    log_in_with(client, "connection__sys:read")
    assert client.get(get_url(world)).status_code == 403
    assert client.post(get_url(world)).status_code == 403
    assert len(world.crm.request_log) == 0


def test_another_site_cannot_start_a_test(world: World) -> None:
    client = Client(enforce_csrf_checks=True)
    log_in_admin(client)
    assert client.post(get_url(world)).status_code == 403
    assert len(world.crm.request_log) == 0
