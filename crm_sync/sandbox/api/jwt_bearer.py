"""The JWT bearer flow (RFC 7523): checks a JSON Web Token in the order and words of the CRM.

The words are known from reports of users of the real CRM.
"""

import base64
import binascii
import json
from collections.abc import Collection
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey

from crm_sync.sandbox.data.credentials import ConnectedApp

LONGEST_SECONDS = 180
LOG_IN_HOSTS = frozenset({"login.salesforce.com", "test.salesforce.com"})
INVALID_ASSERTION = "invalid assertion"
INVALID_AUDIENCE = "audience is invalid"
EXPIRED = "expired authorization code"


class AssertionRefusedError(Exception):
    """A JWT is refused: the description that the CRM gives with the error `invalid_grant`."""


def read_claims(assertion: str) -> dict[str, Any]:
    """Return the claims of a JWT without checking its signature. Raises AssertionRefusedError."""
    head, _, rest = assertion.partition(".")
    body, _, _signature = rest.partition(".")
    header, claims = _decode(head), _decode(body)
    if header.get("alg") != "RS256":
        raise AssertionRefusedError(INVALID_ASSERTION)
    return claims


def check_assertion(
    assertion: str, *, claims: dict[str, Any], app: ConnectedApp, own_hosts: Collection[str], now: datetime
) -> None:
    """Check signature, audience and expiry of a JWT; `own_hosts` are the organisation's own.

    Hosts of the reserved domain `.test` stand for My Domain, too: a Vault knows its sandboxes by such names.
    Raises AssertionRefusedError.
    """
    if not app.certificate or not _is_signed(assertion, certificate=app.certificate):
        raise AssertionRefusedError(INVALID_ASSERTION)
    if not _is_audience(str(claims.get("aud", "")), own_hosts=own_hosts):
        raise AssertionRefusedError(INVALID_AUDIENCE)
    expires = claims.get("exp")
    if isinstance(expires, str) and expires.isdecimal():
        expires = int(expires)
    if not isinstance(expires, int) or isinstance(expires, bool):
        raise AssertionRefusedError(INVALID_ASSERTION)
    if not 0 < expires - now.timestamp() <= LONGEST_SECONDS:
        raise AssertionRefusedError(EXPIRED)


def _is_signed(assertion: str, *, certificate: str) -> bool:
    signed, _, signature = assertion.rpartition(".")
    key = x509.load_pem_x509_certificate(certificate.encode()).public_key()
    if not isinstance(key, RSAPublicKey):
        return False
    try:
        key.verify(_decode_bytes(signature), signed.encode(), padding.PKCS1v15(), hashes.SHA256())
    except (InvalidSignature, binascii.Error):
        return False
    return True


def _is_audience(audience: str, *, own_hosts: Collection[str]) -> bool:
    try:
        host = urlsplit(audience).hostname or ""
    except ValueError:
        return False
    return host in LOG_IN_HOSTS or host in own_hosts or host.endswith(".test")


def _decode(part: str) -> dict[str, Any]:
    try:
        value = json.loads(_decode_bytes(part))
    except (ValueError, binascii.Error):
        raise AssertionRefusedError(INVALID_ASSERTION) from None
    if not isinstance(value, dict):
        raise AssertionRefusedError(INVALID_ASSERTION)
    return value


def _decode_bytes(part: str) -> bytes:
    return base64.b64decode(part + "=" * (-len(part) % 4), altchars=b"-_", validate=True)
