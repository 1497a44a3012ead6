"""What a run of one integration did, counted so that every selected record is in exactly one column."""

from __future__ import annotations

from dataclasses import asdict, dataclass


@dataclass(slots=True, kw_only=True)
class Counts:
    """Records, except `api_calls`. `sent` and `received` are the sums of created, updated and deleted."""

    selected: int = 0
    sent: int = 0
    received: int = 0
    created: int = 0
    updated: int = 0
    deleted: int = 0
    unchanged: int = 0
    failed: int = 0
    blocked: int = 0
    api_calls: int = 0

    def check(self) -> None:
        """Raise ArithmeticError if a record was counted twice or not at all."""
        handled = self.sent + self.received + self.unchanged + self.failed + self.blocked
        moved = self.created + self.updated + self.deleted
        if self.selected != handled or self.sent + self.received != moved:
            raise ArithmeticError(f"The records of this run do not add up: {self}.")

    def as_dict(self) -> dict[str, int]:
        """By column, for progress and history."""
        return asdict(self)
