"""How far the Vault's clock may be from a CRM's before that is said, and what to do then. Nothing is decided by it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from crm_sync.crm.dialect import ClockReading

# The CRM's clock is read to the second, and an answer takes some on its way.
_NOTABLE_SECONDS: Final = 30
CLOCK_REMEDY: Final = (
    "Have IT operations set the clock of the Vault's machines by a time server (NTP), and the CRM's if that is wrong."
)


def is_notable(offset: int) -> bool:
    """Whether so many seconds between the Vault's clock and a CRM's are worth a word."""
    return abs(offset) >= _NOTABLE_SECONDS


def describe_clock_offset(clock: ClockReading | None) -> str:
    """Return how far the Vault's clock is from the CRM's, as a sentence; empty if it is not known or hardly differs."""
    if clock is None or not is_notable(clock.offset):
        return ""
    return f"The Vault's clock is {describe_offset(clock.offset)} the CRM's."


def describe_offset(offset: int) -> str:
    """Return words such as `600 seconds ahead of`."""
    return f"{abs(offset):,} seconds {'ahead of' if offset > 0 else 'behind'}"
