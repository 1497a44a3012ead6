"""Signs what is sent to a webhook, so that its receiver knows that it is of this Vault, whole, and of now.

Every event is signed as the specification *Standard Webhooks* says: the header `webhook-signature` has, for each valid
secret, `v1,<base64 of HMAC-SHA256(key, "<webhook-id>.<webhook-timestamp>.<body>")>`, parted by spaces. The key of a
secret `whsec_…` is what its rest is in base64; of any other secret, its text.

Receivers of alerts find the older header as well:
`t=<seconds since 1970>,v1=<hex of HMAC-SHA256(secret, "<t>.<body>")>`.

Source: https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import secrets
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

ID_HEADER, TIMESTAMP_HEADER, SIGNATURES_HEADER = "webhook-id", "webhook-timestamp", "webhook-signature"
SIGNATURE_HEADER = "Vault-Signature"
_PREFIX = "whsec_"
_KEY_BYTES = 32


def make_secret() -> str:
    """Return a secret that nobody has: `whsec_` and 32 random bytes in base64."""
    return _PREFIX + base64.b64encode(secrets.token_bytes(_KEY_BYTES)).decode()


def sign(*, secret: str, body: bytes, timestamp: int) -> str:
    """Return the value of the older signature header."""
    digest = hmac.new(secret.encode(), f"{timestamp}.".encode() + body, hashlib.sha256).hexdigest()
    return f"t={timestamp},v1={digest}"


def sign_standard(*, keys: Sequence[str], uid: str, body: bytes, timestamp: int) -> dict[str, str]:
    """Return the headers of Standard Webhooks, with a signature by each of the secrets `keys`."""
    content = f"{uid}.{timestamp}.".encode() + body
    digests = (hmac.digest(_read_key(each), content, "sha256") for each in keys)
    return {
        ID_HEADER: uid,
        TIMESTAMP_HEADER: str(timestamp),
        SIGNATURES_HEADER: " ".join(f"v1,{base64.b64encode(each).decode()}" for each in digests),
    }


def _read_key(secret: str) -> bytes:
    if secret.startswith(_PREFIX):
        try:
            return base64.b64decode(secret.removeprefix(_PREFIX), validate=True)
        except binascii.Error:
            pass  # a text that somebody entered, and that only begins like one
    return secret.encode()
