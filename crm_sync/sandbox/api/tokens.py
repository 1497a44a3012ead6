"""What the token endpoint answers, what it tells of tokens, and where a client finds all this (OpenID Connect)."""

import base64
import hashlib
import hmac
import json
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

from crm_sync.sandbox.data.credentials import ConnectedApp, SandboxUser
from crm_sync.sandbox.data.grants import Grant
from crm_sync.sandbox.service import ApiResponse, Service

NO_STORE = {"Cache-Control": "no-cache, no-store", "Pragma": "no-cache"}
KEY_ID = "224"
ID_TOKEN_SECONDS = 120


@lru_cache(maxsize=1)
def make_key() -> RSAPrivateKey:
    """Return the key with which identity tokens are signed, made anew each time the program runs."""
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


def encode(data: bytes) -> str:
    """Return bytes as base64 for addresses, without padding."""
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


def list_keys() -> dict[str, Any]:
    """Return the public key of identity tokens as a JSON Web Key Set."""
    numbers = make_key().public_key().public_numbers()
    parts = {
        name: encode(number.to_bytes((number.bit_length() + 7) // 8, "big"))
        for name, number in (("n", numbers.n), ("e", numbers.e))
    }
    return {"keys": [{"kty": "RSA", "use": "sig", "alg": "RS256", "kid": KEY_ID, **parts}]}


def sign_identity(service: Service, user: SandboxUser, *, base_url: str, grant: Grant) -> str:
    """Return the identity token of a user (OpenID Connect Core, section 2)."""
    now = int(service.organisation.read_clock().timestamp())
    claims: dict[str, Any] = {
        "iss": base_url,
        "sub": f"{base_url}/id/{service.organisation.id}/{user.id}",
        "aud": grant.client_id,
        "iat": now,
        "exp": now + ID_TOKEN_SECONDS,
        "email": user.email,
        "preferred_username": user.username,
    }
    if grant.nonce:
        claims["nonce"] = grant.nonce
    header = {"alg": "RS256", "kid": KEY_ID, "typ": "JWT"}
    signed = ".".join(encode(json.dumps(part, separators=(",", ":")).encode()) for part in (header, claims))
    return f"{signed}.{encode(make_key().sign(signed.encode(), padding.PKCS1v15(), hashes.SHA256()))}"


def answer_token(service: Service, *, app: ConnectedApp, user: SandboxUser, base_url: str) -> dict[str, Any]:
    """Return the answer of the token endpoint: a new session, signed with the secret of the app."""
    session = service.organisation.sessions.open_session(user_id=user.id)
    identity = f"{base_url}/id/{service.organisation.id}/{user.id}"
    issued_at = str(int(service.organisation.read_clock().timestamp() * 1000))
    digest = hmac.new(app.client_secret.encode(), f"{identity}{issued_at}".encode(), hashlib.sha256).digest()
    return {
        "access_token": session.token,
        "instance_url": base_url,
        "id": identity,
        "token_type": "Bearer",
        "issued_at": issued_at,
        "signature": base64.b64encode(digest).decode(),
    }


def answer_grant(service: Service, *, app: ConnectedApp, user: SandboxUser, grant: Grant, base_url: str) -> ApiResponse:
    """Return the answer for what a person allowed, with what the scope asks for: refresh and identity tokens."""
    body = answer_token(service, app=app, user=user, base_url=base_url) | {"scope": grant.scope}
    scopes = set(grant.scope.split())
    if scopes & {"refresh_token", "offline_access"}:
        body["refresh_token"] = service.grants.add_refresh_token(client_id=app.client_id, user_id=user.id)
    if "openid" in scopes:
        body["id_token"] = sign_identity(service, user, base_url=base_url, grant=grant)
    return ApiResponse(body, headers=NO_STORE)


def introspect(service: Service, *, form: Mapping[str, str], app: ConnectedApp) -> ApiResponse:
    """Answer POST /services/oauth2/introspect (RFC 7662). Of an unknown token it tells only that it is not active."""
    token = form.get("token", "")
    organisation = service.organisation
    session = organisation.sessions.find_session(token)
    user_id = session.user_id if session else service.grants.find_user_of(token, client_id=app.client_id)
    user = organisation.find_user(user_id=user_id) if user_id else None
    if user is None:
        return ApiResponse({"active": False})
    now = int(organisation.read_clock().timestamp())
    body: dict[str, Any] = {
        "active": True,
        "scope": "api id refresh_token",
        "client_id": app.client_id,
        "username": user.username,
        "sub": f"{organisation.id}/{user.id}",
        "token_type": "access_token" if session else "refresh_token",
        "iat": now,
        "nbf": now,
    }
    if session:
        body["exp"] = now + int(organisation.sessions.idle_seconds)
    return ApiResponse(body)


def describe_provider(base_url: str) -> ApiResponse:
    """Answer GET /.well-known/openid-configuration."""
    return ApiResponse(
        {
            "issuer": base_url,
            "authorization_endpoint": f"{base_url}/services/oauth2/authorize",
            "token_endpoint": f"{base_url}/services/oauth2/token",
            "revocation_endpoint": f"{base_url}/services/oauth2/revoke",
            "introspection_endpoint": f"{base_url}/services/oauth2/introspect",
            "userinfo_endpoint": f"{base_url}/services/oauth2/userinfo",
            "device_authorization_endpoint": f"{base_url}/services/oauth2/token",
            "jwks_uri": f"{base_url}/id/keys",
            "scopes_supported": ["api", "id", "openid", "refresh_token", "offline_access"],
            "response_types_supported": ["code"],
            "grant_types_supported": [
                "authorization_code",
                "refresh_token",
                "client_credentials",
                "password",
                "urn:ietf:params:oauth:grant-type:jwt-bearer",
                "device",
            ],
            "subject_types_supported": ["public"],
            "id_token_signing_alg_values_supported": ["RS256"],
            "code_challenge_methods_supported": ["S256"],
            "token_endpoint_auth_methods_supported": ["client_secret_post", "client_secret_basic", "none"],
            "claims_supported": ["iss", "sub", "aud", "iat", "exp", "nonce", "email", "preferred_username"],
        }
    )
