"""Authenticated encryption of single values, with a key ring so that keys can be replaced.

A stored value reads `v1.<key id>.<base64url(nonce + ciphertext + tag)>`. AES-256-GCM with a random 96-bit nonce; the
associated data name model, field and row, so that a value copied elsewhere does not decrypt.
"""

from __future__ import annotations

import base64
import binascii
import os

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from django.conf import settings

from ctms.core.errors import EncryptionKeyError

_FORMAT = "v1"
_NONCE_BYTES = 12
_KEY_BYTES = 32


def load_key_ring() -> dict[str, bytes]:
    """Keys by id from `FIELD_ENCRYPTION_KEYS` (`id:base64`, newest first). Raises EncryptionKeyError if one is malformed."""
    ring: dict[str, bytes] = {}
    for position, entry in enumerate(settings.FIELD_ENCRYPTION_KEYS, start=1):
        key_id, _, encoded = entry.partition(":")
        try:
            key = base64.b64decode(encoded, validate=True)
        except (ValueError, binascii.Error):
            key = b""
        if not key_id or "." in key_id or len(key) != _KEY_BYTES:
            raise EncryptionKeyError(
                f"FIELD_ENCRYPTION_KEYS: entry {position} is not `id:base64` of {_KEY_BYTES} bytes. "
                "Make one with `manage.py create_encryption_key`."
            )
        ring[key_id] = key
    if not ring:
        raise EncryptionKeyError("FIELD_ENCRYPTION_KEYS is empty. Make a key with `manage.py create_encryption_key`.")
    return ring


def get_primary_key_id() -> str:
    """Id of the key that new values are encrypted with."""
    return next(iter(load_key_ring()))


def encrypt(*, plaintext: str, context: str) -> str:
    """Encrypt with the first key of the ring, bound to `context`."""
    ring = load_key_ring()
    key_id, key = next(iter(ring.items()))
    nonce = os.urandom(_NONCE_BYTES)
    sealed = AESGCM(key).encrypt(nonce, plaintext.encode(), context.encode())
    return f"{_FORMAT}.{key_id}.{base64.urlsafe_b64encode(nonce + sealed).decode()}"


def decrypt(*, token: str, context: str) -> str:
    """Decrypt a stored value. Raises EncryptionKeyError if the key is missing, wrong, or the value was moved or altered."""
    parts = token.split(".", 2)
    if len(parts) != 3 or parts[0] != _FORMAT:
        raise EncryptionKeyError(f"The secret stored for {context} has an unknown format.")
    _, key_id, body = parts
    key = load_key_ring().get(key_id)
    if key is None:
        raise EncryptionKeyError(
            f"The secret stored for {context} needs the key {key_id!r}; add it to FIELD_ENCRYPTION_KEYS."
        )
    try:
        raw = base64.urlsafe_b64decode(body)
        return AESGCM(key).decrypt(raw[:_NONCE_BYTES], raw[_NONCE_BYTES:], context.encode()).decode()
    except (InvalidTag, ValueError, binascii.Error):
        raise EncryptionKeyError(
            f"The secret stored for {context} does not decrypt with the key {key_id!r}: the key is another one, or the "
            "value was altered or copied from another record. Nothing was changed."
        ) from None


def get_key_id(token: str) -> str:
    """Id of the key a stored value was encrypted with."""
    return token.split(".", 2)[1]
