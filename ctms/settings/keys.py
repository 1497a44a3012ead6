"""How the keys are read that encrypt stored secrets."""

from __future__ import annotations

from ctms.core.encryption import HOW_TO_MAKE_A_KEY, parse_key_ring
from ctms.core.errors import EncryptionKeyError
from ctms.settings.environment import split

_FEWEST_BYTES = 10  # of 32 random ones, 30 are different


def parse_encryption_keys(text: str) -> list[str]:
    """Return the entries of a key ring, newest first. Raises ValueError, which names an entry by position or id."""
    entries = split(text)
    try:
        ring = parse_key_ring(entries)
    except EncryptionKeyError as error:
        raise ValueError(str(error).removeprefix("FIELD_ENCRYPTION_KEYS: ")) from None
    for key_id, key in ring.items():
        if len(set(key)) < _FEWEST_BYTES:
            raise ValueError(f"The key {key_id!r} is not random. {HOW_TO_MAKE_A_KEY}")
    return entries
