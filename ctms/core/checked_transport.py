"""HTTP connections whose address is checked on the socket that carries the call.

A name is resolved once, every address found is checked, and the connection is made to one of these addresses, so that a
name server cannot change its answer between check and use. The certificate is still checked against the name.
"""

import ipaddress
import logging
import socket
import sys
from collections.abc import Callable, Sequence
from typing import Any, Final

import requests
from requests.adapters import HTTPAdapter
from urllib3 import HTTPConnectionPool, HTTPSConnectionPool, PoolManager
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.exceptions import ConnectTimeoutError, NameResolutionError, NewConnectionError

from ctms.core.errors import VaultError

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Resolved = tuple[socket.AddressFamily, socket.SocketKind, int, str, tuple[Any, ...]]
Resolver = Callable[..., Sequence[Any]]
AddressRule = Callable[[Address], bool]


class RefusedAddressError(VaultError):
    """A host leads to an address that must not be called, or would be called through a proxy."""


# Returns the error for a host that leads to a refused address, both as texts; the address is empty for a proxy.
Refusal = Callable[[str, str], Exception]


def refuse_address(host: str, address: str) -> Exception:
    """Return the error for a host that leads to a refused address, or, without one, for a proxy."""
    if not address:
        return RefusedAddressError("Calls do not go through a proxy, behind which no address can be checked.")
    return RefusedAddressError(f"{host} leads to the address {address}, which is not one of the internet.")


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
    """Return whether `address` is one of the internet.

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
    """Return whether `address` is one of this machine."""
    return address.is_loopback


def resolve_checked(
    host: str, port: int, *, resolve: Resolver, is_allowed: AddressRule, refuse: Refusal = refuse_address
) -> Sequence[Resolved]:
    """Return the addresses of a host, all of them checked with `is_allowed`.

    Raises the error of `refuse` if one of them is refused, `socket.gaierror` or UnicodeError if there is none.
    """
    found: Sequence[Resolved] = resolve(host, port, socket.AF_UNSPEC, socket.SOCK_STREAM)
    for *_, sockaddr in found:
        # A link-local IPv6 address arrives with its zone ("fe80::1%eth0").
        if not is_allowed(ipaddress.ip_address(sockaddr[0].partition("%")[0])):
            raise refuse(host, str(sockaddr[0]))
    return found


def open_checked_socket(
    connection: HTTPConnection, *, resolve: Resolver, is_allowed: AddressRule, refuse: Refusal = refuse_address
) -> socket.socket:
    """Check all addresses of the host of `connection` and connect to the first one that answers.

    Raises the error of `refuse` if an address is refused, and the connection errors of urllib3.
    """
    host = connection.host.strip("[]")
    try:
        found = resolve_checked(host, connection.port, resolve=resolve, is_allowed=is_allowed, refuse=refuse)
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

    # The error for an address that is refused; see `Refusal`.
    refuse: Refusal = staticmethod(refuse_address)

    def __init__(self, *, is_allowed: AddressRule, pool_size: int, resolve: Resolver | None = None) -> None:
        """Make an adapter that keeps `pool_size` connections open per host; more are opened if more threads call.

        `resolve` replaces `socket.getaddrinfo`.
        """
        resolver = resolve or socket.getaddrinfo
        refuse = self.refuse

        class CheckedHttpConnection(HTTPConnection):
            def _new_conn(self) -> socket.socket:
                return open_checked_socket(self, resolve=resolver, is_allowed=is_allowed, refuse=refuse)

        class CheckedHttpsConnection(HTTPSConnection):
            def _new_conn(self) -> socket.socket:
                return open_checked_socket(self, resolve=resolver, is_allowed=is_allowed, refuse=refuse)

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
        """Raise the error of `refuse`, because an address behind a proxy could not be checked."""
        raise self.refuse(proxy, "")


class UnredirectedSession(requests.Session):
    """A session that ignores redirects, because requests reads the whole body of a redirect, however large."""

    def get_redirect_target(self, resp: requests.Response) -> None:  # noqa: ARG002  the signature of requests
        """Return None, so that no answer counts as a redirect."""
        return


class UrlQueryFilter(logging.Filter):
    """Removes queries from the log lines of urllib3, because they may hold identifiers of people or secrets."""

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
