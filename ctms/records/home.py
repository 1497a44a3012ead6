"""The home page is made of panels. A higher floor registers its own from `AppConfig.ready()`."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from django.utils.timesince import timesince

from ctms.accounts.models import User
from ctms.audit.selectors import list_recent_records
from ctms.core.clock import get_now
from ctms.records.favourites import list_favourites
from ctms.records.links import RecordLink, find_links

_RECENT_RECORDS = 10
_FAVOURITES = 12
_JUST_NOW = dt.timedelta(minutes=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class HomePanel:
    """A part of the home page: `build` gives its template what to show to a user, or None to leave the panel out."""

    title: str
    template: str
    build: Callable[[User], dict[str, Any] | None]


@dataclass(frozen=True, slots=True, kw_only=True)
class RecentRecord:
    """A record that the user created or changed, and when."""

    link: RecordLink
    action: str
    age: str


_panels: list[HomePanel] = []


def register_home_panel(panel: HomePanel) -> None:
    """Add a panel, below those registered before."""
    if panel not in _panels:
        _panels.append(panel)


def build_home_panels(user: User) -> list[dict[str, Any]]:
    """Title, template and content of each panel that has something to say to the user."""
    built = [(panel, panel.build(user)) for panel in (*_panels, FAVOURITES, RECENT_RECORDS)]
    return [
        {"title": panel.title, "template": panel.template, "content": content}
        for panel, content in built
        if content is not None
    ]


def build_recent_records(user: User) -> dict[str, Any]:
    """The records that the user changed last, as far as they still exist and the user sees them."""
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
    """The records that the user marked with a star; no panel without any."""
    favourites = list_favourites(user=user, limit=_FAVOURITES)
    return {"records": favourites} if favourites else None


def describe_age(moment: dt.datetime) -> str:
    """How long ago a moment was: "just now", "3 hours ago"."""
    now = get_now()
    return "just now" if now - moment < _JUST_NOW else f"{timesince(moment, now, depth=1)} ago"


FAVOURITES = HomePanel(title="Favourites", template="home/favourites.html", build=build_favourites)
RECENT_RECORDS = HomePanel(title="Recent records", template="home/recent_records.html", build=build_recent_records)
