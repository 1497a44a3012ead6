"""The frame of the study teams' pages: tabs, menus (create, recent, favourites, notifications) and preferences."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from html import escape
from typing import Any

from django.http import HttpRequest
from django.urls import reverse
from django.utils.safestring import SafeString

from ctms.accounts.models import User
from ctms.accounts.policies import has_permission, list_permitted_types
from ctms.configuration.registry import VaultObject, list_record_objects
from ctms.configuration.snapshot import Configuration, load_configuration
from ctms.core.icons import render_icon
from ctms.records.access import ObjectAccess
from ctms.records.addresses import get_object_url
from ctms.records.fields.record_links import RecordLink
from ctms.records.pages.favourites import list_favourites, list_recent
from ctms.records.pages.notifications import Notification, list_notifications
from ctms.records.pages.quick_log import QuickLog, build_quick_log
from ctms.records.requests import get_user

_SHOWN = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class FrameLink:
    """A link of the frame."""

    label: str
    url: str
    icon: str = ""
    object_label: str = ""
    is_current: bool = False


def _offer_to_all(_user: User) -> bool:
    return True


@dataclass(frozen=True, slots=True, kw_only=True)
class FrameTab:
    """A tab of pages that belong to no object. `page` is the name of its address.

    Users need the permission, if one is given, and `is_offered` has to allow it. A leading tab stands beside Home.
    """

    label: str
    page: str
    icon: str
    permission: str = ""
    is_offered: Callable[[User], bool] = _offer_to_all
    is_leading: bool = False


_tabs: list[FrameTab] = []


def register_tab(tab: FrameTab) -> None:
    """Register a tab, to be shown behind those of objects, or before them. Called once, from `AppConfig.ready()`."""
    if tab not in _tabs:
        _tabs.append(tab)


@dataclass(slots=True, kw_only=True)
class Frame:
    """Content of the header, read when a template asks for it, so that pages without a header run no statements."""

    request: HttpRequest
    user: User
    _kept: dict[str, Any] = field(default_factory=dict)

    @property
    def tabs(self) -> list[FrameLink]:
        """Return the leading tabs, those of objects whose records the user may read, then those of other pages."""
        if "tabs" not in self._kept:
            of_objects = [
                FrameLink(
                    label=each.plural_title,
                    url=get_object_url("record_list", each.api_name),
                    icon=each.icon,
                    is_current=self._is_current(each),
                )
                for each in list_record_objects()
                if each.tab is not None and self._may(each, "read")
            ]
            others = self._list_tabs()
            leading = [self._build_tab(each) for each in others if each.is_leading]
            following = [self._build_tab(each) for each in others if not each.is_leading]
            self._kept["tabs"] = [*leading, *of_objects, *following]
        links: list[FrameLink] = self._kept["tabs"]
        return links

    @property
    def tabs_html(self) -> SafeString:
        """Return the tabs as HTML, which every page has twice: as a bar and, for phones, as a menu."""
        if "tabs_html" not in self._kept:
            self._kept["tabs_html"] = SafeString("".join([_render_tab(each) for each in self.tabs]))
        html: SafeString = self._kept["tabs_html"]
        return html

    @property
    def create_html(self) -> SafeString:
        """Return the links of the Create menu as HTML."""
        return SafeString("".join([_render_create(each) for each in self.create]))

    @property
    def create(self) -> list[FrameLink]:
        """Return links to create a record, for each object with a tab where the user can."""
        if "create" not in self._kept:
            configuration = self._configuration
            self._kept["create"] = [
                FrameLink(label=each.title, url=get_object_url("record_create", each.api_name), icon=each.icon)
                for each in list_record_objects()
                if each.tab is not None
                and ObjectAccess(
                    user=self.user, shape=configuration.get(each.api_name), configuration=configuration
                ).can_create()
            ]
        links: list[FrameLink] = self._kept["create"]
        return links

    @property
    def recent(self) -> list[RecordLink]:
        """Return the records that the user opened last, except the one that is open now."""
        if "recent" not in self._kept:
            match = self.request.resolver_match
            self._kept["recent"] = list_recent(
                user=self.user,
                limit=_SHOWN,
                configuration=self._configuration,
                without=match.kwargs.get("uid") if match else None,
            )
        links: list[RecordLink] = self._kept["recent"]
        return links

    @property
    def favourites(self) -> list[RecordLink]:
        """Return the records that the user marked with a star."""
        if "favourites" not in self._kept:
            self._kept["favourites"] = list_favourites(user=self.user, limit=_SHOWN, configuration=self._configuration)
        links: list[RecordLink] = self._kept["favourites"]
        return links

    @property
    def notifications(self) -> list[Notification]:
        """Return the user's imports and bulk edits that ended or wait, until the user looks at them, and others."""
        if "notifications" not in self._kept:
            self._kept["notifications"] = list_notifications(user=self.user, limit=_SHOWN)
        found: list[Notification] = self._kept["notifications"]
        return found

    @property
    def theme(self) -> str:
        """Return the theme that the user chose; empty to follow the system."""
        return self.user.theme

    @property
    def without_shortcuts(self) -> bool:
        """Whether the user turned single-key shortcuts off, which speech input or a tremor may trigger by accident."""
        return self.user.without_shortcuts

    @property
    def search_url(self) -> str:
        return reverse("search")

    @property
    def profile_url(self) -> str:
        return reverse("profile")

    @property
    def quick_log(self) -> QuickLog | None:
        """Return the quick log of the first object that has one for this user; None if none has."""
        if "quick_log" not in self._kept:
            creatable = {link.url for link in self.create}
            logged = (
                build_quick_log(
                    request=self.request, user=self.user, configuration=self._configuration, vault_object=each
                )
                for each in list_record_objects()
                if each.quick_fields and get_object_url("record_create", each.api_name) in creatable
            )
            self._kept["quick_log"] = next(logged, None)
        found: QuickLog | None = self._kept["quick_log"]
        return found

    @property
    def _configuration(self) -> Configuration:
        if "configuration" not in self._kept:
            self._kept["configuration"] = load_configuration()
        configuration: Configuration = self._kept["configuration"]
        return configuration

    def _is_current(self, vault_object: VaultObject) -> bool:
        match = self.request.resolver_match
        return match is not None and match.kwargs.get("object_name") == vault_object.api_name

    def _list_tabs(self) -> list[FrameTab]:
        return [
            each
            for each in _tabs
            if (not each.permission or has_permission(user=self.user, permission=each.permission))
            and each.is_offered(self.user)
        ]

    def _build_tab(self, tab: FrameTab) -> FrameLink:
        url = reverse(tab.page)
        return FrameLink(label=tab.label, url=url, icon=tab.icon, is_current=self.request.path.startswith(url))

    def _may(self, vault_object: VaultObject, action: str) -> bool:
        permitted = list_permitted_types(user=self.user, object_name=vault_object.api_name, action=action)
        return permitted is None or bool(permitted)


def _render_tab(link: FrameLink) -> str:
    current = ' aria-current="page"' if link.is_current else ""
    return f'<a href="{escape(link.url)}"{current}>{escape(link.label)}</a>\n'


def _render_create(link: FrameLink) -> str:
    icon = render_icon(link.icon or "record")
    return (
        f'<a class="menu-item" href="{escape(link.url)}" data-object-label="Create">{icon} {escape(link.label)}</a>\n'
    )


def add_frame(request: HttpRequest) -> dict[str, Any]:
    """Add `frame` to the template context of users' pages, except in the admin console."""
    user = getattr(request, "user", None)
    if not isinstance(user, User) or request.path_info.startswith("/admin/"):
        return {}
    return {"frame": Frame(request=request, user=get_user(request))}
