"""Names, UIDs and numbers that the modules of the demonstration share. They are the same on every load."""

from __future__ import annotations

import uuid

NA = "NA"
EMEA = "EMEA"

_NAMESPACE = uuid.UUID("6d0f3c52-6f0e-5b51-9f53-2a4f3f0f6c11")


def make_uid(kind: str, key: str | int) -> uuid.UUID:
    """Return the UID of a record of the demonstration. It is the same on every day and machine."""
    return uuid.uuid5(_NAMESPACE, f"{kind}/{key}")


def build_register_number(*, country: str, number: int) -> str:
    """Return a practitioner's number in a national register, unique and never issued.

    American numbers have ten digits and begin with 1 or 2; these begin with 9.
    """
    spread = 10_000_000 + number * 7_919
    return f"90{spread}" if country == "US" else f"{country}{spread}"
