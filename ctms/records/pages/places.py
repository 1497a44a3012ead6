"""Where a record is outside the Vault, in the head of its page: a line for each place. Other apps register them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from ctms.records.access import ObjectAccess
from ctms.records.pages.notices import NoticePart


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordPlace:
    """A line: `name` of the place, then a sentence with links.

    `tone` is success, warning or waiting; empty for what needs no attention. A line that `is_moving` is about to change
    within seconds, so that the page asks for it again while somebody looks.
    """

    name: str
    parts: tuple[NoticePart, ...]
    tone: str = ""
    is_moving: bool = False

    def __str__(self) -> str:
        return "".join(part.text for part in self.parts)

    @property
    def icon(self) -> str:
        """The icon of the tone."""
        return {"success": "check", "warning": "warning", "waiting": "clock"}.get(self.tone, "info")


ListPlaces = Callable[[ObjectAccess, Any], Sequence[RecordPlace]]

_builders: list[ListPlaces] = []


def register_record_places(build: ListPlaces) -> None:
    """Register a builder of places for all objects. Called once, when the app is ready.

    `build` must run a fixed number of statements for each page.
    """
    if build not in _builders:
        _builders.append(build)


def list_places(*, access: ObjectAccess, record: Any) -> list[RecordPlace]:
    """Return all places of the record for this user."""
    return [place for build in _builders for place in build(access, record)]
