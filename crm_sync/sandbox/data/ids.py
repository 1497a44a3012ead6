"""Record ids: 15 case-sensitive characters, or 18 with a checksum that keeps them apart where case is ignored.

Each block of five characters gives one character of the checksum, from `A-Z0-5`, whose bits say which of the five are
upper case (Salesforce Developer Guide, "ID Field Type").
"""

import re

BASE62 = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
CHECKSUM_ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZ012345"
IDENTIFIER = re.compile(r"[0-9A-Za-z]{15}(?:[A-Z0-5]{3})?", re.ASCII)


def compute_checksum(identifier: str) -> str:
    """Return the three characters that lengthen the first 15 characters of an id to 18."""
    checksum = ""
    for start in (0, 5, 10):
        bits = sum(1 << offset for offset in range(5) if "A" <= identifier[start + offset] <= "Z")
        checksum += CHECKSUM_ALPHABET[bits]
    return checksum


def normalise_id(value: str) -> str | None:
    """Return the 18-character form of an id of 15 or 18 characters, or None when it is not a valid id."""
    if not IDENTIFIER.fullmatch(value):
        return None
    checksum = compute_checksum(value)
    if value[15:] not in {"", checksum}:
        return None
    return value[:15] + checksum


def encode_base62(number: int, *, width: int) -> str:
    """Return a non-negative number in base 62, padded with zeros to `width` characters."""
    digits = ""
    while number:
        number, rest = divmod(number, 62)
        digits = BASE62[rest] + digits
    return digits.rjust(width, "0")


def build_id(*, key_prefix: str, pod: str, number: int) -> str:
    """Return the 18-character id with this number: key prefix (3), pod (3), nine base-62 digits, checksum (3)."""
    identifier = key_prefix + pod + encode_base62(number, width=9)
    return identifier + compute_checksum(identifier)
