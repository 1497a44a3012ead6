"""Log-ins: getting a token, keeping it, and replacing a lost one."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import Any

import pytest

from crm_sync.crm.errors import (
    AuthenticationError,
    ConfigurationError,
)
from crm_sync.salesforce.client import ClientOptions, Credentials, CrmClient
from tests.crm_sync.conftest import PASSWORD_LOG_IN, MakeClient
from tests.crm_sync.scripted_answers import ALWAYS, LIMITS
from tests.crm_sync.scripted_server import Received, Reply, ScriptedServer, error


def test_a_password_log_in_sends_the_user_and_the_connected_app(
    scripted: ScriptedServer, make_client: MakeClient
) -> None:
    client = make_client()
    client.log_in()
    assert [(request.method, request.path) for request in scripted.received] == [("POST", "/services/oauth2/token")]
    assert scripted.received[0].form == {
        "grant_type": "password",
        "client_id": PASSWORD_LOG_IN.consumer_key,
        "client_secret": PASSWORD_LOG_IN.consumer_secret,
        "username": PASSWORD_LOG_IN.username,
        "password": PASSWORD_LOG_IN.password,
    }
    assert client.api_calls == 1


def test_a_client_credentials_log_in_sends_no_user(scripted: ScriptedServer, make_client: MakeClient) -> None:
    make_client(credentials=Credentials(flow="client_credentials", consumer_key="k", consumer_secret="s")).log_in()
    assert scripted.received[0].form == {"grant_type": "client_credentials", "client_id": "k", "client_secret": "s"}


def test_the_first_call_logs_in_by_itself_and_the_token_is_kept(
    scripted: ScriptedServer, make_client: MakeClient
) -> None:
    scripted.replies = [Reply(LIMITS), Reply(LIMITS)]
    client = make_client()
    assert [client.get_limits(), client.get_limits()] == [LIMITS, LIMITS]
    assert [request.headers["Authorization"] for request in scripted.calls] == ["Bearer token-1", "Bearer token-1"]
    assert (scripted.log_ins, scripted.connections, client.api_calls) == (1, 1, 3)


@pytest.mark.parametrize(
    ("flow", "code", "advice"),
    [
        ("password", "invalid_grant", "choose client credentials in Enter Connected App Details"),
        ("password", "unsupported_grant_type", "The CRM does not allow the password flow: choose client credentials"),
        ("password", "invalid_client", "Check the consumer key and consumer secret"),
        ("client_credentials", "invalid_grant", "the client credentials flow and names the user it runs as"),
    ],
)
def test_a_refused_log_in_says_what_to_change(
    scripted: ScriptedServer, make_client: MakeClient, flow: Any, code: str, advice: str
) -> None:
    scripted.token_replies = [Reply({"error": code, "error_description": "authentication failure"}, status=400)]
    credentials = Credentials(flow=flow, username="u", password="p", consumer_key="k", consumer_secret="s")
    with pytest.raises(AuthenticationError) as caught:
        make_client(credentials=credentials).log_in()
    assert caught.value.message == "na.crm.test refused the log-in: authentication failure."
    assert (caught.value.code, caught.value.error_type) == (code, "authentication")
    assert advice in str(caught.value)
    assert scripted.log_ins == 1


@pytest.mark.parametrize("flow", ["password", "client_credentials"])
@pytest.mark.parametrize(
    ("told", "advice"),
    [
        (("invalid_grant", "ip restricted"), "append the user's security token to the password"),
        (("LOGIN_MUST_USE_SECURITY_TOKEN", "Invalid username, password, security token"), "trusted IP ranges"),
        (("RESTRICTED_DOMAIN", ""), "trusted IP ranges"),
        (("inactive_user", "user is inactive"), "Activate the user in the CRM"),
        (("inactive_org", "organization is inactive"), "organisation itself is switched off or locked"),
        (("ORG_LOCKED", ""), "organisation itself is switched off or locked"),
        (("invalid_grant", "API is not enabled for this Organization or Partner"), "the permission API Enabled"),
        (("API_DISABLED_FOR_ORG", "API is disabled for this User"), "the permission API Enabled"),
        (("invalid_grant", "expired password"), "choose a new password"),
        (("INVALID_OPERATION_WITH_EXPIRED_PASSWORD", "The users password has expired"), "choose a new password"),
        (("invalid_app_access", "user is not admin approved to access this app"), "approve the connected app"),
        (("invalid_grant", "user hasn't approved this consumer"), "Pre-authorise the user"),
        (("OAUTH_APP_BLOCKED", "this app is blocked by admin"), "approve the connected app"),
        (("rate_limit_exceeded", "login rate exceeded"), "logged in too often within an hour"),
        (("LOGIN_RATE_EXCEEDED", ""), "logged in too often within an hour"),
        (("PASSWORD_LOCKOUT", ""), "Unlock the user"),
        (("LOGIN_DURING_RESTRICTED_TIME", ""), "login hours"),
    ],
)
def test_a_refused_log_in_has_the_remedy_of_its_cause(
    scripted: ScriptedServer, make_client: MakeClient, told: tuple[str, str], advice: str, flow: Any
) -> None:
    scripted.token_replies = [Reply({"error": told[0], "error_description": told[1]}, status=400)]
    credentials = Credentials(flow=flow, username="u", password="p", consumer_key="k", consumer_secret="s")
    with pytest.raises(AuthenticationError) as caught:
        make_client(credentials=credentials).log_in()
    assert advice in caught.value.remedy
    assert "choose client credentials" not in caught.value.remedy


@pytest.mark.parametrize(
    ("code", "description"),
    [
        ("invalid_grant", "authentication failure"),
        ("INVALID_LOGIN", "Invalid username, password, security token; or user locked out."),
    ],
)
def test_an_authentication_failure_says_where_the_security_token_belongs(
    scripted: ScriptedServer, make_client: MakeClient, code: str, description: str
) -> None:
    scripted.token_replies = [Reply({"error": code, "error_description": description}, status=400)]
    with pytest.raises(AuthenticationError, match="the user's security token belongs directly behind the password"):
        make_client().log_in()


def test_a_user_without_the_api_is_told_what_to_allow_after_the_log_in_too(
    scripted: ScriptedServer, make_client: MakeClient
) -> None:
    scripted.replies = [error(403, "API_DISABLED_FOR_ORG", "The REST API is not enabled for this Organization")]
    with pytest.raises(ConfigurationError, match="the permission API Enabled"):
        make_client().get_limits()


def test_a_refused_log_in_is_not_tried_again_by_other_threads(
    scripted: ScriptedServer, make_client: MakeClient
) -> None:
    refusal = Reply({"error": "invalid_grant", "error_description": "authentication failure"}, status=400)
    scripted.token_replies = [refusal] * ALWAYS
    client = make_client()

    def call(_: int) -> str:
        with pytest.raises(AuthenticationError) as caught:
            client.get_limits()
        return caught.value.message

    with ThreadPoolExecutor(4) as pool:
        assert set(pool.map(call, range(8))) == {"na.crm.test refused the log-in: authentication failure."}
    assert scripted.log_ins == 1


def test_a_log_in_is_repeated_when_the_crm_stumbles(scripted: ScriptedServer, make_client: MakeClient) -> None:
    scripted.token_replies = [Reply(status=503), Reply(drop="before"), Reply(body=b"<html>"), Reply({"no": "token"})]
    make_client().log_in()
    assert scripted.log_ins == 5


@pytest.mark.parametrize("instance_url", ["https://evil.example", "http://169.254.169.254", "https://10.0.0.1"])
def test_a_token_never_goes_to_an_instance_that_is_not_allowed(
    scripted: ScriptedServer, make_client: MakeClient, instance_url: str
) -> None:
    scripted.instance_url = instance_url
    with pytest.raises(ConfigurationError, match="is refused"):
        make_client().get_limits()
    assert scripted.calls == []


def test_a_base_url_that_is_not_allowed_is_refused_before_anything_is_sent() -> None:
    with pytest.raises(ConfigurationError, match="not on the allow-list"):
        CrmClient(base_url="https://evil.example", credentials=PASSWORD_LOG_IN, options=ClientOptions())


@pytest.mark.parametrize(
    "options", [{"api_version": "v60.0/../x"}, {"max_attempts": 0}, {"quota_share": 0.0}, {"read_timeout": 0.0}]
)
def test_options_that_no_client_can_work_with_are_refused(options: dict[str, Any]) -> None:
    with pytest.raises(ConfigurationError) as caught:
        ClientOptions(**options)
    assert caught.value.message == f"{next(iter(options))} cannot be {next(iter(options.values()))!r}."


def test_a_lost_session_costs_one_new_log_in(scripted: ScriptedServer, make_client: MakeClient) -> None:
    scripted.replies = [Reply(LIMITS), error(401, "INVALID_SESSION_ID"), Reply(LIMITS)]
    client = make_client()
    assert [client.get_limits(), client.get_limits()] == [LIMITS, LIMITS]
    assert [request.headers["Authorization"] for request in scripted.calls] == [
        "Bearer token-1",
        "Bearer token-1",
        "Bearer token-2",
    ]
    assert client.api_calls == 5


def test_a_session_lost_right_after_a_new_log_in_ends_the_run(
    scripted: ScriptedServer, make_client: MakeClient
) -> None:
    scripted.answer = lambda _: error(401, "INVALID_SESSION_ID")
    with pytest.raises(AuthenticationError) as caught:
        make_client().get_limits()
    assert caught.value.message == "na.crm.test took the session away right after a new log-in."
    assert (scripted.log_ins, len(scripted.calls)) == (2, 2)


def test_threads_that_lose_the_same_session_share_one_log_in(scripted: ScriptedServer, make_client: MakeClient) -> None:
    all_have_called = Barrier(4)

    def refuse_the_first_token(request: Received) -> Reply:
        if request.headers["Authorization"] == "Bearer token-1":
            all_have_called.wait(60)
            return error(401, "INVALID_SESSION_ID")
        return Reply(LIMITS)

    scripted.answer = refuse_the_first_token
    client = make_client()
    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(lambda _: client.get_limits(), range(4))) == [LIMITS] * 4
    assert scripted.log_ins == 2
    assert client.api_calls == 10
