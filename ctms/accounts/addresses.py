"""Which address a request comes from, also behind reverse proxies."""

from __future__ import annotations

import ipaddress

from django.conf import settings
from django.http import HttpRequest

Address = ipaddress.IPv4Address | ipaddress.IPv6Address


def get_client_address(request: HttpRequest) -> str:
    """Return the address of the client, e.g. `192.0.2.7`; empty if the server does not know it.

    `X-Forwarded-For` is read from the right, where each proxy adds the address that it was asked from, and only as far
    as `TRUSTED_PROXIES` wrote it: what stands further left was sent by the client and may be anything.
    """
    address = _parse(request.META.get("REMOTE_ADDR", ""))
    for entry in reversed(request.META.get("HTTP_X_FORWARDED_FOR", "").split(",")):
        further = _parse(entry)
        if further is None or not _is_trusted(address):
            break
        address = further
    return "" if address is None else str(address)


def is_trusted_proxy(request: HttpRequest) -> bool:
    """Whether the request was handed over by one of `TRUSTED_PROXIES`."""
    return _is_trusted(_parse(request.META.get("REMOTE_ADDR", "")))


def _is_trusted(address: Address | None) -> bool:
    return address is not None and any(address in network for network in settings.TRUSTED_PROXIES)


def _parse(text: str) -> Address | None:
    """Read an address, without the port that some proxies append; None for anything else."""
    text = text.strip()
    if text.startswith("["):
        text = text[1:].partition("]")[0]
    elif text.count(":") == 1:
        text = text.partition(":")[0]
    try:
        address = ipaddress.ip_address(text.partition("%")[0])
    except ValueError:
        return None
    # A server that listens on both kinds of addresses gives IPv4 clients as ::ffff:192.0.2.7.
    return getattr(address, "ipv4_mapped", None) or address
