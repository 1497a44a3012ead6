"""The home page and its panels. Other apps register panels of their own from `AppConfig.ready()`."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from django.utils.timesince import timesince

from ctms.accounts.models import User
from ctms.audit.selectors import list_recent_records
from ctms.core.clock import get_now
from ctms.records.fields.record_links import RecordLink, find_links
from ctms.records.pages.favourites import list_favourites

_RECENT_RECORDS = 10
_FAVOURITES = 12
_JUST_NOW = dt.timedelta(minutes=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class HomePanel:
    """A part of the home page. `build` returns what the template shows to a user, or None to leave the panel out.

    A `title` in it takes the place of that of the panel. A wide panel stands below the others.
    """

    title: str
    template: str
    build: Callable[[User], dict[str, Any] | None]
    is_wide: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class RecentRecord:
    """A record that the user created or changed, and when."""

    link: RecordLink
    action: str
    age: str


_panels: list[HomePanel] = []


def register_home_panel(panel: HomePanel) -> None:
    """Register a panel, to be shown below those registered before."""
    if panel not in _panels:
        _panels.append(panel)


def build_home_panels(user: User) -> list[dict[str, Any]]:
    """Return title, template and content of each panel that has content for the user."""
    panels = sorted((*_panels, FAVOURITES, RECENT_RECORDS), key=lambda each: each.is_wide)
    built = [(panel, panel.build(user)) for panel in panels]
    return [
        {
            "title": content.get("title", panel.title),
            "template": panel.template,
            "content": content,
            "is_wide": panel.is_wide,
        }
        for panel, content in built
        if content is not None
    ]


def build_recent_records(user: User) -> dict[str, Any]:
    """Return the records that the user changed last, if they still exist and the user sees them."""
    entries = list_recent_records(user=user, limit=_RECENT_RECORDS)
    references = [(entry.object_name, entry.record_uid) for entry in entries if entry.record_uid is not None]
    links = find_links(user=user, references=references)
    return {
        "records": [
            RecentRecord(link=links[entry.record_uid], action=entry.get_action_display(), age=describe_age(entry.at))
            for entry in entries
            if entry.record_uid in links
        ]
    }


def build_favourites(user: User) -> dict[str, Any] | None:
    """Return the records that the user marked with a star; None, for no panel, if there are none."""
    favourites = list_favourites(user=user, limit=_FAVOURITES)
    return {"records": favourites} if favourites else None


def describe_age(moment: dt.datetime) -> str:
    """Return how long ago a moment was, such as "just now" or "3 hours ago"."""
    now = get_now()
    return "just now" if now - moment < _JUST_NOW else f"{timesince(moment, now, depth=1)} ago"


FAVOURITES = HomePanel(title="Favourites", template="home/favourites.html", build=build_favourites)
RECENT_RECORDS = HomePanel(title="Recent records", template="home/recent_records.html", build=build_recent_records)
