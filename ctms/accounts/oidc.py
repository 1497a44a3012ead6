"""Asks an OpenID Connect provider who somebody is: authorization code flow with state, nonce and PKCE.

https://openid.net/specs/openid-connect-core-1_0.html. Nothing of an answer is believed before its signature, issuer,
audience, time and nonce are right.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import secrets
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

import jwt
import requests
from django.conf import settings
from jwt import PyJWKSet
from jwt.exceptions import PyJWTError

from ctms.core.errors import VaultError

# Asymmetric alone: with a symmetric one, anybody who knows the client's secret could sign.
_ALGORITHMS = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA")
_SCOPE = "openid email profile"
_TIMEOUT = 10  # seconds
_LARGEST_ANSWER = 1024 * 1024
_PIECE = 64 * 1024
_CLOCKS_DIFFER = 60  # seconds


class OidcError(VaultError):
    """Nobody is logged in; the message says what to do. It never holds what the provider sent."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LogInRequest:
    """What is remembered while the user is at the provider; nobody else knows it, so nobody else can answer."""

    state: str
    nonce: str
    verifier: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """Who the provider says that the user is. `email` is empty unless the provider has verified it."""

    issuer: str
    subject: str
    email: str
    first_name: str
    last_name: str


def is_offered() -> bool:
    return bool(settings.OIDC_ISSUER)


def create_request() -> LogInRequest:
    return LogInRequest(
        state=secrets.token_urlsafe(32), nonce=secrets.token_urlsafe(32), verifier=secrets.token_urlsafe(64)
    )


def build_authorization_url(*, request: LogInRequest, redirect_uri: str) -> str:
    """Return the address of the provider where the user logs in. Raises OidcError."""
    challenge = base64.urlsafe_b64encode(hashlib.sha256(request.verifier.encode()).digest()).rstrip(b"=").decode()
    query = {
        "response_type": "code",
        "client_id": settings.OIDC_CLIENT_ID,
        "redirect_uri": redirect_uri,
        "scope": _SCOPE,
        "state": request.state,
        "nonce": request.nonce,
        "code_challenge": challenge,
        "code_challenge_method": "S256",
    }
    address = _discover()["authorization_endpoint"]
    return f"{address}{'&' if '?' in address else '?'}{urlencode(query)}"


def fetch_identity(*, request: LogInRequest, state: str, code: str, redirect_uri: str) -> Identity:
    """Exchange the code that came back from the provider for the identity of the user. Raises OidcError."""
    if not hmac.compare_digest(state.encode(), request.state.encode()):
        raise OidcError("The answer of the identity provider does not belong to your log-in. Begin again.")
    provider = _discover()
    answer = _ask(
        "POST",
        provider["token_endpoint"],
        data={
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": redirect_uri,
            "code_verifier": request.verifier,
        },
        auth=(settings.OIDC_CLIENT_ID, settings.OIDC_CLIENT_SECRET),
    )
    keys = _ask("GET", provider["jwks_uri"])
    claims = _read_token(str(answer.get("id_token", "")), keys=keys, nonce=request.nonce)
    return Identity(
        issuer=claims["iss"],
        subject=claims["sub"],
        email=str(claims.get("email", "")).strip() if claims.get("email_verified") is True else "",
        first_name=str(claims.get("given_name", ""))[:150],
        last_name=str(claims.get("family_name", ""))[:150],
    )


def _discover() -> dict[str, Any]:
    issuer = settings.OIDC_ISSUER
    found = _ask("GET", f"{issuer.rstrip('/')}/.well-known/openid-configuration")
    names = ("authorization_endpoint", "token_endpoint", "jwks_uri")
    if found.get("issuer") != issuer or not all(isinstance(found.get(name), str) for name in names):
        raise OidcError("The identity provider does not describe itself as OIDC_ISSUER says. Tell an admin.")
    if issuer.startswith("https://") and not all(found[name].startswith("https://") for name in names):
        raise OidcError("The identity provider names addresses that are not https. Tell an admin.")
    return found


def _ask(method: str, url: str, **values: Any) -> dict[str, Any]:
    """Return the JSON object that an address of the provider answers with. Raises OidcError."""
    try:
        with requests.request(method, url, timeout=_TIMEOUT, allow_redirects=False, stream=True, **values) as response:
            content = b"".join(_read_pieces(response))
            is_ok = response.status_code == requests.codes.ok
        found = json.loads(content) if is_ok else {}
    except (requests.RequestException, ValueError, RecursionError) as error:
        raise OidcError("The identity provider did not answer. Try again later, or log in with a password.") from error
    if not is_ok:
        raise OidcError("The identity provider refused the log-in. Begin again; if that does not help, tell an admin.")
    if not isinstance(found, dict):
        raise OidcError("The identity provider answered with something else than expected. Tell an admin.")
    return found


def _read_pieces(response: requests.Response) -> Iterator[bytes]:
    """Yield the pieces of an answer. Raises OidcError if it is too long."""
    length = 0
    for piece in response.iter_content(_PIECE):
        length += len(piece)
        if length > _LARGEST_ANSWER:
            raise OidcError("The identity provider answered with something else than expected. Tell an admin.")
        yield piece


def _read_token(token: str, *, keys: dict[str, Any], nonce: str) -> dict[str, Any]:
    """Return the claims of an ID token. Raises OidcError unless all that makes it one of this log-in is right."""
    try:
        key_id = jwt.get_unverified_header(token).get("kid")
        known = [key for key in PyJWKSet.from_dict(keys).keys if key_id is None or key.key_id == key_id]
        if len(known) != 1:
            raise OidcError("The identity provider signed with a key that it does not publish. Tell an admin.")
        claims: dict[str, Any] = jwt.decode(
            token,
            key=known[0],
            algorithms=_ALGORITHMS,
            audience=settings.OIDC_CLIENT_ID,
            issuer=settings.OIDC_ISSUER,
            leeway=_CLOCKS_DIFFER,
            options={"require": ["exp", "iat", "sub", "aud", "iss"]},
        )
    except PyJWTError as error:
        raise OidcError("The identity provider's answer is not valid. Begin again; else tell an admin.") from error
    audiences = claims["aud"] if isinstance(claims["aud"], list) else [claims["aud"]]
    is_ours = claims.get("azp", settings.OIDC_CLIENT_ID) == settings.OIDC_CLIENT_ID and (
        len(audiences) == 1 or "azp" in claims
    )
    if not is_ours or not hmac.compare_digest(str(claims.get("nonce", "")).encode(), nonce.encode()):
        raise OidcError("The identity provider's answer belongs to another log-in. Begin again.")
    return claims
