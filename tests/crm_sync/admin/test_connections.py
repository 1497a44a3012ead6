"""What the transfer adds to connections in the admin: health, deletion, and a warning about host names."""

from __future__ import annotations

import re
import socket
import uuid
from datetime import timedelta
from typing import Any
from unittest.mock import Mock

import pytest
from django.db import connection as database
from django.test import Client
from django.test.utils import CaptureQueriesContext

from connections import certificates
from connections.certificates import create_certificate
from connections.choices import GrantFlow
from connections.models import Connection
from connections.permissions import MANAGE_CONNECTIONS
from crm_sync.jobs import TRANSFER_JOB_KEY
from crm_sync.models import TransferLink
from ctms.accounts.models import User
from ctms.audit.choices import AuditAction
from ctms.audit.models import AuditEntry
from ctms.core.choices import RecordStatus
from ctms.core.clock import get_now
from ctms.jobs.choices import RunState
from ctms.jobs.models import JobDefinition, JobRun
from exceptions_log.choices import ErrorType
from exceptions_log.models import ExceptionItem
from tests.admin_forms import list_errors, list_messages, log_in_admin, submit
from tests.admin_rows import create_exception_item, create_exception_message, get_integration
from tests.factories.accounts import SecurityProfileFactory, UserFactory
from tests.factories.activities import ActivityFactory
from tests.factories.base import build_admin_actor
from tests.factories.connections import AuthorizationFactory, ConnectionFactory

pytestmark = pytest.mark.django_db

FORM = "connection_form"
LIST = "/admin/connections/connection/"


def build_url(connection: Connection, page: str = "change") -> str:
    return f"{LIST}{connection.pk}/{page}/"


def log_in_with(client: Client, *permissions: str) -> User:
    profile = SecurityProfileFactory.create(permissions=list(permissions), sees_all_studies=True)
    user = UserFactory.create(is_staff=True, security_profile=profile)
    client.force_login(user)
    return user


def add_run(connection: Connection, state: RunState) -> JobRun:
    now = get_now()
    return JobRun.objects.create(
        definition=JobDefinition.objects.get(key=TRANSFER_JOB_KEY),
        unit_key=str(connection.uid),
        unit_label=connection.name,
        slot=now,
        queued_at=now,
        state=state,
    )


def create_failing(**values: Any) -> Connection:
    """Create a connection with an open exception, a dismissed one, and a failed run."""
    message = create_exception_message(status=RecordStatus.ACTIVE)
    create_exception_item(message=message, dismissed_at=get_now(), dismissal_reason="Known", key=str(uuid.uuid4()))
    create_exception_item(message=message, error_type=ErrorType.MATCHING, key=str(uuid.uuid4()))
    add_run(get_integration(message).connection, RunState.FAILED)
    return get_integration(message).connection


# -- The list ---------------------------------------------------------------------------------------
def read_rows(client: Client) -> dict[str, list[str]]:
    """Return the texts of the list's columns by name of the connection."""
    page = client.get(LIST)
    model_admin, changelist = page.context["cl"].model_admin, page.context["cl"]
    return {
        str(connection): [
            model_admin.show_health(connection)[1],
            str(model_admin.show_last_success(connection)),
            str(model_admin.show_open_exceptions(connection)),
            str(model_admin.show_unmatched_persons(connection)),
        ]
        for connection in changelist.result_list
    }


def test_the_list_shows_at_a_glance_how_each_connection_fares(client: Client) -> None:
    log_in_admin(client)
    failing = create_failing()
    ConnectionFactory.create(name="Fresh")
    ConnectionFactory.create(name="Switched off", status=RecordStatus.INACTIVE)
    rows = read_rows(client)
    assert rows["Fresh"] == ["Unfinished", "Never", "0", "0"]
    assert rows["Switched off"] == ["Inactive", "Never", "0", "0"]
    health, success, exceptions, unmatched = rows[failing.name]
    assert (health, success, unmatched) == ("Failing", "Never", "2")
    assert exceptions.endswith(">2</a>")
    shown = client.get(LIST).content.decode()
    assert re.search(r"vault-badge danger [^>]*>\s*Failing", shown)
    assert re.search(r"vault-badge warning [^>]*>\s*Unfinished", shown)


def test_the_list_and_the_panels_tell_that_a_certificate_ends(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    log_in_admin(client)
    authorization = AuthorizationFactory.create(name="Ending", grant_flow=GrantFlow.JWT_BEARER)
    ConnectionFactory.create(authorization=authorization)
    create_certificate(authorization=authorization, actor=build_admin_actor())
    addresses = (LIST, "/admin/", "/home/administration/")
    told = "The certificate of Ending ends on"
    assert [url for url in addresses if told in client.get(url).content.decode()] == []
    later = get_now() + timedelta(days=certificates.VALID_DAYS - 1)
    monkeypatch.setattr(certificates, "get_now", lambda: later)
    assert [url for url in addresses if told not in client.get(url).content.decode()] == []


def test_the_number_of_exceptions_leads_to_them_for_those_who_may_read_them(client: Client) -> None:
    connection = create_failing()
    log_in_with(client, "connection__sys:read", "exception_item__sys:read")
    link = read_rows(client)[connection.name][2]
    url = link.partition("href='")[2].partition("'")[0].replace("&amp;", "&")
    assert list(client.get(url).context["cl"].result_list) == list(
        ExceptionItem.objects.filter(dismissed_at=None).order_by("message", "id")
    )
    log_in_with(client, "connection__sys:read")
    assert read_rows(client)[connection.name][2] == "2"


def test_ten_connections_take_as_many_statements_as_one(client: Client) -> None:
    log_in_admin(client)

    def count() -> int:
        with CaptureQueriesContext(database) as queries:
            assert client.get(LIST).status_code == 200
        return len(queries)

    create_failing()
    count()
    for_one = count()
    for _ in range(9):
        create_failing()
    count()  # which notes the use of the session, if the log-in is a minute ago
    assert count() == for_one


def test_an_empty_list_and_a_search_in_vain_have_their_page(client: Client) -> None:
    log_in_admin(client)
    assert client.get(LIST).status_code == client.get(LIST, {"q": "nothing"}).status_code == 200


# -- Deleting ---------------------------------------------------------------------------------------
def link_records(connection: Connection, number: int) -> None:
    integration = connection.integrations.all()[0]
    TransferLink.objects.bulk_create(
        TransferLink(integration=integration, record_uid=uuid.uuid4(), crm_id=f"a0X{n}") for n in range(number)
    )


def answer(client: Client, connection: Connection, fate: str, **values: Any) -> Any:
    typed = {"fate_of_links": fate, "read_version": connection.version, **values}
    return client.post(build_url(connection, "delete"), typed, follow=True)


def test_the_page_tells_what_goes_and_what_stays_and_has_no_answer_of_its_own(client: Client) -> None:
    log_in_admin(client)
    connection = create_failing()
    link_records(connection, 3)
    page = client.get(build_url(connection, "delete"))
    assert [(fact.what, fact.number) for fact in page.context["facts"]] == [
        ("Links of records", 3),
        ("Matches of persons and accounts", 0),
        ("User exception items", 3),
        ("Integration runs", 0),
        ("Medical Activities received", 0),
    ]
    shown = page.content.decode()
    assert "The records in the CRM stay exactly as they are" in shown
    assert "Forget them: delete the connection" in shown
    assert page.context["form"]["fate_of_links"].value() is None
    links = [client.get(fact.url) for fact in page.context["facts"] if fact.url]
    assert [response.status_code for response in links] == [200] * 4


@pytest.mark.parametrize("typed", [{}, {"post": "yes"}, {"fate_of_links": "burn"}])
def test_without_an_answer_nothing_is_deleted(client: Client, typed: dict[str, str]) -> None:
    log_in_admin(client)
    connection = ConnectionFactory.create()
    response = client.post(build_url(connection, "delete"), {**typed, "read_version": connection.version})
    assert "fate_of_links" in response.context["form"].errors
    assert Connection.objects.count() == 1


def test_forget_deletes_it_and_says_what_was_forgotten(client: Client) -> None:
    user = log_in_admin(client)
    connection = ConnectionFactory.create(name="NA")
    link_records(connection, 2)
    response = answer(client, connection, "forget")
    assert response.redirect_chain == [(LIST, 302)]
    [message] = list_messages(response)
    assert message == (
        "NA was deleted. Forgotten with it: 2 links, 0 account matches, 0 integration runs, 0 user exception items. "
        "The records in the CRM stay as they are."
    )
    assert (Connection.objects.count(), TransferLink.objects.count()) == (0, 0)
    entry = AuditEntry.objects.get(record_uid=connection.uid, action=AuditAction.DELETED)
    assert (entry.actor, entry.source) == (user, "admin")


def test_keep_makes_it_inactive_and_keeps_the_links(client: Client) -> None:
    log_in_admin(client)
    connection = ConnectionFactory.create(name="NA")
    link_records(connection, 2)
    response = answer(client, connection, "keep")
    assert list_messages(response) == ["NA was not deleted. It is Inactive and transfers nothing."]
    connection.refresh_from_db()
    assert (connection.status, TransferLink.objects.count()) == (RecordStatus.INACTIVE, 2)


def test_an_inactive_connection_can_only_be_forgotten(client: Client) -> None:
    log_in_admin(client)
    connection = ConnectionFactory.create(status=RecordStatus.INACTIVE)
    page = client.get(build_url(connection, "delete"))
    assert [value for value, _ in page.context["form"].fields["fate_of_links"].choices] == ["forget"]


def test_medical_activities_offer_deactivation_instead_of_a_form(client: Client) -> None:
    log_in_admin(client)
    connection = ConnectionFactory.create(name="NA")
    ActivityFactory.create(object_type="medical_activity__v", connection=connection, crm_id="a0X000000000001")
    page = client.get(build_url(connection, "delete")).content.decode()
    assert "NA cannot be deleted: 1 Medical Activity came from it" in page
    assert build_url(connection, "deactivate") in page
    assert "fate_of_links" not in page
    response = answer(client, connection, "forget")
    assert "NA cannot be deleted" in response.content.decode()
    assert Connection.objects.count() == 1


@pytest.mark.parametrize(("state", "word"), [(RunState.QUEUED, "scheduled"), (RunState.RUNNING, "running")])
def test_a_transfer_that_is_not_over_refuses_the_deletion_with_the_reason(
    client: Client, state: RunState, word: str
) -> None:
    log_in_admin(client)
    connection = ConnectionFactory.create(name="NA")
    run = add_run(connection, state)
    reason = f"NA cannot be deleted while a transfer of it is {word}."
    assert reason in client.get(build_url(connection, "delete")).content.decode()
    assert reason in answer(client, connection, "forget").content.decode()
    JobRun.objects.filter(pk=run.pk).update(state=RunState.SUCCEEDED)
    answer(client, connection, "forget")
    assert Connection.objects.count() == 0


def test_what_was_changed_since_the_page_was_opened_is_not_deleted(client: Client) -> None:
    log_in_admin(client)
    connection = ConnectionFactory.create()
    response = answer(client, connection, "forget", read_version=connection.version + 1)
    assert "Reload it" in list_messages(response)[0]
    assert Connection.objects.count() == 1


def test_connections_are_not_deleted_by_the_selection(client: Client) -> None:
    log_in_admin(client)
    connection = ConnectionFactory.create()
    assert client.get(LIST).context["action_form"] is None
    client.post(LIST, {"action": "delete_selected", "_selected_action": [connection.pk], "post": "yes"})
    assert Connection.objects.count() == 1


# -- The host's name --------------------------------------------------------------------------------
def test_a_host_without_address_is_saved_with_a_warning(
    client: Client, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Not asked of the name service of this machine, which may be slow, or have no network.
    monkeypatch.setattr("crm_sync.diagnostics.dns_warning.resolve_host", Mock(side_effect=socket.gaierror))
    log_in_admin(client)
    settings.CRM_ALLOWED_HOST_SUFFIXES = ["invalid"]
    response = submit(
        client,
        f"{LIST}add/",
        form_id=FORM,
        name="NA",
        url="https://na.invalid",
        authorization=AuthorizationFactory.create().pk,
    )
    connection = Connection.objects.get()
    messages = list_messages(client.get(response.url))
    assert messages[1].startswith("na.invalid has no address")
    response = submit(client, build_url(connection), form_id=FORM, description="The URL is as it was")
    assert len(list_messages(client.get(response.url))) == 1


def test_a_refused_url_is_not_looked_up(client: Client) -> None:
    log_in_admin(client)
    response = submit(client, f"{LIST}add/", form_id=FORM, name="NA", url="https://na.invalid")
    assert list(list_errors(response)) == ["url"]
    assert list_messages(response) == []


# -- Who may ----------------------------------------------------------------------------------------
def test_manage_connections_alone_is_enough_for_all_of_it(client: Client, settings: Any) -> None:
    settings.CRM_SANDBOX_ORIGINS = {f"{name}.crm.test": "http://127.0.0.1:9" for name in ("na", "emea")}
    log_in_with(client, MANAGE_CONNECTIONS)
    page = client.get(f"{LIST}add/")
    assert page.context["inline_admin_formsets"] != []
    submit(client, f"{LIST}add/", form_id=FORM, name="NA", url="https://na.crm.test")
    connection = Connection.objects.get(name="NA")
    copy = client.get(build_url(connection, "copy-to-new"))
    submit(client, copy.headers["Location"], form_id=FORM, name="EMEA", url="https://emea.crm.test")
    assert Connection.objects.get(name="EMEA").integrations.count() == 4
    submit(client, build_url(connection), form_id=FORM, description="Changed")
    for action, status in (("deactivate", RecordStatus.INACTIVE), ("activate", RecordStatus.ACTIVE)):
        assert client.post(build_url(connection, action)).status_code == 302
        connection.refresh_from_db()
        assert connection.status == status
    assert sorted(read_rows(client)) == ["EMEA", "NA"]
    answer(client, connection, "forget")
    assert [str(left) for left in Connection.objects.all()] == ["EMEA"]


@pytest.mark.parametrize("method", ["get", "post"])
@pytest.mark.parametrize(
    "page", ["", "add/", "{}/change/", "{}/delete/", "{}/copy-to-new/", "{}/activate/", "{}/deactivate/"]
)
def test_who_does_not_manage_connections_is_refused_at_every_door(client: Client, page: str, method: str) -> None:
    connection = ConnectionFactory.create()
    log_in_with(client, "admin:jobs", "study__v:read", "integration__sys:read", "exception_item__sys:read")
    typed = {"fate_of_links": "forget", "read_version": connection.version, "name": "x", "url": "https://x.crm.test"}
    response = getattr(client, method)(LIST + page.format(connection.pk), typed if method == "post" else None)
    assert response.status_code == 403
    connection.refresh_from_db()
    assert (Connection.objects.count(), connection.status) == (1, RecordStatus.ACTIVE)


def test_who_may_only_read_sees_the_list_and_deletes_nothing(client: Client) -> None:
    connection = ConnectionFactory.create(name="NA")
    log_in_with(client, "connection__sys:read")
    assert list(read_rows(client)) == ["NA"]
    assert client.get(build_url(connection, "delete")).status_code == 403
    assert answer(client, connection, "forget").status_code == 403
    assert answer(client, connection, "keep").status_code == 403
    connection.refresh_from_db()
    assert connection.status == RecordStatus.ACTIVE


def test_who_may_delete_but_not_edit_is_not_offered_to_deactivate(client: Client) -> None:
    connection = ConnectionFactory.create()
    log_in_with(client, "connection__sys:read", "connection__sys:delete")
    page = client.get(build_url(connection, "delete"))
    assert [value for value, _ in page.context["form"].fields["fate_of_links"].choices] == ["forget"]
    assert "fate_of_links" in answer(client, connection, "keep").context["form"].errors
    connection.refresh_from_db()
    assert connection.status == RecordStatus.ACTIVE
