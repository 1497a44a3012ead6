"""What another app has to say about a record, above everything else on its page: a calm sentence or two.

An app registers what builds it for the objects that it knows something of.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from ctms.records.access import ObjectAccess


@dataclass(frozen=True, slots=True, kw_only=True)
class NoticePart:
    """A piece of a sentence; with a `url` it leads there."""

    text: str
    url: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordNotice:
    """A paragraph. A warning stands out: something is to be corrected."""

    parts: tuple[NoticePart, ...]
    icon: str = "info"
    is_warning: bool = False

    def __str__(self) -> str:
        return "".join(part.text for part in self.parts)


BuildNotices = Callable[[ObjectAccess, Any], Sequence[RecordNotice]]

_OF_ALL = ""
_builders: dict[str, list[BuildNotices]] = {}


def register_record_notice(object_name: str | None, build: BuildNotices) -> None:
    """Called once, when the app is ready; of no object, it is asked for the records of every one.

    Of a page's statements, those that `build` asks are a fixed number.
    """
    builders = _builders.setdefault(object_name or _OF_ALL, [])
    if build not in builders:
        builders.append(build)


def list_notices(*, access: ObjectAccess, record: Any) -> list[RecordNotice]:
    """All there is to say of the record to this user."""
    builders = [*_builders.get(_OF_ALL, ()), *_builders.get(access.shape.api_name, ())]
    return [notice for build in builders for notice in build(access, record)]
