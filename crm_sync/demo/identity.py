"""Names and numbers by which the parts of the demonstration refer to each other. The same on every load."""

from __future__ import annotations

import uuid

NA = "NA"
EMEA = "EMEA"

_NAMESPACE = uuid.UUID("6d0f3c52-6f0e-5b51-9f53-2a4f3f0f6c11")


def make_uid(kind: str, key: str | int) -> uuid.UUID:
    """UID of a record of the demonstration: a load on another day or machine gives it the same."""
    return uuid.uuid5(_NAMESPACE, f"{kind}/{key}")


def build_register_number(*, country: str, number: int) -> str:
    """A practitioner's number in a national register, unlike any other's and none that was ever issued.

    American ones are ten digits and begin with 1 or 2; these begin with 9.
    """
    spread = 10_000_000 + number * 7_919
    return f"90{spread}" if country == "US" else f"{country}{spread}"
