"""Notices of other apps at the top of a record page, a sentence or two each.

An app registers a function that builds them, for one object or for all.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from ctms.records.access import ObjectAccess


@dataclass(frozen=True, slots=True, kw_only=True)
class NoticePart:
    """A piece of a sentence; a link if it has a `url`, which `is_external` if it leaves the Vault."""

    text: str
    url: str = ""
    is_external: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordNotice:
    """A paragraph. A warning is highlighted: the user should correct something."""

    parts: tuple[NoticePart, ...]
    icon: str = "info"
    is_warning: bool = False

    def __str__(self) -> str:
        return "".join(part.text for part in self.parts)


BuildNotices = Callable[[ObjectAccess, Any], Sequence[RecordNotice]]

_OF_ALL = ""
_builders: dict[str, list[BuildNotices]] = {}


def register_record_notice(object_name: str | None, build: BuildNotices) -> None:
    """Register a builder of notices for an object, or for all if it is None. Called once, when the app is ready.

    `build` must run a fixed number of statements for each page.
    """
    builders = _builders.setdefault(object_name or _OF_ALL, [])
    if build not in builders:
        builders.append(build)


def list_notices(*, access: ObjectAccess, record: Any) -> list[RecordNotice]:
    """Return all notices of the record for this user."""
    builders = [*_builders.get(_OF_ALL, ()), *_builders.get(access.shape.api_name, ())]
    return [notice for build in builders for notice in build(access, record)]
