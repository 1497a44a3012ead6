"""HTTPS to a CRM whose address is checked on the socket that carries the call.

A name is resolved once, every address found is checked, and the connection is made to one of these addresses, so that a
name server cannot change its answer between check and use. The certificate is still checked against the name.
"""

import ipaddress
import logging
import socket
import sys
from collections.abc import Callable, Sequence
from http.cookiejar import DefaultCookiePolicy
from typing import Any, Final

import requests
from requests.adapters import HTTPAdapter
from urllib3 import HTTPConnectionPool, HTTPSConnectionPool, PoolManager
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.exceptions import ConnectTimeoutError, NameResolutionError, NewConnectionError

from crm_sync.crm.errors import ConfigurationError
from crm_sync.crm.hosts import HostRules

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Resolved = tuple[socket.AddressFamily, socket.SocketKind, int, str, tuple[Any, ...]]
Resolver = Callable[..., Sequence[Any]]
AddressRule = Callable[[Address], bool]

_NAT64: Final = ipaddress.IPv6Network("64:ff9b::/96")
_REFUSED_NETWORKS: Final = (
    ipaddress.IPv6Network("::/96"),  # IPv4-compatible
    ipaddress.IPv6Network("::ffff:0:0/96"),  # IPv4-mapped
    ipaddress.IPv6Network("::ffff:0:0:0/96"),  # IPv4-translated
    ipaddress.IPv6Network("64:ff9b:1::/48"),  # NAT64 for local use
    ipaddress.IPv6Network("2001::/32"),  # Teredo
    ipaddress.IPv6Network("2002::/16"),  # 6to4
)


def is_public_address(address: Address) -> bool:
    """Return whether `address` can be that of a CRM on the internet.

    False for loopback, private, link-local, shared (100.64.0.0/10), multicast, reserved and unspecified addresses, and
    for IPv6 addresses that wrap an IPv4 address. For the well-known NAT64 prefix the wrapped address decides, because
    an IPv6-only network reaches every IPv4 host through it.
    """
    if isinstance(address, ipaddress.IPv6Address):
        if address in _NAT64:
            return is_public_address(ipaddress.IPv4Address(int(address) & 0xFFFFFFFF))
        if any(address in network for network in _REFUSED_NETWORKS) or address.is_site_local:
            return False
    return address.is_global and not (
        address.is_multicast or address.is_reserved or address.is_unspecified or address.is_link_local
    )


def is_local_address(address: Address) -> bool:
    """Return whether `address` is one of this machine, as that of a mapped sandbox must be."""
    return address.is_loopback


def resolve_host(host: str, port: int, *, resolve: Resolver, is_allowed: AddressRule) -> Sequence[Resolved]:
    """Return the addresses of a host, all of them checked with `is_allowed`.

    Raises ConfigurationError if one of them is refused, `socket.gaierror` or UnicodeError if there is none.
    """
    found: Sequence[Resolved] = resolve(host, port, socket.AF_UNSPEC, socket.SOCK_STREAM)
    for *_, sockaddr in found:
        # A link-local IPv6 address arrives with its zone ("fe80::1%eth0").
        if not is_allowed(ipaddress.ip_address(sockaddr[0].partition("%")[0])):
            raise ConfigurationError(
                f"{host} leads to the address {sockaddr[0]}, which is not one that a CRM may have.",
                remedy="Correct the Connection URL, or the name service behind it.",
            )
    return found


def open_checked_socket(connection: HTTPConnection, *, resolve: Resolver, is_allowed: AddressRule) -> socket.socket:
    """Check all addresses of the host of `connection` and connect to the first one that answers.

    Raises ConfigurationError if an address is refused, and the connection errors of urllib3.
    """
    host = connection.host.strip("[]")
    try:
        found = resolve_host(host, connection.port, resolve=resolve, is_allowed=is_allowed)
    except (socket.gaierror, UnicodeError) as error:
        reason = error if isinstance(error, socket.gaierror) else socket.gaierror(str(error))
        raise NameResolutionError(host, connection, reason) from None
    last_error: OSError = OSError("the name has no address")
    for family, kind, protocol, _, sockaddr in found:
        sock = socket.socket(family, kind, protocol)
        try:
            for option in connection.socket_options or ():
                sock.setsockopt(*option)
            sock.settimeout(connection.timeout if isinstance(connection.timeout, int | float) else None)
            sock.connect(sockaddr)
        except OSError as error:
            sock.close()
            last_error = error
        else:
            sys.audit("http.client.connect", connection, connection.host, connection.port)
            return sock
    if isinstance(last_error, TimeoutError):
        raise ConnectTimeoutError(connection, "timed out")
    raise NewConnectionError(connection, str(last_error))


class CheckedAdapter(HTTPAdapter):
    """A requests adapter that opens every socket with `open_checked_socket`, uses no proxy and never retries."""

    def __init__(self, *, is_allowed: AddressRule, pool_size: int, resolve: Resolver | None = None) -> None:
        """Make an adapter that keeps `pool_size` connections open per host; more are opened if more threads call.

        `resolve` replaces `socket.getaddrinfo`.
        """
        resolver = resolve or socket.getaddrinfo

        class CheckedHttpConnection(HTTPConnection):
            def _new_conn(self) -> socket.socket:
                return open_checked_socket(self, resolve=resolver, is_allowed=is_allowed)

        class CheckedHttpsConnection(HTTPSConnection):
            def _new_conn(self) -> socket.socket:
                return open_checked_socket(self, resolve=resolver, is_allowed=is_allowed)

        class CheckedHttpPool(HTTPConnectionPool):
            ConnectionCls = CheckedHttpConnection

        class CheckedHttpsPool(HTTPSConnectionPool):
            ConnectionCls = CheckedHttpsConnection

        self._pool_classes = {"http": CheckedHttpPool, "https": CheckedHttpsPool}
        super().__init__(pool_connections=2, pool_maxsize=pool_size)

    def init_poolmanager(self, connections: int, maxsize: int, block: bool = False, **pool_kwargs: Any) -> None:  # noqa: FBT001, FBT002  the signature of requests
        """Make the pool manager of requests, with connections that are checked."""
        self.poolmanager = PoolManager(num_pools=connections, maxsize=maxsize, block=block, **pool_kwargs)
        self.poolmanager.pool_classes_by_scheme = self._pool_classes

    def proxy_manager_for(self, proxy: str, **proxy_kwargs: Any) -> Any:  # noqa: ARG002  the signature of requests
        """Raise ConfigurationError, because the address of a CRM behind a proxy could not be checked."""
        raise ConfigurationError(
            "Calls to a CRM do not go through a proxy.", remedy="Let the server reach the CRM directly."
        )


class UnredirectedSession(requests.Session):
    """A session that ignores redirects, because requests reads the whole body of a redirect, however large."""

    def get_redirect_target(self, resp: requests.Response) -> None:  # noqa: ARG002  the signature of requests
        """Return None, so that no answer counts as a redirect."""
        return


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


class UrlQueryFilter(logging.Filter):
    """Removes queries from the log lines of urllib3, because SOQL in a URL may hold identifiers of people."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Cut every text at its first question mark, and replace objects by the names of their types."""
        if isinstance(record.args, tuple):
            record.args = tuple(
                argument.partition("?")[0] if isinstance(argument, str) else _name_object(argument)
                for argument in record.args
            )
        return True


def _name_object(argument: object) -> object:
    return argument if isinstance(argument, int | float | None) else type(argument).__name__


logging.getLogger("urllib3.connectionpool").addFilter(UrlQueryFilter())
