"""Logging in: the token endpoint, identity and revocation."""

import base64
import binascii
import hmac
from collections.abc import Mapping
from typing import Any
from urllib.parse import unquote_plus, urlsplit

from crm_sync.sandbox.api.jwt_bearer import AssertionRefusedError, check_assertion, read_claims
from crm_sync.sandbox.api.tokens import NO_STORE, answer_grant, answer_token, introspect
from crm_sync.sandbox.data.credentials import COMMAND_LINE_APP, FLOWS, JWT_BEARER, ConnectedApp, SandboxUser
from crm_sync.sandbox.data.grants import DEFAULT_SCOPE, DEVICE_INTERVAL_SECONDS
from crm_sync.sandbox.errors import LOG_IN_REFUSALS
from crm_sync.sandbox.service import ApiResponse, Service


class OAuthError(Exception):
    """The token endpoint refuses a request."""

    def __init__(self, error: str, description: str) -> None:
        """Keep the code and its description."""
        super().__init__(f"{error}: {description}")
        self.error = error
        self.description = description

    def as_response(self) -> ApiResponse:
        """Return the refusal as the CRM words it."""
        return ApiResponse({"error": self.error, "error_description": self.description}, 400)


AUTHENTICATION_FAILURE = LOG_IN_REFUSALS["authentication failure"]


def read_basic(header: str) -> tuple[str, str] | None:
    """Return key and secret of an HTTP Basic header, or None when it is not one."""
    scheme, _, encoded = header.partition(" ")
    if scheme.lower() != "basic":
        return None
    try:
        key, _, secret = base64.b64decode(encoded, validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError):
        return None
    return unquote_plus(key), unquote_plus(secret)


def find_app(
    service: Service, *, form: Mapping[str, str], authorization: str, needs_secret: bool = True
) -> ConnectedApp:
    """Return the connected app of a request. Raises OAuthError for an unknown key or a wrong secret.

    Where a person has allowed the app, its secret may be left out; a wrong one is refused all the same.
    """
    client_id, secret = read_basic(authorization) or (form.get("client_id", ""), form.get("client_secret", ""))
    apps = [*service.organisation.connected_apps, COMMAND_LINE_APP]
    app = next((app for app in apps if app.client_id == client_id), None)
    if app is None:
        raise OAuthError("invalid_client_id", "client identifier invalid")
    if not needs_secret and not secret:
        return app
    if not hmac.compare_digest(app.client_secret.encode(), secret.encode()):
        raise OAuthError("invalid_client", "invalid client credentials")
    return app


def check_password(service: Service, *, username: str, password: str) -> SandboxUser | None:
    """Return the user with this password, or None. The security token may be appended to the password."""
    for user in service.organisation.users:
        if user.username.lower() == username.lower():
            accepted = (user.password, user.password + user.security_token)
            if any(hmac.compare_digest(password.encode(), entry.encode()) for entry in accepted):
                return user
    return None


def issue_token(service: Service, *, form: Mapping[str, str], authorization: str, base_url: str) -> ApiResponse:
    """Answer POST /services/oauth2/token."""
    grant_type = form.get("grant_type", "")
    try:
        if form.get("response_type") == "device_code":
            return begin_device(service, form=form, authorization=authorization, base_url=base_url)
        if grant_type in {"authorization_code", "device"}:
            return redeem_grant(service, form=form, authorization=authorization, base_url=base_url)
        if grant_type == JWT_BEARER:
            app, user = authenticate_by_jwt(service, form=form, base_url=base_url)
        else:
            app, user = authenticate(service, form=form, authorization=authorization)
    except OAuthError as error:
        return error.as_response()
    body = answer_token(service, app=app, user=user, base_url=base_url)
    if grant_type == JWT_BEARER:  # the CRM signs nothing then: no secret is shared
        del body["issued_at"], body["signature"]
        body["scope"] = "api id"
    return ApiResponse(body, headers=NO_STORE)


def begin_device(service: Service, *, form: Mapping[str, str], authorization: str, base_url: str) -> ApiResponse:
    """Give a device a code to ask with, and one to show to its person. Raises OAuthError."""
    app = find_app(service, form=form, authorization=authorization, needs_secret=False)
    if "device" not in app.flows:
        raise OAuthError("invalid_grant", "device flow is not enabled for this app")
    code, grant = service.grants.add_device(client_id=app.client_id, scope=form.get("scope") or DEFAULT_SCOPE)
    return ApiResponse(
        {
            "device_code": code,
            "user_code": grant.user_code,
            "verification_uri": f"{base_url}/setup/connect",
            "interval": DEVICE_INTERVAL_SECONDS,
        },
        headers=NO_STORE,
    )


def redeem_grant(service: Service, *, form: Mapping[str, str], authorization: str, base_url: str) -> ApiResponse:
    """Exchange an authorization code, or a device's code, for tokens. Raises OAuthError."""
    by_device = form["grant_type"] == "device"
    code = form.get("code", "")
    grant = service.grants.find_device(code) if by_device else service.grants.take_code(code)
    if grant is None:
        raise OAuthError("invalid_grant", "expired authorization code" if not by_device else "invalid device code")
    app = find_app(service, form=form, authorization=authorization, needs_secret=not (by_device or grant.challenge))
    if app.client_id != grant.client_id:
        raise OAuthError("invalid_grant", "authentication failure")
    if grant.is_refused:
        raise OAuthError("access_denied", "end-user denied authorization")
    if not grant.user_id:
        raise OAuthError("authorization_pending", "authorization pending")
    if form.get("redirect_uri", "") != grant.redirect_uri:
        raise OAuthError("redirect_uri_mismatch", "redirect_uri must match configuration")
    if not grant.fits(form.get("code_verifier", "")):
        raise OAuthError("invalid_grant", "invalid code verifier")
    service.grants.forget_device(code)
    user = service.organisation.find_user(user_id=grant.user_id)
    if user is None:
        raise OAuthError("invalid_grant", "inactive user")
    return answer_grant(service, app=app, user=user, grant=grant, base_url=base_url)


def authenticate(service: Service, *, form: Mapping[str, str], authorization: str) -> tuple[ConnectedApp, SandboxUser]:
    """Return the connected app of a grant and the user whom it logs in.

    Raises OAuthError. The setting `refuse_log_in` refuses correct credentials, too. As in the real CRM, a blocked
    password flow gives the error of a wrong password.
    """
    grant = form.get("grant_type", "")
    if grant not in FLOWS:
        raise OAuthError("unsupported_grant_type", "grant type not supported")
    app = find_app(service, form=form, authorization=authorization, needs_secret=grant != "refresh_token")
    user: SandboxUser | None = None
    if grant == "password":
        if "password" in app.flows and not service.misbehaviour.block_password_flow:
            user = check_password(service, username=form.get("username", ""), password=form.get("password", ""))
    elif grant not in app.flows:
        raise OAuthError("invalid_grant", "no client credentials user enabled")
    elif grant == "client_credentials":
        user = next((entry for entry in service.organisation.users if entry.username == app.run_as), None)
    else:
        user = find_user_of_refresh_token(service, app, form.get("refresh_token", ""))
    refusal = LOG_IN_REFUSALS.get(service.misbehaviour.refuse_log_in)
    if user is None or refusal is not None:
        refusal = refusal if user and refusal else AUTHENTICATION_FAILURE
        raise OAuthError(refusal.error, refusal.description)
    return app, user


def find_user_of_refresh_token(service: Service, app: ConnectedApp, token: str) -> SandboxUser | None:
    """Return the user of a refresh token; the app's own is of whom it runs as. Raises OAuthError for an unknown one."""
    if app.refresh_token and hmac.compare_digest(app.refresh_token, token):
        return next((entry for entry in service.organisation.users if entry.username == app.run_as), None)
    user_id = service.grants.find_user_of(token, client_id=app.client_id)
    if not user_id:
        raise OAuthError("invalid_grant", "expired access/refresh token")
    return service.organisation.find_user(user_id=user_id)


def authenticate_by_jwt(
    service: Service, *, form: Mapping[str, str], base_url: str
) -> tuple[ConnectedApp, SandboxUser]:
    """Return the connected app that a JWT names as issuer, and the user whom it names as subject. Raises OAuthError."""
    assertion = form.get("assertion", "")
    try:
        claims = read_claims(assertion)
        app = next((app for app in service.organisation.connected_apps if app.client_id == claims.get("iss")), None)
        if app is None:
            raise OAuthError("invalid_client_id", "client identifier invalid")
        host = urlsplit(base_url).hostname or ""
        now = service.organisation.read_clock()
        check_assertion(assertion, claims=claims, app=app, own_hosts={host}, now=now)
    except AssertionRefusedError as refused:
        raise OAuthError("invalid_grant", str(refused)) from None
    subject = str(claims.get("sub", "")).lower()
    user = next((entry for entry in service.organisation.users if entry.username.lower() == subject), None)
    refusal = LOG_IN_REFUSALS.get(service.misbehaviour.refuse_log_in)
    if user is None or user.username != app.run_as or JWT_BEARER not in app.flows:
        refusal = LOG_IN_REFUSALS["consumer not approved"]
    if user is None or refusal is not None:
        refusal = refusal or AUTHENTICATION_FAILURE
        raise OAuthError(refusal.error, refusal.description)
    return app, user


def answer_introspection(service: Service, *, form: Mapping[str, str], authorization: str) -> ApiResponse:
    """Answer POST /services/oauth2/introspect, which needs the secret of the app."""
    try:
        return introspect(service, form=form, app=find_app(service, form=form, authorization=authorization))
    except OAuthError as error:
        return error.as_response()


def revoke_token(service: Service, *, form: Mapping[str, str]) -> ApiResponse:
    """Answer POST or GET /services/oauth2/revoke, for access and refresh tokens."""
    token = form.get("token", "")
    if service.organisation.sessions.close_session(token) or service.grants.revoke(token):
        return ApiResponse(status=200)
    return ApiResponse(
        {"error": "unsupported_token_type", "error_description": "this token type is not supported"}, 400
    )


def describe_user(service: Service, user: SandboxUser, *, base_url: str) -> dict[str, Any]:
    """Return the identity document of a user, for the userinfo endpoint and the identity URL."""
    identity = f"{base_url}/id/{service.organisation.id}/{user.id}"
    return {
        "id": identity,
        "sub": identity,
        "asserted_user": True,
        "user_id": user.id,
        "organization_id": service.organisation.id,
        "username": user.username,
        "preferred_username": user.username,
        "nick_name": user.first_name,
        "nickname": user.first_name,
        "name": user.name,
        "display_name": user.name,
        "given_name": user.first_name,
        "family_name": user.last_name,
        "first_name": user.first_name,
        "last_name": user.last_name,
        "email": user.email,
        "email_verified": True,
        "active": True,
        "user_type": "STANDARD",
        "language": "en_US",
        "locale": "en_US",
        "zoneinfo": "Etc/UTC",
        "timezone": "Etc/UTC",
        "utcOffset": 0,
        "urls": {
            "rest": f"{base_url}/services/data/v{{version}}/",
            "sobjects": f"{base_url}/services/data/v{{version}}/sobjects/",
            "query": f"{base_url}/services/data/v{{version}}/query/",
            "partner": f"{base_url}/services/Soap/u/{{version}}/{service.organisation.id}",
            "custom_domain": base_url,
        },
    }
