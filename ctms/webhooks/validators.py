"""Which addresses a webhook may have: https on the standard port of a named host."""

from __future__ import annotations

import re
from urllib.parse import urlsplit

from django.core.exceptions import ValidationError

_HTTPS_PORT = 443
_HOST = re.compile(r"(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z][a-z0-9-]{0,61}[a-z0-9]")


def validate_webhook_url(url: str) -> None:
    """Raise ValidationError unless the Vault may send to the URL. Its host is resolved and checked at each call."""
    if not url.isascii() or not url.isprintable() or " " in url or "\\" in url:
        raise ValidationError("The address holds characters that no address has. Copy it again.")
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise ValidationError("This is no address. Enter one such as https://hooks.example.com/vault.") from None
    if parts.scheme != "https":
        raise ValidationError("The address must begin with https://, so that nobody reads along.")
    if port not in (None, _HTTPS_PORT):
        raise ValidationError("Only the standard port of https is allowed: leave the port out.")
    if parts.username is not None or parts.password is not None:
        raise ValidationError("Leave user name and password out: the receiver checks the signature.")
    if not _HOST.fullmatch((parts.hostname or "").lower()):
        raise ValidationError("Enter the full name of a host, not an IP address.")
