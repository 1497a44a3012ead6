"""HTTPS to a CRM, with the address checked on the very socket that carries the call.

A name is resolved once, every address it gives is judged, and the connection is made to a judged address: a name server
that changes its answer between check and use has nothing to change. The certificate is still checked against the name.
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

from crm_sync.errors import ConfigurationError
from crm_sync.hosts import HostRules

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
    """Return whether a CRM on the internet can have ``address``.

    False for loopback, private, link-local, shared (100.64.0.0/10), multicast, reserved and unspecified addresses and
    for IPv6 forms that wrap an IPv4 address. Only the well-known NAT64 prefix is judged by the address it wraps: in an
    IPv6-only network every IPv4 host of the internet is seen through it.
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
    """Return whether ``address`` is this machine: the rule for a mapped sandbox."""
    return address.is_loopback


def resolve_host(host: str, port: int, *, resolve: Resolver, is_allowed: AddressRule) -> Sequence[Resolved]:
    """Return the addresses of a host, all of them judged.

    Raises ConfigurationError when any of them is refused, ``socket.gaierror`` or UnicodeError when there is none.
    """
    found: Sequence[Resolved] = resolve(host, port, socket.AF_UNSPEC, socket.SOCK_STREAM)
    for *_, sockaddr in found:
        # A link-local IPv6 address arrives with its zone ("fe80::1%eth0").
        if not is_allowed(ipaddress.ip_address(sockaddr[0].partition("%")[0])):
            message = f"{host} leads to the address {sockaddr[0]}, which is not one that a CRM may have."
            raise ConfigurationError(message, remedy="Correct the Connection URL, or the name service behind it.")
    return found


def open_checked_socket(connection: HTTPConnection, *, resolve: Resolver, is_allowed: AddressRule) -> socket.socket:
    """Connect ``connection`` to the first of its host's addresses that answers, all of them judged before.

    Raises ConfigurationError when any address is refused, urllib3's connection errors otherwise.
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
    """A requests adapter whose sockets all come from ``open_checked_socket``; it knows no proxy and never retries."""

    def __init__(self, *, is_allowed: AddressRule, pool_size: int, resolve: Resolver | None = None) -> None:
        """``pool_size`` connections are kept open per host; more are opened when more threads call.

        ``resolve`` takes the place of ``socket.getaddrinfo``.
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

    def init_poolmanager(self, connections: int, maxsize: int, block: bool = False, **pool_kwargs: Any) -> None:  # noqa: FBT001, FBT002 - the signature of requests
        """Make the pool manager of requests, with the checked connections in it."""
        self.poolmanager = PoolManager(num_pools=connections, maxsize=maxsize, block=block, **pool_kwargs)
        self.poolmanager.pool_classes_by_scheme = self._pool_classes

    def proxy_manager_for(self, proxy: str, **proxy_kwargs: Any) -> Any:  # noqa: ARG002 - the signature of requests
        """Refuse: behind a proxy the address of the CRM could not be checked."""
        message = "Calls to a CRM do not go through a proxy."
        raise ConfigurationError(message, remedy="Let the server reach the CRM directly.")


class UnredirectedSession(requests.Session):
    """A session that sees no redirect in any answer, because requests reads the whole body of one it sees."""

    def get_redirect_target(self, resp: requests.Response) -> None:  # noqa: ARG002 - the signature of requests
        """Return None: there is nowhere else to go."""
        return


def open_session(*, rules: HostRules, ca_bundle: str | None, pool_size: int) -> requests.Session:
    """Return a session that reaches allowed hosts over https and mapped sandboxes on this machine, and nothing else.

    It reads no environment (proxies, REQUESTS_CA_BUNDLE, .netrc), keeps no cookie, and asks for gzip alone.
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
    """Keep queries out of urllib3's own log lines: SOQL in a URL holds the identifiers of people."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Cut every text at its first question mark and name other objects by their type alone."""
        if isinstance(record.args, tuple):
            record.args = tuple(
                argument.partition("?")[0] if isinstance(argument, str) else _name_object(argument)
                for argument in record.args
            )
        return True


def _name_object(argument: object) -> object:
    return argument if isinstance(argument, int | float | None) else type(argument).__name__


logging.getLogger("urllib3.connectionpool").addFilter(UrlQueryFilter())
