"""Log-in by JWT bearer at the sandbox: what it accepts, how it refuses, and what the Vault says to do about it."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
import requests

from connections.certificates import create_certificate
from connections.choices import Audience, GrantFlow
from connections.models import Connection, ConnectionAuthorization
from connections.services import enter_connected_app_details
from crm_sync.crm.errors import AuthenticationError, ConfigurationError
from crm_sync.diagnostics.connection_test import CheckState, check_connection
from crm_sync.salesforce import jwt_bearer, session
from crm_sync.salesforce.client import ClientOptions, Credentials, CrmClient
from crm_sync.salesforce.client_factory import build_client
from crm_sync.salesforce.options import KeyPair
from ctms.audit.services import save_record
from ctms.core.clock import get_now
from tests.crm_sync.conftest import MakeClient
from tests.crm_sync.scripted_server import Reply, ScriptedServer
from tests.crm_sync.world import World
from tests.factories.base import build_admin_actor

pytestmark = [pytest.mark.django_db, pytest.mark.both_databases]


def choose_jwt(authorization: ConnectionAuthorization, *, key: str, audience: Audience = Audience.MY_DOMAIN) -> None:
    enter_connected_app_details(
        authorization=authorization,
        consumer_key=key,
        consumer_secret="",
        grant_flow=GrantFlow.JWT_BEARER,
        audience=audience,
        actor=build_admin_actor(),
    )


@pytest.fixture
def authorization(world: World) -> ConnectionAuthorization:
    """Return the authorization of `world`, which logs in with a certificate that the organisation has."""
    found = world.connection.authorization
    assert found is not None
    choose_jwt(found, key=world.crm.connected_app.client_id)
    create_certificate(authorization=found, actor=build_admin_actor())
    world.crm.organisation.upload_certificate(pem=found.certificate)
    return found


def read(world: World) -> Connection:
    return Connection.objects.get(pk=world.connection.pk)


def log_in(world: World) -> CrmClient:
    with build_client(connection=read(world), max_attempts=1) as client:
        client.probe()
        client.log_in()
        return client


@pytest.mark.parametrize("audience", list(Audience))
def test_the_vault_logs_in_with_a_certificate_at_each_host(
    world: World, authorization: ConnectionAuthorization, audience: Audience
) -> None:
    choose_jwt(authorization, key=world.crm.connected_app.client_id, audience=audience)
    client = log_in(world)
    assert client.organisation_id == world.crm.organisation.id[:15]
    assert client.proven_certificate == authorization.certificate


def test_every_step_of_the_test_passes(world: World, authorization: ConnectionAuthorization) -> None:
    steps = check_connection(connection=read(world))
    assert {step.state for step in steps} == {CheckState.PASSED}
    told = {step.title: step.message for step in steps}
    assert told["Token"] == "na.crm.test gave a token by JWT bearer (certificate)."
    assert told["Identity"].startswith(f"Logged in as {authorization.username} to the organisation 00D")


def test_a_renewed_certificate_is_used_from_its_first_log_in(
    world: World, authorization: ConnectionAuthorization
) -> None:
    first = authorization.certificate
    create_certificate(authorization=authorization, actor=build_admin_actor())
    second = authorization.next_certificate
    token = next(step for step in check_connection(connection=read(world)) if step.title == "Token")
    assert (token.state, token.remedy[:26]) == (CheckState.WARNING, "Upload the new certificate")
    world.transfer()
    authorization.refresh_from_db()
    assert (authorization.certificate, authorization.next_certificate) == (first, second)

    world.crm.organisation.upload_certificate(pem=second)
    world.transfer()
    authorization.refresh_from_db()
    assert (authorization.certificate, authorization.next_certificate) == (second, "")


def test_another_certificate_is_an_invalid_assertion(world: World, authorization: ConnectionAuthorization) -> None:
    create_certificate(authorization=authorization, actor=build_admin_actor())
    world.crm.organisation.upload_certificate(pem=authorization.next_certificate)
    authorization.next_certificate = authorization.next_private_key = ""
    save_record(record=authorization, actor=build_admin_actor())
    with pytest.raises(AuthenticationError, match="invalid assertion") as caught:
        log_in(world)
    assert caught.value.remedy.startswith("Upload to the app in the CRM the certificate")


def test_an_unknown_consumer_key_is_told(world: World, authorization: ConnectionAuthorization) -> None:
    choose_jwt(authorization, key="unknown")
    with pytest.raises(AuthenticationError, match="client identifier invalid") as caught:
        log_in(world)
    assert "Check the consumer key" in caught.value.remedy


def test_a_user_who_is_not_pre_authorised_is_told(world: World, authorization: ConnectionAuthorization) -> None:
    authorization.username = "nobody@crm.test"
    save_record(record=authorization, actor=build_admin_actor())
    with pytest.raises(AuthenticationError, match="user hasn't approved this consumer") as caught:
        log_in(world)
    assert caught.value.remedy.startswith("Pre-authorise the user in the CRM")


@pytest.mark.parametrize(("minutes", "side"), [(-10, "behind"), (10, "ahead of")])
def test_an_expired_assertion_is_told_with_the_offset_of_the_clocks(
    world: World, authorization: ConnectionAuthorization, minutes: int, side: str
) -> None:
    assert authorization.certificate
    world.misbehave(settings={"clock_skew_seconds": -60 * minutes})
    with pytest.raises(AuthenticationError, match="expired authorization code") as caught:
        log_in(world)
    assert f"seconds {side} the CRM's" in caught.value.remedy


@pytest.mark.parametrize("audience", ["https://elsewhere.example", "https://", "https://[", ""])
def test_an_audience_that_is_not_the_organisations_is_told(
    world: World, authorization: ConnectionAuthorization, monkeypatch: pytest.MonkeyPatch, audience: str
) -> None:
    assert authorization.certificate
    made = jwt_bearer.build_assertion
    monkeypatch.setattr(session, "build_assertion", lambda **values: made(**values | {"audience": audience}))
    with pytest.raises(AuthenticationError, match="audience is invalid") as caught:
        log_in(world)
    assert caught.value.remedy.startswith("Choose another host as Log in at")


def test_the_sandbox_gives_no_token_for_more_than_three_minutes(
    world: World, authorization: ConnectionAuthorization, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert authorization.certificate
    monkeypatch.setattr(session, "get_now", lambda: get_now() + timedelta(seconds=90))
    with pytest.raises(AuthenticationError, match="expired authorization code"):
        log_in(world)


def test_a_token_for_another_organisation_than_the_connections_is_refused() -> None:
    credentials = Credentials(flow="jwt_bearer", audience="https://login.salesforce.com")
    options = ClientOptions(allowed_host_suffixes=("salesforce.com",))
    answer = {"access_token": "token", "instance_url": "https://other.my.salesforce.com"}
    with CrmClient(base_url="https://na.my.salesforce.com", credentials=credentials, options=options) as client:
        assert client.log_in_host == "login.salesforce.com"
        with pytest.raises(ConfigurationError, match=r"logged in to other\.my\.salesforce\.com, not to na\.my"):
            client._connection._read_token(answer)


def test_a_host_for_log_ins_must_be_on_the_allow_list() -> None:
    credentials = Credentials(flow="jwt_bearer", audience="https://login.salesforce.com")
    options = ClientOptions(allowed_host_suffixes=("veevacrm.com",))
    with pytest.raises(ConfigurationError, match=r"login\.salesforce\.com is refused"):
        CrmClient(base_url="https://na.veevacrm.com", credentials=credentials, options=options)


def test_what_was_signed_is_not_told_when_the_crm_sends_it_back(
    scripted: ScriptedServer, make_client: MakeClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    signed = "header.body.signature-of-the-request"
    monkeypatch.setattr(session, "build_assertion", lambda **_values: signed)
    pair = KeyPair(private_key="canary-key", certificate="certificate")
    client = make_client(credentials=Credentials(flow="jwt_bearer", username="u", key_pairs=(pair,)))
    scripted.token_replies = [
        Reply({"error": "invalid_grant", "error_description": f"{signed} canary-key"}, status=400)
    ]
    with pytest.raises(AuthenticationError) as caught:
        client.log_in()
    assert signed not in str(caught.value)
    assert "canary" not in str(caught.value) + repr(pair)
    grant = {"grant_type": "urn:ietf:params:oauth:grant-type:jwt-bearer", "assertion": signed}
    assert scripted.received[0].form == grant


def test_a_certificate_is_uploaded_over_http_and_anything_else_is_refused(world: World, authorization: Any) -> None:
    address = f"{world.crm.base_url}/_sandbox/certificate"
    refused = requests.post(address, data="no certificate", timeout=60)
    assert (refused.status_code, "no certificate" in refused.text) == (400, True)
    create_certificate(authorization=authorization, actor=build_admin_actor())
    uploaded = requests.post(address, data=authorization.next_certificate, timeout=60)
    assert uploaded.json()["client_id"] == world.crm.connected_app.client_id
    form = {"certificate": authorization.certificate, "client_id": world.crm.connected_app.client_id}
    page = requests.post(f"{world.crm.base_url}/certificate", data=form, timeout=60)
    assert "Uploaded" in page.text
    assert log_in(world).proven_certificate == authorization.certificate
