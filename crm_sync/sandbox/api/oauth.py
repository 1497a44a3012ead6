"""Logging in: the token endpoint, identity, revocation, and the SOAP log-in of older clients."""

import base64
import binascii
import hashlib
import hmac
from collections.abc import Mapping
from typing import Any
from urllib.parse import unquote_plus
from xml.etree import ElementTree as ET
from xml.sax.saxutils import escape

from crm_sync.sandbox.data.credentials import FLOWS, ConnectedApp, SandboxUser
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


def find_app(service: Service, *, form: Mapping[str, str], authorization: str) -> ConnectedApp:
    """Return the connected app of a request. Raises OAuthError for an unknown key or a wrong secret."""
    client_id, secret = read_basic(authorization) or (form.get("client_id", ""), form.get("client_secret", ""))
    app = next((app for app in service.organisation.connected_apps if app.client_id == client_id), None)
    if app is None:
        raise OAuthError("invalid_client_id", "client identifier invalid")
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
    try:
        app, user = authenticate(service, form=form, authorization=authorization)
    except OAuthError as error:
        return error.as_response()
    session = service.organisation.sessions.open_session(user_id=user.id)
    identity = f"{base_url}/id/{service.organisation.id}/{user.id}"
    issued_at = str(int(service.organisation.read_clock().timestamp() * 1000))
    digest = hmac.new(app.client_secret.encode(), f"{identity}{issued_at}".encode(), hashlib.sha256).digest()
    return ApiResponse(
        {
            "access_token": session.token,
            "instance_url": base_url,
            "id": identity,
            "token_type": "Bearer",
            "issued_at": issued_at,
            "signature": base64.b64encode(digest).decode(),
        },
        headers={"Cache-Control": "no-cache, no-store", "Pragma": "no-cache"},
    )


def authenticate(service: Service, *, form: Mapping[str, str], authorization: str) -> tuple[ConnectedApp, SandboxUser]:
    """Return the connected app of a grant and the user whom it logs in.

    Raises OAuthError. The setting `refuse_log_in` refuses correct credentials, too. As in the real CRM, a blocked
    password flow gives the error of a wrong password.
    """
    grant = form.get("grant_type", "")
    if grant not in FLOWS:
        raise OAuthError("unsupported_grant_type", "grant type not supported")
    app = find_app(service, form=form, authorization=authorization)
    user: SandboxUser | None = None
    if grant == "password":
        if "password" in app.flows and not service.misbehaviour.block_password_flow:
            user = check_password(service, username=form.get("username", ""), password=form.get("password", ""))
    elif grant not in app.flows:
        raise OAuthError("invalid_grant", "no client credentials user enabled")
    elif grant == "client_credentials" or hmac.compare_digest(app.refresh_token, form.get("refresh_token", "")):
        user = next((entry for entry in service.organisation.users if entry.username == app.run_as), None)
    else:
        raise OAuthError("invalid_grant", "expired access/refresh token")
    refusal = LOG_IN_REFUSALS.get(service.misbehaviour.refuse_log_in)
    if user is None or refusal is not None:
        refusal = refusal if user and refusal else AUTHENTICATION_FAILURE
        raise OAuthError(refusal.error, refusal.description)
    return app, user


def revoke_token(service: Service, *, form: Mapping[str, str]) -> ApiResponse:
    """Answer POST or GET /services/oauth2/revoke."""
    if service.organisation.sessions.close_session(form.get("token", "")):
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


# -- SOAP ---------------------------------------------------------------------------------------------

ENVELOPE = (
    '<?xml version="1.0" encoding="UTF-8"?>'
    '<soapenv:Envelope xmlns:soapenv="http://schemas.xmlsoap.org/soap/envelope/" xmlns="urn:partner.soap.sforce.com" '
    'xmlns:sf="urn:fault.partner.soap.sforce.com" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance">'
    "<soapenv:Body>{}</soapenv:Body></soapenv:Envelope>"
)


def read_soap_login(body: bytes) -> tuple[str, str] | None:
    """Return username and password of a SOAP log-in, or None for any other body and for one with a document type."""
    if b"<!DOCTYPE" in body or b"<!ENTITY" in body:
        return None
    try:
        root = ET.fromstring(body)  # noqa: S314  without a document type there is nothing to expand
    except ET.ParseError:
        return None
    for element in root.iter():
        if element.tag.rpartition("}")[2] == "login":
            parts = {child.tag.rpartition("}")[2]: child.text or "" for child in element}
            return parts.get("username", ""), parts.get("password", "")
    return None


def soap_fault(*, code: str, message: str, prefix: str = "sf") -> tuple[int, str]:
    """Return HTTP status and XML of a SOAP fault."""
    return 500, ENVELOPE.format(
        f"<soapenv:Fault><faultcode>{prefix}:{code}</faultcode><faultstring>{code}: {escape(message)}</faultstring>"
        f'<detail><sf:LoginFault xsi:type="sf:LoginFault"><sf:exceptionCode>{code}</sf:exceptionCode>'
        f"<sf:exceptionMessage>{escape(message)}</sf:exceptionMessage></sf:LoginFault></detail></soapenv:Fault>"
    )


def log_in_by_soap(service: Service, *, body: bytes, base_url: str, version: str) -> tuple[int, str]:
    """Answer POST /services/Soap/u/<version>, which takes the call login only. Returns HTTP status and XML."""
    credentials = read_soap_login(body)
    if credentials is None:
        return soap_fault(
            code="INVALID_OPERATION", message="This sandbox answers the SOAP call login and no other.", prefix="soapenv"
        )
    if int(version.partition(".")[0] or 0) < service.misbehaviour.oldest_api_version:
        return soap_fault(code="UNSUPPORTED_API_VERSION", message="Invalid Api version specified on URL")
    username, password = credentials
    user = check_password(service, username=username, password=password)
    refusal = LOG_IN_REFUSALS.get(service.misbehaviour.refuse_log_in)
    if user is None or refusal is not None:
        refusal = refusal if user and refusal else AUTHENTICATION_FAILURE
        return soap_fault(code=refusal.soap_code, message=refusal.soap_message)
    session = service.organisation.sessions.open_session(user_id=user.id)
    server = f"{base_url}/services/Soap/u/{version}/{service.organisation.id[:15]}"
    idle = int(service.organisation.sessions.idle_seconds)
    return 200, ENVELOPE.format(
        f"<loginResponse><result><metadataServerUrl>{escape(server.replace('/u/', '/m/'))}</metadataServerUrl>"
        "<passwordExpired>false</passwordExpired><sandbox>true</sandbox>"
        f"<serverUrl>{escape(server)}</serverUrl><sessionId>{escape(session.token)}</sessionId>"
        f"<userId>{user.id}</userId><userInfo><organizationId>{service.organisation.id}</organizationId>"
        f"<organizationName>{escape(service.organisation.name)}</organizationName>"
        f"<sessionSecondsValid>{idle}</sessionSecondsValid><userEmail>{escape(user.email)}</userEmail>"
        f"<userFullName>{escape(user.name)}</userFullName><userId>{user.id}</userId><userLanguage>en_US</userLanguage>"
        f"<userLocale>en_US</userLocale><userName>{escape(user.username)}</userName>"
        "<userTimeZone>Etc/UTC</userTimeZone><userType>Standard</userType></userInfo></result></loginResponse>"
    )
