"""Entries of the menus that a list has for each field of its object, as HTML: columns, filters and order."""

from __future__ import annotations

from collections.abc import Iterable
from html import escape

from django.utils.safestring import SafeString

from ctms.configuration.fields import ObjectField
from ctms.core.icons import render_icon
from ctms.records.lists.rows.tables import Heading


def render_column_choices(choices: Iterable[tuple[ObjectField, bool]]) -> SafeString:
    """Return a list entry for each field with a tick, and buttons to move those that are columns now."""
    return SafeString("\n".join([_render_choice(field=field, is_chosen=chosen) for field, chosen in choices]))


# What loads the form of a filter into the menu where it was chosen.
_LOADS_FORM = (
    'hx-target="closest .menu" hx-select="#filter-form" hx-swap="innerHTML" hx-push-url="false" '
    'hx-select-oob="unset" hx-indicator="unset"'
)


def render_filter_link(*, label: str, url: str) -> str:
    """Return the menu entry that opens the form of a filter."""
    url = escape(url)
    return f'<a class="menu-item" href="{url}" hx-get="{url}" {_LOADS_FORM}>{escape(label)}</a>'


def render_sort_links(headings: Iterable[Heading]) -> SafeString:
    """Return a menu entry for each heading that sorts the list, with the direction of the one that does."""
    return SafeString("\n".join([_render_sort(each) for each in headings if each.url]))


def _render_sort(heading: Heading) -> str:
    current = ' aria-current="true"' if heading.direction else ""
    note = f'<span class="end">{heading.direction}</span>'
    label = escape(heading.label)
    action = f' data-action="Sort by {label}"'
    return f'<a class="menu-item" href="{escape(heading.url)}"{action}{current}>{label} {note}</a>'


def render_group_links(offered: Iterable[tuple[str, str, bool]]) -> SafeString:
    """Return a menu entry for each way to group the list: its label, its URL, and whether it is the present one."""
    return SafeString("\n".join([_render_group(*each) for each in offered]))


def _render_group(label: str, url: str, is_current: bool) -> str:  # noqa: FBT001  an entry of the menu
    current = ' aria-current="true"' if is_current else ""
    action = f' data-action="Group by {escape(label)}"'
    return f'<a class="menu-item" href="{escape(url)}"{action}{current}>{escape(label)}</a>'


def _render_choice(*, field: ObjectField, is_chosen: bool) -> str:
    name, label = escape(field.api_name), escape(field.label)
    checked = " checked" if is_chosen else ""
    tick = f'<input type="checkbox" name="column" value="{name}"{checked}> {label}'
    buttons = ""
    if is_chosen:
        buttons = "".join(
            [
                f'<button class="button quiet icon-only small" type="submit" name="{step}" value="{name}" '
                f'aria-label="Move {label} to the {side}">{render_icon(icon, "small")}</button>'
                for step, side, icon in (("up", "left", "chevron-up"), ("down", "right", "chevron-down"))
            ]
        )
    return f'<li><label class="tick">{tick}</label>{buttons}</li>'
