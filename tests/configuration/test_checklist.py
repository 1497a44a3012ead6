"""The setup checklist on the console's landing page, and its buttons that apply steps."""

from __future__ import annotations

import pytest
from django.test import Client

from connections.permissions import MANAGE_CONNECTIONS
from ctms.audit.models import AuditEntry
from ctms.configuration.checklist import list_checklist
from ctms.configuration.steps import get_step, list_steps
from tests.admin_forms import log_in_admin
from tests.factories.accounts import SecurityProfileFactory, UserFactory

pytestmark = pytest.mark.django_db


def log_in(client: Client, *permissions: str) -> None:
    profile = SecurityProfileFactory.create(permissions=list(permissions))
    client.force_login(UserFactory.create(is_staff=True, security_profile=profile))


def test_a_new_vault_starts_with_the_checklist(client: Client) -> None:
    log_in_admin(client)
    [panel] = [each for each in client.get("/admin/").context["panels"] if each["title"] == "Setup"]
    content = panel["content"]
    assert [section["title"] for section in content["sections"]] == [
        "Clinical Activity setup",
        "Automated Clinical Activities (optional)",
        "Medical Activity setup",
        "Connection setup: configuration",
        "Connection setup: enablement",
        "Inspections",
        "Test transfer",
    ]
    assert (content["is_complete"], content["can_apply_all"]) == (False, True)
    assert content["due"] == len([step for step in list_steps() if not step.is_optional])


def test_one_step_is_applied_as_the_user_and_says_how_it_stands(client: Client) -> None:
    user = log_in_admin(client)
    response = client.post("/admin/setup/medical_activity_type/", follow=True)
    assert response.redirect_chain == [("/admin/#medical_activity_type", 302)]
    assert "Medical Activity is active." in response.content.decode()
    assert get_step("medical_activity_type").read_state().status == "done"
    entry = AuditEntry.objects.latest("id")
    assert (entry.actor, entry.source) == (user, "admin")


def test_all_are_applied_but_those_of_which_only_the_admin_knows_the_details(client: Client) -> None:
    user = log_in_admin(client)
    page = client.post("/admin/setup/", follow=True).content.decode()
    assert "steps applied as recommended." in page
    left = [row.step.key for row in list_checklist(user) if not row.is_done]
    assert left == ["connection", "credentials", "more_connections", "test_transfer"]
    assert "There was nothing left to apply." in client.post("/admin/setup/", follow=True).content.decode()


def test_a_step_that_cannot_be_applied_says_so(client: Client) -> None:
    log_in_admin(client)
    page = client.post("/admin/setup/connection/", follow=True).content.decode()
    assert "Connection with its Authorization: only you know what to enter." in page


def test_a_profile_sees_and_applies_the_steps_of_its_own_areas_alone(client: Client) -> None:
    log_in(client, "admin:settings")
    panel = client.get("/admin/").context["panels"][0]
    assert [row.step.key for section in panel["content"]["sections"] for row in section["rows"]] == ["identifiers"]
    assert client.post("/admin/setup/medical_activity_type/").status_code == 403
    client.post("/admin/setup/")
    assert get_step("medical_activity_type").read_state().status == "to_do"
    assert get_step("identifiers").read_state().status == "done"


def test_manage_connections_alone_sees_every_step(client: Client) -> None:
    log_in(client, MANAGE_CONNECTIONS)
    panel = client.get("/admin/").context["panels"][0]
    shown = [row.step.key for section in panel["content"]["sections"] for row in section["rows"]]
    assert shown == [step.key for step in list_steps()]


def test_who_has_nothing_to_set_up_sees_no_checklist(client: Client) -> None:
    log_in(client, "exception_message__sys:read")
    assert "Setup" not in [panel["title"] for panel in client.get("/admin/").context["panels"]]


@pytest.mark.parametrize("address", ["/admin/setup/", "/admin/setup/medical_activity_type/"])
def test_strangers_and_readers_change_nothing(client: Client, address: str) -> None:
    assert client.post(address).status_code == 302
    log_in_admin(client)
    assert client.get(address).status_code == 405
    assert client.post("/admin/setup/no_such_step/").status_code == 404
