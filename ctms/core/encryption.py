"""Authenticated encryption of single values, with a key ring so that keys can be replaced.

A stored value reads `v1.<key id>.<base64url(nonce + ciphertext + tag)>`. The cipher is AES-256-GCM with a random
96-bit nonce. The associated data (`context`) names model, field and row, so that a copied value does not decrypt.
"""

from __future__ import annotations

import base64
import os
import re
from typing import TYPE_CHECKING

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from django.conf import settings

from ctms.core.errors import EncryptionKeyError

if TYPE_CHECKING:
    from collections.abc import Iterable

HOW_TO_MAKE_A_KEY = "Make one with `manage.py create_encryption_key --settings ctms.settings.base`."

_NONCE_BYTES = 12
_KEY_BYTES = 32
_KEY_ID = re.compile(r"[A-Za-z0-9_-]{1,64}\Z")
_TOKEN = re.compile(r"v1\.([A-Za-z0-9_-]{1,64})\.([A-Za-z0-9_=-]+)\Z")


def create_key(*, key_id: str) -> str:
    """Return a new random key as an entry of `FIELD_ENCRYPTION_KEYS`. Raises EncryptionKeyError for a malformed id."""
    if not _KEY_ID.match(key_id):
        raise EncryptionKeyError(
            f"{key_id!r} is no id of a key: use up to 64 letters, digits, hyphens and underscores, e.g. 2026-01."
        )
    return f"{key_id}:{base64.b64encode(os.urandom(_KEY_BYTES)).decode()}"


def parse_key_ring(entries: Iterable[str]) -> dict[str, bytes]:
    """Return keys by id, in order. Raises EncryptionKeyError naming an entry that is malformed or whose id is taken."""
    ring: dict[str, bytes] = {}
    for position, entry in enumerate(entries, start=1):
        key_id, _, encoded = entry.strip().partition(":")
        try:
            key = base64.b64decode(encoded, validate=True)
        except ValueError:
            key = b""
        if not _KEY_ID.match(key_id) or len(key) != _KEY_BYTES:
            raise EncryptionKeyError(
                f"FIELD_ENCRYPTION_KEYS: entry {position} is not `id:base64` of {_KEY_BYTES} bytes. {HOW_TO_MAKE_A_KEY}"
            )
        if key_id in ring:
            raise EncryptionKeyError(
                f"FIELD_ENCRYPTION_KEYS: entry {position} has the id {key_id!r} of an earlier one. Give each its own."
            )
        ring[key_id] = key
    if not ring:
        raise EncryptionKeyError(f"FIELD_ENCRYPTION_KEYS is empty. {HOW_TO_MAKE_A_KEY}")
    return ring


def load_key_ring() -> dict[str, bytes]:
    """Return keys by id from `FIELD_ENCRYPTION_KEYS` (`id:base64`, newest first); raises what `parse_key_ring` does."""
    return parse_key_ring(settings.FIELD_ENCRYPTION_KEYS)


def get_primary_key_id() -> str:
    """Return the id of the key that new values are encrypted with."""
    return next(iter(load_key_ring()))


def encrypt(*, plaintext: str, context: str) -> str:
    """Return `plaintext` encrypted with the first key of the ring; only the same `context` decrypts it."""
    key_id, key = next(iter(load_key_ring().items()))
    nonce = os.urandom(_NONCE_BYTES)
    sealed = AESGCM(key).encrypt(nonce, plaintext.encode(), context.encode())
    return f"v1.{key_id}.{base64.urlsafe_b64encode(nonce + sealed).decode()}"


def decrypt(*, token: str, context: str) -> str:
    """Decrypt a stored value.

    Raises EncryptionKeyError if its key is missing or wrong, or if the value was altered or copied from elsewhere.
    """
    key_id, body = _split(token=token, context=context)
    key = load_key_ring().get(key_id)
    if key is None:
        raise EncryptionKeyError(
            f"The secret stored for {context} needs the key {key_id!r}; add it to FIELD_ENCRYPTION_KEYS."
        )
    try:
        raw = _decode(body)
        return AESGCM(key).decrypt(raw[:_NONCE_BYTES], raw[_NONCE_BYTES:], context.encode()).decode()
    except (InvalidTag, ValueError):
        raise EncryptionKeyError(
            f"The secret stored for {context} does not decrypt with the key {key_id!r}: the key is another one, or the "
            "value was altered or copied from another record. Nothing was changed."
        ) from None


def get_key_id(*, token: str, context: str) -> str:
    """Return the id of the key of a stored value. Raises EncryptionKeyError if the Vault did not write the value."""
    return _split(token=token, context=context)[0]


def _split(*, token: str, context: str) -> tuple[str, str]:
    match = _TOKEN.match(token)
    if match is None:
        raise EncryptionKeyError(
            f"The secret stored for {context} is not a value that the Vault wrote. Enter it again; nothing was changed."
        )
    return match[1], match[2]


def _decode(body: str) -> bytes:
    """Return the bytes of a base64url text; none, which no key decrypts, if Python would spell them differently."""
    raw = base64.urlsafe_b64decode(body)
    return raw if base64.urlsafe_b64encode(raw).decode() == body else b""
