"""Check and normalise the URL of a connection."""

from __future__ import annotations

import ipaddress
import re
from urllib.parse import SplitResult, urlsplit

from django.conf import settings
from django.core.exceptions import ValidationError

_EXAMPLE = "Enter it as https://your-org.my.salesforce.com."
_WRITABLE = re.compile(r"[!-~]+\Z")  # ASCII without spaces and control characters
_LABEL = re.compile(r"(?!-)[a-z0-9-]{1,63}(?<!-)\Z")
_NUMERIC_HOST = re.compile(r"(0x[0-9a-f]*|[0-9]+)(\.(0x[0-9a-f]*|[0-9]+))*\.?\Z")
_LONGEST_HOST = 253
_STANDARD_PORT = "443"  # written out, it is the same address


def clean_connection_url(url: str) -> str:
    """Return the URL in its normal form `https://host`.

    Raises ValidationError unless it is https on the standard port, with an allowed host name and nothing after it.
    """
    parts = _split(url.strip())
    if parts.scheme != "https":
        raise ValidationError("The URL must start with https://; nothing is sent unencrypted.")
    _refuse_additions(parts)
    host = (parts.hostname or "").lower()
    _refuse_bad_host(host)
    if not is_host_allowed(host):
        allowed = ", ".join(settings.CRM_ALLOWED_HOST_SUFFIXES)
        raise ValidationError(
            f"{host} is not among the hosts that this Vault may connect to ({allowed}). "
            "IT operations can add a suffix to CRM_ALLOWED_HOST_SUFFIXES."
        )
    return f"https://{host}"


def is_host_allowed(host: str) -> bool:
    """Whether whole labels at the end of the host are an allowed suffix, or the CRM sandbox serves it."""
    if host in settings.CRM_SANDBOX_ORIGINS:
        return True
    suffixes = (suffix.strip(" .").lower() for suffix in settings.CRM_ALLOWED_HOST_SUFFIXES)
    return any(host == suffix or host.endswith(f".{suffix}") for suffix in suffixes if suffix)


def validate_connection_url(url: str) -> None:
    """Raise ValidationError for a URL that `clean_connection_url` refuses; validator of the model field."""
    clean_connection_url(url)


def _split(text: str) -> SplitResult:
    if text and not _WRITABLE.match(text):
        raise ValidationError(f"The URL contains a space or a character that URLs do not have. {_EXAMPLE}")
    try:
        parts = urlsplit(text)
        parts.port  # noqa: B018  reading the port checks it
    except ValueError:
        raise ValidationError(f"This is not a valid URL. {_EXAMPLE}") from None
    if text.endswith(("?", "#")):  # an empty query or fragment, which `parts` does not show
        raise ValidationError("Enter the host alone: remove what follows it (path, query or fragment).")
    return parts


def _refuse_additions(parts: SplitResult) -> None:
    if "@" in parts.netloc:
        raise ValidationError("The URL must not contain a user name or password; store them in the Authorization.")
    if "[" in parts.netloc:
        raise ValidationError("Enter the organisation's host name; IP addresses are refused.")
    host, colon, port = parts.netloc.partition(":")
    if colon and host and port != _STANDARD_PORT:
        raise ValidationError(f"Only the standard HTTPS port is allowed: remove :{port} from the URL.")
    if parts.path not in ("", "/") or parts.query or parts.fragment:
        raise ValidationError("Enter the host alone: remove what follows it (path, query or fragment).")


def _refuse_bad_host(host: str) -> None:
    if not host:
        raise ValidationError(f"The URL names no host. {_EXAMPLE}")
    if _is_address(host):
        raise ValidationError("Enter the organisation's host name; IP addresses are refused.")
    if "*" in host:
        raise ValidationError("Wildcards are refused: enter the organisation's full host name.")
    if len(host) > _LONGEST_HOST or "." not in host or not all(_LABEL.match(label) for label in host.split(".")):
        raise ValidationError(f"{host!r} is not a full host name. {_EXAMPLE}")


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return bool(_NUMERIC_HOST.match(host))
    return True
