"""The flows in which a person lets an app in: authorization code with PKCE, and devices; and what is told of tokens."""

from __future__ import annotations

import base64
import hashlib
import json
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
import requests
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicNumbers

from crm_sync.sandbox import RunningSandbox

VERIFIER = "v" * 64
CHALLENGE = base64.urlsafe_b64encode(hashlib.sha256(VERIFIER.encode()).digest()).decode().rstrip("=")
BACK = "http://localhost:1717/OauthRedirect"


def ask_token(sandbox: RunningSandbox, **form: str) -> dict[str, Any]:
    answer = requests.post(f"{sandbox.base_url}/services/oauth2/token", data=form, timeout=30)
    body: dict[str, Any] = answer.json()
    return body


def authorize(sandbox: RunningSandbox, *, form: dict[str, str] | None = None, **asked: Any) -> requests.Response:
    """Post the log-in page of the web server flow, filled in rightly unless `form` says otherwise."""
    query = {
        "response_type": "code",
        "client_id": sandbox.connected_app.client_id,
        "redirect_uri": BACK,
        "state": "s&1",
        "code_challenge": CHALLENGE,
        "code_challenge_method": "S256",
        **asked,
    }
    right = {"username": sandbox.user.username, "password": sandbox.user.password, "action": "allow"}
    address = f"{sandbox.base_url}/services/oauth2/authorize"
    return requests.post(address, params=query, data=right | (form or {}), allow_redirects=False, timeout=30)


def read_back(answer: requests.Response) -> dict[str, str]:
    assert answer.status_code == 302, answer.text
    location = answer.headers["Location"]
    assert location.startswith(BACK)
    return {name: values[0] for name, values in parse_qs(urlsplit(location).query).items()}


def test_a_person_logs_in_and_the_app_exchanges_its_code_once(sandbox: RunningSandbox) -> None:
    back = read_back(authorize(sandbox, scope="api refresh_token openid", nonce="n1"))
    assert back["state"] == "s&1"
    app = sandbox.connected_app
    wanted = {
        "grant_type": "authorization_code",
        "code": back["code"],
        "client_id": app.client_id,
        "redirect_uri": BACK,
        "code_verifier": VERIFIER,
    }
    tokens = ask_token(sandbox, **wanted)
    assert tokens["scope"] == "api refresh_token openid"
    address = f"{sandbox.base_url}/services/data/v60.0/limits"
    opened = requests.get(address, headers={"Authorization": f"Bearer {tokens['access_token']}"}, timeout=30)
    assert opened.status_code == 200
    assert ask_token(sandbox, **wanted)["error"] == "invalid_grant"
    check_identity(sandbox, tokens["id_token"], nonce="n1")

    refreshed = ask_token(
        sandbox, grant_type="refresh_token", client_id=app.client_id, refresh_token=tokens["refresh_token"]
    )
    assert refreshed["access_token"] != tokens["access_token"]
    revoked = requests.post(
        f"{sandbox.base_url}/services/oauth2/revoke", data={"token": tokens["refresh_token"]}, timeout=30
    )
    assert revoked.status_code == 200
    again = ask_token(
        sandbox, grant_type="refresh_token", client_id=app.client_id, refresh_token=tokens["refresh_token"]
    )
    assert again == {"error": "invalid_grant", "error_description": "expired access/refresh token"}


def check_identity(sandbox: RunningSandbox, token: str, *, nonce: str) -> None:
    """Check an identity token by what discovery says."""
    told = requests.get(f"{sandbox.base_url}/.well-known/openid-configuration", timeout=30).json()
    assert told["authorization_endpoint"] == f"{sandbox.base_url}/services/oauth2/authorize"
    [key] = requests.get(told["jwks_uri"], timeout=30).json()["keys"]

    def decode(part: str) -> bytes:
        return base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))

    signed, _, signature = token.rpartition(".")
    numbers = RSAPublicNumbers(*(int.from_bytes(decode(key[name]), "big") for name in ("e", "n")))
    numbers.public_key().verify(decode(signature), signed.encode(), padding.PKCS1v15(), hashes.SHA256())
    claims = json.loads(decode(signed.partition(".")[2]))
    assert (claims["iss"], claims["nonce"]) == (told["issuer"], nonce)
    assert claims["aud"] == sandbox.connected_app.client_id


@pytest.mark.parametrize(
    ("changed", "error"),
    [
        ({"code_verifier": "w" * 64}, "invalid_grant"),
        ({"redirect_uri": "http://localhost:1718/OauthRedirect"}, "redirect_uri_mismatch"),
        ({"client_secret": "wrong"}, "invalid_client"),
        ({"client_id": "PlatformCLI"}, "invalid_grant"),
        ({"code": "unknown"}, "invalid_grant"),
    ],
)
def test_a_code_is_good_for_what_was_allowed_alone(
    sandbox: RunningSandbox, changed: dict[str, str], error: str
) -> None:
    back = read_back(authorize(sandbox))
    wanted = {
        "grant_type": "authorization_code",
        "code": back["code"],
        "client_id": sandbox.connected_app.client_id,
        "redirect_uri": BACK,
        "code_verifier": VERIFIER,
    }
    assert ask_token(sandbox, **{**wanted, **changed})["error"] == error


def test_without_a_challenge_the_secret_is_needed(sandbox: RunningSandbox) -> None:
    app = sandbox.connected_app
    for secret, key in (("", "error"), (app.client_secret, "access_token")):
        back = read_back(authorize(sandbox, code_challenge=""))
        answer = ask_token(
            sandbox,
            grant_type="authorization_code",
            code=back["code"],
            client_id=app.client_id,
            client_secret=secret,
            redirect_uri=BACK,
        )
        assert key in answer


def test_a_wrong_password_asks_again_and_a_refusal_is_told(sandbox: RunningSandbox) -> None:
    wrong = authorize(sandbox, form={"password": "wrong"})
    assert (wrong.status_code, "User name or password is wrong." in wrong.text) == (401, True)
    assert "form-action 'self' http://localhost:1717;" in wrong.headers["Content-Security-Policy"]
    assert read_back(authorize(sandbox, form={"action": "deny"}))["error"] == "access_denied"


@pytest.mark.parametrize(
    ("asked", "error"),
    [
        ({"client_id": "unknown"}, "invalid_client_id"),
        ({"response_type": "token"}, "unsupported_response_type"),
        ({"redirect_uri": "https://evil.example.com/"}, "redirect_uri_mismatch"),
        ({"redirect_uri": "http://localhost@evil.example.com/"}, "redirect_uri_mismatch"),
        ({"redirect_uri": "http://localhost:1;script-src *"}, "redirect_uri_mismatch"),
        ({"redirect_uri": "javascript:alert(1)"}, "redirect_uri_mismatch"),
        ({"code_challenge": "short"}, "invalid_request"),
        ({"client_id": "PlatformCLI", "code_challenge": ""}, "invalid_request"),
    ],
)
def test_requests_that_may_not_be_answered_lead_nowhere(
    sandbox: RunningSandbox, asked: dict[str, str], error: str
) -> None:
    answer = authorize(sandbox, form=None, **asked)
    assert (answer.status_code, error in answer.text) == (400, True)


def test_the_form_of_another_site_is_refused(sandbox: RunningSandbox) -> None:
    answer = requests.post(
        f"{sandbox.base_url}/services/oauth2/authorize",
        params={
            "response_type": "code",
            "client_id": "PlatformCLI",
            "redirect_uri": BACK,
            "code_challenge": CHALLENGE,
        },
        headers={"Origin": "https://evil.example.com"},
        timeout=30,
    )
    assert answer.status_code == 403


def test_a_device_is_let_in_by_its_code(sandbox: RunningSandbox) -> None:
    begun = ask_token(sandbox, response_type="device_code", client_id="PlatformCLI", scope="api refresh_token")
    wanted = {"grant_type": "device", "client_id": "PlatformCLI", "code": begun["device_code"]}
    assert ask_token(sandbox, **wanted)["error"] == "authorization_pending"
    page = requests.get(f"{begun['verification_uri']}?user_code={begun['user_code']}", timeout=30)
    assert f'value="{begun["user_code"]}"' in page.text
    typed = {"user_code": begun["user_code"].lower(), "username": sandbox.user.username}
    wrong = requests.post(begun["verification_uri"], data=typed | {"password": "wrong"}, timeout=30)
    assert wrong.status_code == 400
    right = requests.post(begun["verification_uri"], data=typed | {"password": sandbox.user.password}, timeout=30)
    assert "You are logged in" in right.text
    tokens = ask_token(sandbox, **wanted)
    assert {"access_token", "refresh_token"} <= set(tokens)
    assert ask_token(sandbox, **wanted)["error"] == "invalid_grant"

    refused = ask_token(sandbox, response_type="device_code", client_id="PlatformCLI")
    requests.post(begun["verification_uri"], data={"user_code": refused["user_code"], "action": "deny"}, timeout=30)
    answer = ask_token(sandbox, grant_type="device", client_id="PlatformCLI", code=refused["device_code"])
    assert answer["error"] == "access_denied"


def test_tokens_are_introspected_by_their_app(sandbox: RunningSandbox) -> None:
    app = sandbox.connected_app
    keys = {"client_id": app.client_id, "client_secret": app.client_secret}
    token = ask_token(sandbox, grant_type="client_credentials", **keys)["access_token"]
    address = f"{sandbox.base_url}/services/oauth2/introspect"
    told = requests.post(address, data={"token": token, **keys}, timeout=30).json()
    assert (told["active"], told["username"], told["token_type"]) == (True, sandbox.user.username, "access_token")
    assert requests.post(address, data={"token": "unknown", **keys}, timeout=30).json() == {"active": False}
    wrong = requests.post(address, data={"token": token, "client_id": app.client_id}, timeout=30)
    assert (wrong.status_code, wrong.json()["error"]) == (400, "invalid_client")
