"""What the calendar shows: apps register their objects with dates here, from `AppConfig.ready()`.

A new object joins the calendar by a registration and needs no new view.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from django.db.models import Q

from ctms.accounts.models import User
from ctms.accounts.policies import list_permitted_types
from ctms.configuration.snapshot import Configuration, load_configuration
from ctms.records.access import AccessRefusedError, ObjectAccess, open_object


def _leave_nothing_out(_access: ObjectAccess) -> Q:
    return Q()


def _never(_record: Any) -> bool:
    return False


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class CalendarSource:
    """An object whose records stand in the calendar. Fields are given by API name, and are not custom ones.

    Of `starts` and `ends`, the first field with a value counts: an actual date before the planned one. A record without
    an end lasts a day. `moved` are the fields that move together when the entry is moved; the first is its start.
    """

    object_name: str
    starts: tuple[str, ...]
    ends: tuple[str, ...] = ()
    title: str = ""  # the field that an entry is called by; empty, or without a value: the record's own title
    captions: tuple[str, ...] = ()  # fields that follow the title, such as the site
    icon: Callable[[Any], str] | None = None  # else that of the object
    # Tone and word of a record's state. Tones: complete, planned, overdue, neutral, quiet.
    describe: Callable[[Any], tuple[str, str]]
    is_complete: Callable[[Any], bool]
    complete: Q = field(default_factory=Q)  # what is left out unless completed entries are asked for
    over: Q = field(default_factory=Q)  # what is done, as `is_complete` says it of one record
    leave_out: Callable[[ObjectAccess], Q] = _leave_nothing_out  # what is never shown to a user
    moved: tuple[str, ...] = ()
    is_movable: Callable[[Any], bool] = _never
    study: str = "study__v"  # the reference to the study, by which one study is shown
    site: str = "site__v"  # the reference to the site, whose owner's it is as well
    plan_label: str = ""  # of the link that creates a record on a day; empty: there is none
    position: int = 0  # among the entries of a day


_sources: dict[str, CalendarSource] = {}


def register_calendar_source(source: CalendarSource) -> None:
    """Show records of an object in the calendar. Called once, from `AppConfig.ready()`."""
    _sources[source.object_name] = source


def find_source(object_name: str) -> CalendarSource | None:
    """Return the source of an object's entries; None if its records stand in no calendar."""
    return _sources.get(object_name)


def open_sources(
    *, user: User, configuration: Configuration | None = None
) -> list[tuple[CalendarSource, ObjectAccess]]:
    """Return the sources whose records the user may read, with the user's access, in their order."""
    configuration = configuration or load_configuration()
    opened = []
    for source in sorted(_sources.values(), key=lambda each: (each.position, each.object_name)):
        try:
            access = open_object(user=user, object_name=source.object_name, configuration=configuration)
        except AccessRefusedError:
            continue
        opened.append((source, access))
    return opened


def may_see_calendar(user: User) -> bool:
    """Whether the user may read records of any source."""
    return any(list_permitted_types(user=user, object_name=name) != [] for name in _sources)
