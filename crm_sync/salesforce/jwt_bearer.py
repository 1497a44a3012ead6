"""The JSON Web Token with which the Vault asks for a token (RFC 7523), signed with RS256."""

from __future__ import annotations

import base64
import json
from typing import TYPE_CHECKING, Any, Final

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

from crm_sync.crm.errors import ConfigurationError

if TYPE_CHECKING:
    from datetime import datetime

    from crm_sync.salesforce.options import KeyPair

GRANT_TYPE: Final = "urn:ietf:params:oauth:grant-type:jwt-bearer"
# The CRM accepts at most three minutes; one is left for a clock of the Vault that is ahead.
LIFETIME_SECONDS: Final = 120


def build_assertion(*, pair: KeyPair, issuer: str, subject: str, audience: str, now: datetime) -> str:
    """Return a signed JWT: `issuer` is the consumer key, `subject` the user name, `audience` the log-in host's URL.

    Raises ConfigurationError if the private key of the pair is none.
    """
    try:
        key = serialization.load_pem_private_key(pair.private_key.encode(), password=None)
    except ValueError:
        key = None
    if not isinstance(key, RSAPrivateKey):
        raise ConfigurationError(
            "The private key of the Authorization cannot be read.", remedy="Use its action Create Certificate."
        )
    claims = {"iss": issuer, "sub": subject, "aud": audience, "exp": int(now.timestamp()) + LIFETIME_SECONDS}
    signed = f"{_encode({'alg': 'RS256', 'typ': 'JWT'})}.{_encode(claims)}"
    signature = key.sign(signed.encode(), padding.PKCS1v15(), hashes.SHA256())
    return f"{signed}.{_encode_bytes(signature)}"


def _encode(values: dict[str, Any]) -> str:
    return _encode_bytes(json.dumps(values, separators=(",", ":")).encode())


def _encode_bytes(value: bytes) -> str:
    return base64.urlsafe_b64encode(value).rstrip(b"=").decode()
