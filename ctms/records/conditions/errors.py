"""Errors of conditions, for people: each names the field and the remedy."""

from __future__ import annotations

from ctms.core.errors import VaultError


class ConditionError(VaultError):
    """A condition is not valid.

    `text` says why, and `label` names the field. `place` leads to the condition: an index for each group, from 0.
    """

    def __init__(self, text: str, *, label: str = "", place: tuple[int, ...] = ()) -> None:
        super().__init__(f"{label}: {text}" if label else text)
        self.text, self.label, self.place = text, label, place

    @property
    def index(self) -> int:
        """The number, from 0, of the condition or group among those that must all hold."""
        return self.place[0] if self.place else 0
