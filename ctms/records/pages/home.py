"""The home page and its panels. Other apps register panels of their own from `AppConfig.ready()`."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Any
from urllib.parse import urlencode

from django.urls import reverse
from django.utils.timesince import timesince

from ctms.accounts.models import User
from ctms.audit.selectors import list_recent_records
from ctms.core.clock import get_now
from ctms.records.fields.record_links import RecordLink, find_links
from ctms.records.pages.favourites import list_favourites

_RECENT_RECORDS = 10
_FAVOURITES = 12
VIEW = "view"  # name of the parameter that names a view of the home page
_JUST_NOW = dt.timedelta(minutes=1)


MINE_VIEW = ""  # the view of the home page that opens first


class Place(StrEnum):
    """Where a panel stands: in the middle, beside it, or below both over the whole width."""

    MAIN = "main"
    SIDE = "side"
    WIDE = "wide"


@dataclass(frozen=True, slots=True, kw_only=True)
class HomeRequest:
    """Who asks for the home page, which of its views, and when the user was last here; None if nobody knows."""

    user: User
    view: str = MINE_VIEW
    since: dt.datetime | None = None

    @property
    def query(self) -> str:
        """The query string of the address of the view."""
        return urlencode({VIEW: self.view}) if self.view else ""


def _always(_user: User) -> bool:
    return True


@dataclass(frozen=True, slots=True, kw_only=True)
class HomePanel:
    """A part of the home page. `build` returns what the template shows to a user, or None to leave the panel out.

    A `title` in it takes the place of that of the panel. The panel belongs to one `view`, or to all if that is None.
    One that takes long is left out of the page and loaded when it comes into sight: `is_late` tells to whom it is
    offered, and it has a page of its own.
    """

    key: str
    title: str
    template: str
    build: Callable[[HomeRequest], dict[str, Any] | None]
    place: Place = Place.MAIN
    view: str | None = MINE_VIEW
    is_late: Callable[[User], bool] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class HomeView:
    """A view of the home page, such as that of the team. `is_offered` tells to whom."""

    key: str
    label: str
    is_offered: Callable[[User], bool] = _always


@dataclass(frozen=True, slots=True, kw_only=True)
class RecentRecord:
    """A record that the user created or changed, and when."""

    link: RecordLink
    action: str
    age: str


_panels: list[HomePanel] = []
_views: list[HomeView] = [HomeView(key=MINE_VIEW, label="Mine")]


def register_home_panel(panel: HomePanel) -> None:
    """Register a panel, to be shown below those registered before."""
    if panel not in _panels:
        _panels.append(panel)


def register_home_view(view: HomeView) -> None:
    """Register a view, to be offered behind those registered before."""
    if view not in _views:
        _views.append(view)


def list_home_views(user: User) -> list[HomeView]:
    """Return the views that the user is offered."""
    return [view for view in _views if view.is_offered(user)]


def build_home_panels(request: HomeRequest) -> list[dict[str, Any]]:
    """Return the panels of the view that have something for the user, those of the middle first.

    Each has `key`, `title`, `template`, `place`, `late_url` (empty, or where it is loaded from later), and `content`,
    which is None until then.
    """
    panels = [each for each in _list_panels() if each.view in (None, request.view)]
    shown = (build_home_panel(panel, request, is_alone=False) for panel in panels)
    return [each for each in shown if each is not None]


def find_home_panel(key: str) -> HomePanel | None:
    """Return the panel that has a page of its own under this key; None if there is none."""
    return next((each for each in _panels if each.key == key and each.is_late is not None), None)


def build_home_panel(panel: HomePanel, request: HomeRequest, *, is_alone: bool = True) -> dict[str, Any] | None:
    """Return what the page shows of a panel; None if it has nothing for the user."""
    content: dict[str, Any] | None = None
    is_late = panel.is_late is not None and not is_alone
    if panel.is_late is not None and not panel.is_late(request.user):
        return None
    if not is_late:
        content = panel.build(request)
        if content is None:
            return None
    return {
        "key": panel.key,
        "title": (content or {}).get("title", panel.title),
        "template": "home/late.html" if is_late else panel.template,
        "place": panel.place,
        "late_url": reverse("home_panel", args=(panel.key,)) if panel.is_late is not None else "",
        "content": content,
    }


def _list_panels() -> list[HomePanel]:
    order = list(Place)
    return sorted((*_panels, FAVOURITES, RECENT_RECORDS), key=lambda each: order.index(each.place))


def build_recent_records(request: HomeRequest) -> dict[str, Any]:
    """Return the records that the user changed last, if they still exist and the user sees them."""
    user = request.user
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


def build_favourites(request: HomeRequest) -> dict[str, Any] | None:
    """Return the records that the user marked with a star; None, for no panel, if there are none."""
    favourites = list_favourites(user=request.user, limit=_FAVOURITES)
    return {"records": favourites} if favourites else None


def describe_age(moment: dt.datetime) -> str:
    """Return how long ago a moment was, such as "just now" or "3 hours ago"."""
    now = get_now()
    return "just now" if now - moment < _JUST_NOW else f"{timesince(moment, now, depth=1)} ago"


FAVOURITES = HomePanel(
    key="favourites",
    title="Favourites",
    template="home/favourites.html",
    build=build_favourites,
    place=Place.SIDE,
    view=None,
)
RECENT_RECORDS = HomePanel(
    key="recent",
    title="Recent records",
    template="home/recent_records.html",
    build=build_recent_records,
    place=Place.SIDE,
    view=None,
)
