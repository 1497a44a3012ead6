"""HTTPS to a CRM whose address is checked on the socket that carries the call; see `ctms.core.checked_transport`."""

from collections.abc import Sequence
from http.cookiejar import DefaultCookiePolicy

import requests

from crm_sync.crm.errors import ConfigurationError
from crm_sync.crm.hosts import HostRules
from ctms.core import checked_transport
from ctms.core.checked_transport import (
    AddressRule,
    Resolved,
    Resolver,
    UnredirectedSession,
    is_local_address,
    is_public_address,
    resolve_checked,
)

__all__ = [
    "AddressRule",
    "CheckedAdapter",
    "Resolver",
    "is_local_address",
    "is_public_address",
    "open_session",
    "resolve_host",
]


def refuse_address(host: str, address: str) -> Exception:
    """Return the error for a host of a CRM that leads to a refused address, or, without one, for a proxy."""
    if not address:
        return ConfigurationError(
            "Calls to a CRM do not go through a proxy.", remedy="Let the server reach the CRM directly."
        )
    return ConfigurationError(
        f"{host} leads to the address {address}, which is not one that a CRM may have.",
        remedy="Correct the Connection URL, or the name service behind it.",
    )


def resolve_host(host: str, port: int, *, resolve: Resolver, is_allowed: AddressRule) -> Sequence[Resolved]:
    """Return the addresses of a host, all of them checked with `is_allowed`.

    Raises ConfigurationError if one of them is refused, `socket.gaierror` or UnicodeError if there is none.
    """
    return resolve_checked(host, port, resolve=resolve, is_allowed=is_allowed, refuse=refuse_address)


class CheckedAdapter(checked_transport.CheckedAdapter):
    """An adapter that says of a refused address what to correct in the connection."""

    refuse = staticmethod(refuse_address)


def open_session(*, rules: HostRules, ca_bundle: str | None, pool_size: int) -> requests.Session:
    """Return a session that reaches public hosts over https and mapped sandboxes on this machine, and nothing else.

    It ignores the environment (proxies, REQUESTS_CA_BUNDLE, .netrc), keeps no cookies and accepts no encoding but gzip.
    """
    session = UnredirectedSession()
    session.trust_env = False
    session.verify = ca_bundle or True
    session.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))
    session.adapters.clear()
    session.mount("https://", CheckedAdapter(is_allowed=is_public_address, pool_size=pool_size))
    for origin in {target.rstrip("/") for target in rules.sandbox_origins.values()}:
        session.mount(f"{origin}/", CheckedAdapter(is_allowed=is_local_address, pool_size=pool_size))
    session.headers.clear()
    session.headers.update({"Accept": "application/json", "Accept-Encoding": "gzip", "User-Agent": "ctms-vault"})
    return session
