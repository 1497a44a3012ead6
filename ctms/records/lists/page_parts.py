"""What the page of a list hands to its template: filters in force, problems, and entries of menus."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class ActiveFilter:
    """An active filter: its text, the URL to change it, and the URL of the list without it."""

    field_name: str
    label: str
    text: str
    edit_url: str
    remove_url: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ListProblem:
    """A parameter of the address that is not valid, and the URL of the list without it."""

    name: str
    texts: list[str]
    remove_url: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Link:
    """An entry of a menu."""

    label: str
    url: str
    note: str = ""
    is_current: bool = False
    icon: str = ""


_builders: list[Callable[[Any], Link | None]] = []


def register_list_link(build: Callable[[Any], Link | None]) -> None:
    """Register a link for the page of every list: `build` takes the ListPage, and returns None for no link.

    Called once, from `AppConfig.ready()`.
    """
    if build not in _builders:
        _builders.append(build)


def build_list_links(page: Any) -> list[Link]:
    """Return what other apps link to from a list."""
    return [link for build in _builders if (link := build(page)) is not None]
