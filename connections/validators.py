"""What a connection's URL may be."""

from __future__ import annotations

import ipaddress
import re
from urllib.parse import urlsplit

from django.conf import settings
from django.core.exceptions import ValidationError

_LABEL = re.compile(r"^(?!-)[a-z0-9-]{1,63}(?<!-)\Z")
_NUMERIC_HOST = re.compile(r"^(0x[0-9a-f]*|[0-9]+)(\.(0x[0-9a-f]*|[0-9]+))*\.?\Z")


def clean_connection_url(url: str) -> str:
    """The URL in its normal form `https://host`.

    Raises ValidationError for anything but https on the standard port to a named, allowed host, with nothing after it.
    """
    text = url.strip()
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError:
        raise ValidationError("This is not a valid URL. Enter it as https://your-org.my.salesforce.com.") from None
    if parts.scheme.lower() != "https":
        raise ValidationError("The URL must start with https://; nothing is sent unencrypted.")
    if parts.username is not None or parts.password is not None:
        raise ValidationError("The URL must not contain a user name or password; store them in the Authorization.")
    if port is not None:
        raise ValidationError(f"Only the standard HTTPS port is allowed: remove :{port} from the URL.")
    if parts.path not in ("", "/") or parts.query or parts.fragment or text.endswith(("?", "#")):
        raise ValidationError("Enter the host alone: remove what follows it (path, query or fragment).")
    host = (parts.hostname or "").lower()
    if not host or parts.netloc.endswith(":"):
        raise ValidationError("The URL names no host. Enter it as https://your-org.my.salesforce.com.")
    if _is_address(host):
        raise ValidationError("Enter the organisation's host name; IP addresses are refused.")
    if "*" in host:
        raise ValidationError("Wildcards are refused: enter the organisation's full host name.")
    if len(host) > 253 or not all(_LABEL.match(label) for label in host.split(".")) or "." not in host:
        raise ValidationError(f"{host!r} is not a full host name. Enter it as https://your-org.my.salesforce.com.")
    if not is_host_allowed(host):
        allowed = ", ".join(settings.CRM_ALLOWED_HOST_SUFFIXES)
        raise ValidationError(
            f"{host} is not among the hosts that this Vault may connect to ({allowed}). "
            "IT operations can add a suffix to CRM_ALLOWED_HOST_SUFFIXES."
        )
    return f"https://{host}"


def is_host_allowed(host: str) -> bool:
    """Whether the host ends in an allowed suffix, on a whole label, or is served by the CRM sandbox."""
    if host in settings.CRM_SANDBOX_ORIGINS:
        return True
    return any(
        host == suffix or host.endswith(f".{suffix}") for suffix in map(str.lower, settings.CRM_ALLOWED_HOST_SUFFIXES)
    )


def validate_connection_url(url: str) -> None:
    """As a model validator."""
    clean_connection_url(url)


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host.strip("[]"))
    except ValueError:
        return bool(_NUMERIC_HOST.match(host))
    return True
