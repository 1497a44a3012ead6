"""Which secrets of an authorization may be sent to an organisation: those that were entered for it.

A secret that was entered before any connection used its authorization is bound to the first organisation that does.
After that it belongs there: neither another URL nor another connection takes it along.
"""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import urlsplit

from django.conf import settings

from connections.choices import GrantFlow
from connections.models import Connection, ConnectionAuthorization

SET_PASSWORD = "Set Password"  # noqa: S105  the name of an action
ENTER_CONNECTED_APP_DETAILS = "Enter Connected App Details"
CREATE_CERTIFICATE = "Create Certificate"


@dataclass(frozen=True, slots=True)
class LackingSecret:
    """A secret that cannot be used: the action that enters it, and why, to be read after the authorization's name."""

    action: str
    reason: str


def list_lacking_secrets(*, authorization: ConnectionAuthorization, url: str) -> list[LackingSecret]:
    """Return the secrets that a log-in at an organisation needs and that were never entered, or not for it."""
    is_jwt = authorization.grant_flow == GrantFlow.JWT_BEARER
    needed = [
        (
            ENTER_CONNECTED_APP_DETAILS,
            "connected app details",
            authorization.consumer_key and (is_jwt or authorization.consumer_secret),
            authorization.connected_app_origin,
        )
    ]
    if is_jwt:
        has_pair = authorization.private_key and authorization.certificate
        needed.append((CREATE_CERTIFICATE, "certificate", has_pair, authorization.certificate_origin))
    if authorization.grant_flow == GrantFlow.PASSWORD:
        needed.insert(0, (SET_PASSWORD, "password", authorization.password, authorization.password_origin))
    lacking = []
    for action, what, secret, origin in needed:
        if not secret:
            lacking.append(LackingSecret(action, f"has no {what}"))
        elif not origin or _find_server(origin) != _find_server(url):
            lacking.append(LackingSecret(action, f"has the {what} of {origin or 'no organisation yet'}"))
    return lacking


def _find_server(url: str) -> str:
    """Return where calls to a URL go: to the URL, or, for a host that the CRM sandbox serves, to the sandbox."""
    return settings.CRM_SANDBOX_ORIGINS.get(urlsplit(url).hostname or "", url)


def bind_secrets(connection: Connection) -> ConnectionAuthorization | None:
    """Bind the secrets that no organisation has yet to that of a connection; return the authorization if any were.

    A connection without URL leads to none, so that they stay unbound until it has one.
    """
    authorization = connection.authorization
    if authorization is None or not connection.url:
        return None
    is_changed = False
    if authorization.password_set_at is not None and not authorization.password_origin:
        authorization.password_origin, is_changed = connection.url, True
    if authorization.connected_app_set_at is not None and not authorization.connected_app_origin:
        authorization.connected_app_origin, is_changed = connection.url, True
    if authorization.certificate and not authorization.certificate_origin:
        authorization.certificate_origin, is_changed = connection.url, True
    return authorization if is_changed else None


def find_origin(authorization: ConnectionAuthorization) -> str:
    """Return the URL of the organisation whose connection uses the authorization; empty if none does."""
    return authorization.connections.values_list("url", flat=True).first() or ""
