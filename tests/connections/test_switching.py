"""*Activate* and *Deactivate*: they explain the consequences, change the status, and take a permission."""

from __future__ import annotations

import pytest
from django.test import Client
from django.urls import reverse

from connections.models import Connection
from crm_sync.jobs import list_transfer_units
from ctms.audit.models import AuditEntry
from ctms.core.choices import RecordStatus
from tests.admin_forms import list_messages, log_in_admin, read_form, submit
from tests.factories.accounts import SecurityProfileFactory, UserFactory
from tests.factories.connections import ConnectionFactory

pytestmark = pytest.mark.django_db


def build_url(connection: Connection, page: str) -> str:
    return reverse("admin:connections_connection_change", args=(connection.pk,)).replace("change", page)


def list_offered(client: Client, connection: Connection) -> list[str]:
    page = client.get(build_url(connection, "change"))
    return [entry["title"] for entry in page.context["actions_detail"]]


def test_deactivate_says_what_follows_and_asks_before_it_does_so(client: Client) -> None:
    log_in_admin(client)
    connection = ConnectionFactory.create(name="NA")
    page = client.get(build_url(connection, "deactivate"))
    assert "A deactivated connection transfers nothing" in page.content.decode()
    connection.refresh_from_db()
    assert connection.status == RecordStatus.ACTIVE

    response = client.post(build_url(connection, "deactivate"), follow=True)
    connection.refresh_from_db()
    assert connection.status == RecordStatus.INACTIVE
    assert list_messages(response) == ["NA is Inactive: it transfers nothing until it is activated."]
    assert list_transfer_units() == []


def test_activate_lets_it_transfer_again_and_warns_of_what_is_missing(client: Client) -> None:
    log_in_admin(client)
    connection = ConnectionFactory.create(name="NA", status=RecordStatus.INACTIVE, authorization=None)
    assert "goes on where it stopped" in client.get(build_url(connection, "activate")).content.decode()
    response = client.post(build_url(connection, "activate"), follow=True)
    assert list_messages(response) == [
        "NA is Active: the next run of the transfer takes it along.",
        "NA has no Authorization yet: its transfers fail until one is chosen.",
    ]
    assert [unit.key for unit in list_transfer_units()] == [str(connection.uid)]


def test_only_the_action_that_changes_something_is_offered(client: Client) -> None:
    log_in_admin(client)
    active, inactive = ConnectionFactory.create(), ConnectionFactory.create(status=RecordStatus.INACTIVE)
    assert {"Activate", "Deactivate"}.intersection(list_offered(client, active)) == {"Deactivate"}
    assert {"Activate", "Deactivate"}.intersection(list_offered(client, inactive)) == {"Activate"}


def test_each_change_is_one_entry_of_the_audit_trail_and_none_if_nothing_changes(client: Client) -> None:
    user = log_in_admin(client)
    connection = ConnectionFactory.create()
    before = AuditEntry.objects.count()
    for _ in range(2):
        client.post(build_url(connection, "deactivate"))
    (entry,) = AuditEntry.objects.order_by("id")[before:]
    assert (entry.actor, entry.source, sorted(entry.changes)) == (user, "admin", ["status"])


def test_the_form_shows_the_status_and_leaves_it_to_the_actions(client: Client) -> None:
    log_in_admin(client)
    connection = ConnectionFactory.create()
    url = build_url(connection, "change")
    assert "status" not in read_form(client.get(url), form_id="connection_form")
    submit(client, url, form_id="connection_form", status=RecordStatus.INACTIVE, description="Changed")
    connection.refresh_from_db()
    assert (connection.status, connection.description) == (RecordStatus.ACTIVE, "Changed")


@pytest.mark.parametrize("page", ["activate", "deactivate"])
def test_who_may_only_read_switches_nothing(client: Client, page: str) -> None:
    connection = ConnectionFactory.create()
    profile = SecurityProfileFactory.create(permissions=["connection__sys:read"])
    client.force_login(UserFactory.create(is_staff=True, security_profile=profile))
    assert list_offered(client, connection) == []
    assert client.get(build_url(connection, page)).status_code == 403
    assert client.post(build_url(connection, page)).status_code == 403
    connection.refresh_from_db()
    assert connection.status == RecordStatus.ACTIVE


def test_a_connection_that_is_gone_is_refused(client: Client) -> None:
    log_in_admin(client)
    assert client.get("/admin/connections/connection/0/activate/").status_code == 403
