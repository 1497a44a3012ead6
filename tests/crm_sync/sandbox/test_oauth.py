"""Log-in by OAuth and SOAP."""

import base64
import hashlib
import hmac
from typing import Any

import pytest
import requests

from crm_sync.sandbox import RunningSandbox
from tests.crm_sync.sandbox.conftest import Api, describe_error


def ask_token(sandbox: RunningSandbox, **form: str) -> requests.Response:
    """Ask for a token with the right credentials, changed by `form`."""
    user, app = sandbox.user, sandbox.connected_app
    complete = {
        "grant_type": "password",
        "client_id": app.client_id,
        "client_secret": app.client_secret,
        "username": user.username,
        "password": user.password,
        **form,
    }
    data = {key: value for key, value in complete.items() if value}
    return requests.post(f"{sandbox.base_url}/services/oauth2/token", data=data, timeout=30)


def test_a_token_is_signed_and_opens_the_api(sandbox: RunningSandbox) -> None:
    response = ask_token(sandbox)
    token = response.json()
    assert set(token) == {"access_token", "instance_url", "id", "token_type", "issued_at", "signature"}
    assert token["instance_url"] == sandbox.base_url
    assert token["id"] == f"{sandbox.base_url}/id/{sandbox.organisation.id}/{sandbox.user.id}"
    assert token["token_type"] == "Bearer"
    secret = sandbox.connected_app.client_secret.encode()
    digest = hmac.new(secret, (token["id"] + token["issued_at"]).encode(), hashlib.sha256).digest()
    assert token["signature"] == base64.b64encode(digest).decode()
    for scheme in ("Bearer", "OAuth", "bearer"):
        answer = requests.get(
            f"{sandbox.base_url}/services/data/v60.0/limits",
            headers={"Authorization": f"{scheme} {token['access_token']}"},
            timeout=30,
        )
        assert answer.status_code == 200


def test_the_instance_url_is_the_one_the_client_used(sandbox: RunningSandbox) -> None:
    app = sandbox.connected_app
    response = requests.post(
        f"{sandbox.base_url}/services/oauth2/token",
        data={"grant_type": "client_credentials", "client_id": app.client_id, "client_secret": app.client_secret},
        headers={"Host": "na.crm.test", "X-Forwarded-Proto": "https"},
        timeout=30,
    )
    assert response.json()["instance_url"] == "https://na.crm.test"


@pytest.mark.parametrize(
    ("form", "error", "description"),
    [
        ({"password": "wrong"}, "invalid_grant", "authentication failure"),
        ({"username": "nobody@example.com"}, "invalid_grant", "authentication failure"),
        ({"password": ""}, "invalid_grant", "authentication failure"),
        ({"client_id": "wrong"}, "invalid_client_id", "client identifier invalid"),
        ({"client_secret": "wrong"}, "invalid_client", "invalid client credentials"),
        ({"client_secret": "", "grant_type": "client_credentials"}, "invalid_client", "invalid client credentials"),
        ({"grant_type": "magic"}, "unsupported_grant_type", "grant type not supported"),
        ({"grant_type": ""}, "unsupported_grant_type", "grant type not supported"),
        ({"grant_type": "refresh_token", "refresh_token": "old"}, "invalid_grant", "expired access/refresh token"),
    ],
)
def test_refusals(sandbox: RunningSandbox, form: dict[str, str], error: str, description: str) -> None:
    response = ask_token(sandbox, **form)
    assert response.status_code == 400
    assert response.json() == {"error": error, "error_description": description}


def test_the_other_flows(sandbox: RunningSandbox) -> None:
    app = sandbox.connected_app
    basic = requests.post(
        f"{sandbox.base_url}/services/oauth2/token",
        data={"grant_type": "client_credentials"},
        auth=(app.client_id, app.client_secret),
        timeout=30,
    )
    assert basic.json()["id"].endswith(sandbox.user.id)
    assert ask_token(sandbox, grant_type="refresh_token", refresh_token=app.refresh_token).status_code == 200
    with_token = sandbox.user.password + sandbox.user.security_token
    assert ask_token(sandbox, password=with_token, username=sandbox.user.username.upper()).status_code == 200


def test_a_blocked_password_flow_looks_like_a_wrong_password(sandbox: RunningSandbox) -> None:
    sandbox.misbehaviour.block_password_flow = True
    response = ask_token(sandbox)
    assert (response.status_code, response.json()["error"]) == (400, "invalid_grant")
    assert ask_token(sandbox, grant_type="client_credentials").status_code == 200


def test_an_app_permits_only_its_flows(sandbox: RunningSandbox) -> None:
    app = sandbox.organisation.add_connected_app(label="One flow", run_as=sandbox.user.username, flows=["password"])
    keys = {"client_id": app.client_id, "client_secret": app.client_secret}
    assert ask_token(sandbox, **keys).status_code == 200
    refused = ask_token(sandbox, grant_type="client_credentials", **keys)
    assert refused.json() == {"error": "invalid_grant", "error_description": "no client credentials user enabled"}


def test_who_am_i(api: Api) -> None:
    base, user, organisation = api.sandbox.base_url, api.sandbox.user, api.sandbox.organisation
    for path in ("/services/oauth2/userinfo", f"/id/{organisation.id}/{user.id}"):
        identity: dict[str, Any] = api.session.get(base + path, timeout=30).json()
        assert (identity["user_id"], identity["organization_id"], identity["email"]) == (
            user.id,
            organisation.id,
            user.email,
        )
    assert api.session.get(f"{base}/id/{organisation.id}/005000000000001AAA", timeout=30).status_code == 404
    assert requests.get(f"{base}/services/oauth2/userinfo", timeout=30).status_code == 401


def test_a_revoked_or_expired_token_opens_nothing(api: Api) -> None:
    organisation = api.sandbox.organisation
    token = str(api.session.headers["Authorization"]).removeprefix("Bearer ")
    address = f"{api.sandbox.base_url}/services/oauth2/revoke"
    assert requests.post(address, data={"token": token}, timeout=30).status_code == 200
    assert requests.post(address, data={"token": token}, timeout=30).status_code == 400
    refused = api.get("/limits")
    assert describe_error(refused) == (401, "INVALID_SESSION_ID")
    assert refused.headers["WWW-Authenticate"] == "Token"
    session = organisation.sessions.open_session(user_id=api.sandbox.user.id)
    api.session.headers["Authorization"] = f"Bearer {session.token}"
    assert api.get("/limits").status_code == 200
    session.used -= organisation.sessions.idle_seconds + 1
    assert describe_error(api.get("/limits")) == (401, "INVALID_SESSION_ID")


def test_the_scheme_must_be_known(api: Api) -> None:
    for header, expected in (
        ("Digest x", "INVALID_AUTH_HEADER"),
        ("", "INVALID_SESSION_ID"),
        ("Bearer", "INVALID_SESSION_ID"),
    ):
        assert describe_error(api.get("/limits", headers={"Authorization": header})) == (401, expected)
