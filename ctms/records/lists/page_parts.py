"""What the page of a list hands to its template: filters in force, problems, and entries of menus."""

from __future__ import annotations

from dataclasses import dataclass


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
