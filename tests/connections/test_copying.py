"""*Copy to New*: a connection is created with the settings and rules of another."""

from __future__ import annotations

import re
import uuid
from functools import partial
from typing import Any

import pytest
import requests
from django.conf import settings
from django.core.exceptions import ValidationError
from django.test import Client
from django.urls import reverse
from pytest_django.live_server_helper import LiveServer

from connections.choices import IntegrationKind
from connections.copies import suggest_copy_name
from connections.models import MAX_CONNECTIONS, Connection, FieldRule, Integration, IntegrationProgress
from connections.services import NO_ROOM, note_test_passed, set_connection_status
from crm_sync.models import AccountMatch, IntegrationRun, TransferLink
from ctms.accounts.models import User
from ctms.audit.services import save_record
from ctms.core.choices import RecordStatus
from ctms.core.clock import get_now
from exceptions_log.models import ExceptionMessage
from tests.admin_forms import fill, list_errors, list_messages, log_in_admin, read_form, submit, submit_values
from tests.admin_rows import create_job_run
from tests.connections.test_services import read_rules
from tests.factories.accounts import SecurityProfileFactory, UserFactory
from tests.factories.base import build_admin_actor
from tests.factories.clinical import PersonFactory
from tests.factories.connections import ConnectionFactory, IdentifierMappingFactory
from tests.reliability.simultaneous import call_at_once

pytestmark = [pytest.mark.django_db, pytest.mark.both_databases]

FORM = "connection_form"
OTHER_URL = "https://emea.my.salesforce.com"


def build_url(connection: Connection, page: str) -> str:
    return reverse("admin:connections_connection_change", args=(connection.pk,)).replace("change", page)


def get_form_url(source: Connection) -> str:
    return f"{reverse('admin:connections_connection_add')}?copy_of={source.pk}"


def log_in_with(client: Client, *permissions: str) -> User:
    profile = SecurityProfileFactory.create(permissions=list(permissions))
    user = UserFactory.create(is_staff=True, security_profile=profile)
    client.force_login(user)
    return user


def create_source() -> Connection:
    """Create a connection whose fields and rules all differ from the defaults."""
    source = ConnectionFactory.create(
        name="North America",
        description="Medical CRM of North America",
        contact_email="crm@example.org",
        connect_timeout=7,
        read_timeout=77,
        concurrency=3,
        quota_percent=66,
        authorized_connection_user=UserFactory.create(),
    )
    IdentifierMappingFactory.create(
        connection=source, clinical_person_identifier="npi__v", crm_account_identifier="NPI_vod__c"
    )
    rule = FieldRule.objects.get(rule__integration__connection=source, source="from__v")
    rule.status = RecordStatus.INACTIVE
    save_record(record=rule, actor=build_admin_actor())
    integration = source.integrations.get(kind=IntegrationKind.SITE_OUTBOUND)
    integration.status = RecordStatus.INACTIVE
    save_record(record=integration, actor=build_admin_actor())
    return source


def leave_traces(source: Connection) -> None:
    """Create rows of transfers, which a copy does not get."""
    integration = source.integrations.all()[0]
    now = get_now()
    IntegrationProgress.objects.filter(integration=integration).update(watermark=now, last_successful_run_at=now)
    TransferLink.objects.create(integration=integration, record_uid=uuid.uuid4(), crm_id="a0X")
    AccountMatch.objects.create(
        connection=source, person=PersonFactory.create(), identifier="npi__v = NPI", value="1", account_id="001"
    )
    run = create_job_run()
    IntegrationRun.objects.create(run=run, integration=integration, started_at=now)
    ExceptionMessage.objects.create(name="Failed", connection=source, integration=integration, run=run, created_at=now)


def test_the_action_leads_to_a_form_that_is_filled_but_for_the_url_and_names_its_source(client: Client) -> None:
    log_in_admin(client)
    source = create_source()
    response = client.get(build_url(source, "copy-to-new"))
    assert response.headers["Location"] == get_form_url(source)
    page = client.get(response.headers["Location"])
    values = {name: value for name, (value, *_) in read_form(page, form_id=FORM).items()}
    mapping = "identifier_mapping-0"
    hidden = {"csrfmiddlewaretoken", "read_version"}
    assert {name: value for name, value in values.items() if "-" not in name and name not in hidden} == {
        "name": "North America (copy)",
        "url": "",
        "description": "",
        "api_name": "",
        "contact_email": "crm@example.org",
        "connect_timeout": "7",
        "read_timeout": "77",
        "concurrency": "3",
        "quota_percent": "66",
        "pace": "hourly",
        "callback_scope": "read",
        "callback_minutes": "15",
        "callback_header": "",
    }
    assert (values[f"{mapping}-clinical_person_identifier"], values[f"{mapping}-crm_account_identifier"]) == (
        "npi__v",
        "NPI_vod__c",
    )
    shown = page.content.decode()
    assert "authorization" in page.context["adminform"].form.fields
    assert page.context["adminform"].form.initial.get("authorization") is None
    assert "Copy North America to a new connection" in shown
    assert f"North America leads to {source.url}, and two connections cannot lead to one organisation." in shown
    assert Connection.objects.count() == 1


def test_a_saved_copy_has_the_configuration_of_its_source_and_nothing_of_its_transfers(client: Client) -> None:
    log_in_admin(client)
    source = create_source()
    leave_traces(source)
    response = submit(client, get_form_url(source), form_id=FORM, name="EMEA", url=OTHER_URL)
    copy = Connection.objects.get(name="EMEA")
    assert response.url == reverse("admin:connections_connection_page", args=(copy.pk,))
    assert read_rules(copy) == read_rules(source)
    assert (copy.status, copy.api_name, copy.url) == (RecordStatus.INACTIVE, "emea__c", OTHER_URL)
    assert (copy.authorization, copy.description) == (None, "")
    assert copy.authorized_connection_user is None  # authorised for the organisation of the source
    same = ("contact_email", "read_timeout")
    assert [getattr(copy, name) for name in same] == [getattr(source, name) for name in same]
    mapping = copy.identifier_mapping
    assert (mapping.clinical_person_identifier, mapping.crm_account_identifier) == ("npi__v", "NPI_vod__c")
    progress = IntegrationProgress.objects.filter(integration__connection=copy)
    assert {(p.watermark, p.last_successful_run_at, p.outcome_unknown) for p in progress} == {(None, None, False)}
    assert [
        model.objects.filter(**{path: copy}).count()
        for model, path in (
            (TransferLink, "integration__connection"),
            (AccountMatch, "connection"),
            (IntegrationRun, "integration__connection"),
            (ExceptionMessage, "connection"),
        )
    ] == [0, 0, 0, 0]


def test_a_copy_cannot_be_activated_before_its_test_has_passed_once(client: Client) -> None:
    log_in_admin(client)
    submit(client, get_form_url(create_source()), form_id=FORM, name="EMEA", url=OTHER_URL)
    copy = Connection.objects.get(name="EMEA")
    page = client.post(build_url(copy, "activate")).content.decode()
    assert "has to pass its test before it is activated" in page
    copy.refresh_from_db()
    assert copy.status == RecordStatus.INACTIVE
    with pytest.raises(ValidationError, match="has to pass its test"):
        set_connection_status(connection=copy, status=RecordStatus.ACTIVE, actor=build_admin_actor())

    copy.refresh_from_db()
    note_test_passed(connection=copy, actor=build_admin_actor())
    set_connection_status(connection=copy, status=RecordStatus.ACTIVE, actor=build_admin_actor())
    assert Connection.objects.get(name="EMEA").status == RecordStatus.ACTIVE


def test_the_copied_mapping_can_be_changed_or_left_out_before_saving(client: Client) -> None:
    log_in_admin(client)
    source = create_source()
    row = "identifier_mapping-0-"
    changed = {"name": "One", "url": OTHER_URL, f"{row}crm_account_identifier": "Other_vod__c"}
    submit_values(client, get_form_url(source), form_id=FORM, typed=changed)
    assert Connection.objects.get(name="One").identifier_mapping.crm_account_identifier == "Other_vod__c"
    emptied = {
        "name": "Two",
        "url": "https://two.my.salesforce.com",
        f"{row}clinical_person_identifier": "",
        f"{row}crm_account_identifier": "",
    }
    submit_values(client, get_form_url(source), form_id=FORM, typed=emptied)
    assert not hasattr(Connection.objects.get(name="Two"), "identifier_mapping")


def test_a_copy_to_the_same_organisation_is_refused_and_keeps_what_was_typed(client: Client) -> None:
    log_in_admin(client)
    source = create_source()
    response = submit(client, get_form_url(source), form_id=FORM, name="Again", url=source.url)
    assert list_errors(response) == {
        "url": ["Another connection leads to this organisation; calls would be received twice."]
    }
    values = read_form(response, form_id=FORM)
    assert (values["name"], values["identifier_mapping-0-crm_account_identifier"]) == (["Again"], ["NPI_vod__c"])
    assert Integration.objects.count() == 4


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        (["NA"], "NA (copy)"),
        (["NA", "NA (copy)"], "NA (copy 2)"),
        (["NA", "NA (copy)", "NA (copy 2)"], "NA (copy 3)"),
        (["N" * 128], "N" * 121 + " (copy)"),
    ],
)
def test_the_suggested_name_is_free_and_not_too_long(names: list[str], expected: str) -> None:
    created = [ConnectionFactory.create(name=name, api_name=f"number_{n}__c") for n, name in enumerate(names)]
    assert suggest_copy_name(created[0]) == expected


# -- Who may ----------------------------------------------------------------------------------------
def test_who_adds_and_reads_connections_may_copy_one_with_its_mapping_though_without_a_right_to_those(
    client: Client,
) -> None:
    source = create_source()
    log_in_with(client, "connection__sys:read", "connection__sys:create", "connection_authorization__sys:read")
    page = client.get(get_form_url(source))
    assert page.context["inline_admin_formsets"] == []
    submit(client, get_form_url(source), form_id=FORM, name="EMEA", url=OTHER_URL)
    copy = Connection.objects.get(name="EMEA")
    assert copy.identifier_mapping.crm_account_identifier == "NPI_vod__c"
    assert read_rules(copy) == read_rules(source)


@pytest.mark.parametrize("permissions", [["connection__sys:read", "connection__sys:edit"], ["connection__sys:create"]])
def test_who_may_not_add_or_not_read_is_refused_at_every_door(client: Client, permissions: list[str]) -> None:
    source = create_source()
    log_in_with(client, *permissions)
    typed = {"name": "EMEA", "url": OTHER_URL}
    assert client.get(build_url(source, "copy-to-new")).status_code == 403
    assert client.get(get_form_url(source)).status_code == 403
    assert client.post(get_form_url(source), typed).status_code == 403
    assert Connection.objects.count() == 1


def test_the_action_is_offered_to_those_who_may_copy(client: Client) -> None:
    source = ConnectionFactory.create()
    for permissions, offered in ((["create"], True), ([], False)):
        log_in_with(client, "connection__sys:read", *(f"connection__sys:{name}" for name in permissions))
        actions = client.get(build_url(source, "change")).context["actions_detail"]
        assert ("Copy to New" in [entry["title"] for entry in actions]) is offered


@pytest.mark.parametrize("key", ["0", "no-number"])
def test_a_source_that_is_gone_leads_back_with_a_word(client: Client, key: str) -> None:
    log_in_admin(client)
    response = client.get(f"{reverse('admin:connections_connection_add')}?copy_of={key}", follow=True)
    assert response.redirect_chain == [(reverse("admin:connections_connection_changelist"), 302)]
    assert "no such connection here" in list_messages(response)[0]


# -- Ten at most ------------------------------------------------------------------------------------
def test_at_ten_neither_the_action_nor_add_leads_to_a_form_but_both_say_why(client: Client) -> None:
    log_in_admin(client)
    source, *_ = ConnectionFactory.create_batch(MAX_CONNECTIONS)
    refused = client.get(build_url(source, "copy-to-new"), follow=True)
    assert refused.redirect_chain == [(reverse("admin:connections_connection_page", args=(source.pk,)), 302)]
    assert list_messages(refused) == [f"{source} was not copied. {NO_ROOM}"]
    for url in (get_form_url(source), reverse("admin:connections_connection_add")):
        refused = client.get(url, follow=True)
        assert refused.redirect_chain == [(reverse("admin:connections_connection_changelist"), 302)]
        assert list_messages(refused) == [NO_ROOM]


def test_the_tenth_place_lost_while_typing_is_told_in_the_form_with_all_that_was_typed(client: Client) -> None:
    log_in_admin(client)
    source, *_ = ConnectionFactory.create_batch(MAX_CONNECTIONS - 1)
    form = client.get(get_form_url(source))
    ConnectionFactory.create()
    typed = {"name": "Eleven", "url": "https://eleven.my.salesforce.com"}
    response = client.post(get_form_url(source), fill(read_form(form, form_id=FORM), typed=typed))
    assert list_errors(response) == {"__all__": [NO_ROOM]}
    assert read_form(response, form_id=FORM)["name"] == ["Eleven"]
    assert Connection.objects.count() == MAX_CONNECTIONS


@pytest.mark.django_db(transaction=True)
def test_ten_copies_at_the_same_moment_beside_nine_connections_leave_exactly_ten(
    live_server: LiveServer, client: Client
) -> None:
    log_in_admin(client)
    source = create_source()
    ConnectionFactory.create_batch(MAX_CONNECTIONS - 2)
    url = f"{live_server.url}{get_form_url(source)}"

    def open_form() -> tuple[requests.Session, dict[str, Any]]:
        session = requests.Session()
        session.cookies.set(settings.SESSION_COOKIE_NAME, client.cookies[settings.SESSION_COOKIE_NAME].value)
        page = session.get(url, timeout=60)
        return session, read_form(_Page(page.content), form_id=FORM)

    def save(session: requests.Session, values: dict[str, Any]) -> requests.Response:
        return session.post(url, data=values, allow_redirects=False, timeout=120)

    forms = [open_form() for _ in range(10)]
    filled = [
        partial(save, session, fill(values, typed={"name": f"Copy {n}", "url": f"https://copy-{n}.my.salesforce.com"}))
        for n, (session, values) in enumerate(forms)
    ]
    answers = call_at_once(filled)

    assert sorted(answer.status_code for answer in answers) == [200] * 9 + [302]
    refusals = [answer.text for answer in answers if answer.status_code == 200]
    assert [len(re.findall(re.escape(NO_ROOM), text)) for text in refusals] == [1] * 9
    assert sorted(Connection.objects.values_list("slot", flat=True)) == list(range(1, MAX_CONNECTIONS + 1))
    copy = Connection.objects.get(name__startswith="Copy ")
    assert read_rules(copy) == read_rules(source)
    assert copy.identifier_mapping.crm_account_identifier == "NPI_vod__c"
    assert Integration.objects.count() == 4 * MAX_CONNECTIONS


class _Page:
    """The part of a response that `read_form` uses, for an answer over HTTP."""

    def __init__(self, content: bytes) -> None:
        self.content = content
