"""The table of a list: its columns, and its rows as HTML.

Rows are joined here and not in a template, because a list has hundreds of cells, and a template takes longer for each
than the database.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from html import escape
from typing import Any
from uuid import UUID

from django.db.models import Model
from django.utils.safestring import SafeString

from ctms.configuration.fields import OBJECT_TYPE, ObjectField
from ctms.configuration.quick_changes import QuickChange
from ctms.core.icons import render_icon
from ctms.records.access import ObjectAccess
from ctms.records.addresses import get_record_url
from ctms.records.conditions.mine import OWNER
from ctms.records.fields.kinds.base import kind_of
from ctms.records.fields.titles import get_title
from ctms.records.fields.values import ValueReader


@dataclass(frozen=True, slots=True, kw_only=True)
class Heading:
    """The heading of a column. `url` sorts the list by it, in the other direction if it is sorted so already."""

    label: str
    url: str = ""
    direction: str = ""


class Column:
    """Renders the cells of one field; equal values of a list only once."""

    css_class = ""

    def __init__(self, *, field: ObjectField, reader: ValueReader, heading: Heading) -> None:
        self.field, self.reader, self.heading = field, reader, heading
        if kind_of(field).is_number:
            self.css_class = "number"
        elif kind_of(field).is_day:
            self.css_class = "nowrap"
        editable = f' data-field="{escape(field.api_name)}"' if is_editable(field) else ""
        self._begin = f'<td data-label="{escape(heading.label)}" class="{self.css_class}"{editable}>'
        self._shower, self._is_kept = reader.get_shower(field), not reader.depends_on_record(field)
        self._rendered: dict[Hashable, str] = {}

    def render_heading(self) -> str:
        """Return the HTML of the column's heading, which sorts the list if the column can be sorted by."""
        label, direction = escape(self.heading.label), self.heading.direction
        if not self.heading.url:
            return f'<th scope="col" class="{self.css_class}">{label}</th>'
        sorted_by = f' aria-sort="{direction}"' if direction else ""
        icon = render_icon("sort-down" if direction == "descending" else "sort-up", "small")
        link = f'<a href="{escape(self.heading.url)}">{label} {icon}</a>'
        return f'<th scope="col" class="{self.css_class}"{sorted_by}>{link}</th>'

    def render(self, record: Any) -> str:
        """Return the HTML of the record's cell."""
        value = self._shower.read(record)
        key = self._find_key(value)
        if key is None:
            return self._build(record, value)
        if key not in self._rendered:
            self._rendered[key] = self._build(record, value)
        return self._rendered[key]

    def _build(self, record: Any, value: Any) -> str:
        return f"{self._begin}{self._shower.show(record, value).cell_html}</td>"

    def _find_key(self, value: Any) -> Hashable:
        """Return what two records with the same cell have in common; None if that is not known."""
        if not self._is_kept:
            return None
        if isinstance(value, (str, dt.date, bool, UUID)):
            return value
        return (type(value), value.pk) if isinstance(value, Model) else None


class NameColumn(Column):
    """Renders the record's name with a link to its page, and the origin of a record that users cannot change."""

    css_class = "title-cell"

    def __init__(self, *, field: ObjectField, reader: ValueReader, heading: Heading) -> None:
        super().__init__(field=field, reader=reader, heading=heading)
        self._begin = self._begin.replace("<td ", '<th scope="row" ', 1)

    def render_link(self, *, record: Any, name: str, url: str) -> str:
        """Return the HTML of the record's cell; name and URL of the record are escaped already."""
        badge = _render_origin(self.reader.shape.get_type(getattr(record, "object_type", "")).origin)
        peek = _PEEK_ICON.format(url=url)
        return f'{self._begin}<a class="cell-link" href="{url}">{name or "No name"}</a>{badge}{peek}</th>'


class CaptionColumn(Column):
    """Renders what tells names apart, as that of a site beside its number; on a phone it stands behind the name."""

    css_class = "caption-cell"


class TypeColumn(Column):
    """Renders the object type as a badge."""

    def _build(self, record: Any, value: Any) -> str:
        text = self._shower.show(record, value).text
        return f'{self._begin}<span class="badge">{escape(text)}</span></td>'


@cache
def _render_origin(origin: str) -> str:
    if not origin:
        return ""
    return (
        f' <span class="origin" title="From {escape(origin)}">{render_icon("import", "small")}'
        f'<span class="visually-hidden">From {escape(origin)}</span></span>'
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """A line across the table above a row, with its HTML. One that `begins_group` is the heading of what follows."""

    html: str
    css_class: str
    begins_group: bool = False


class RecordTable:
    """The columns and rows of a list; users who may edit a record can select its row.

    `lines` are those above each row, by its number.
    """

    def __init__(
        self,
        *,
        access: ObjectAccess,
        rows: Sequence[Any],
        columns: Sequence[tuple[ObjectField, Heading]],
        lines: Mapping[int, Sequence[Line]] | None = None,
    ) -> None:
        self.access, self.rows, self.lines = access, rows, lines or {}
        self.has_ticks = access.allows("edit")
        reader = ValueReader(access=access).load(records=rows, fields=[field for field, _ in columns])
        # The first column is what the record is called.
        (field, heading), *others = columns
        self._name = NameColumn(field=field, reader=reader, heading=heading)
        self._others = [
            _choose_column(field, access)(field=field, reader=reader, heading=heading) for field, heading in others
        ]
        # What the profile allows depends on the object type alone.
        self._get_menu: Callable[[str, tuple[QuickChange, ...]], str] = cache(self._build_menu)

        self._explain_edit: Callable[[str], str] = cache(access.explain_edit_of)

    @property
    def columns(self) -> list[Column]:
        return [self._name, *self._others]

    @property
    def head(self) -> SafeString:
        """The HTML of the headings of all columns."""
        return SafeString("".join([column.render_heading() for column in self.columns]))

    @property
    def body(self) -> SafeString:
        """The HTML of all rows, those of each group in a part of the table of its own."""
        parts = ["<tbody>"]
        for index, record in enumerate(self.rows):
            parts += [self._render_line(line) for line in self.lines.get(index, ())]
            parts.append(self._render_row(record))
        return SafeString("".join([*parts, "</tbody>"]).removeprefix("<tbody></tbody>"))

    def _render_line(self, line: Line) -> str:
        width = len(self.columns) + (2 if self.has_ticks else 1)
        start, cell, scope = ("</tbody><tbody>", "th", ' scope="rowgroup"') if line.begins_group else ("", "td", "")
        text = f'<span class="line-text">{line.html}</span>'
        return f'{start}<tr class="{line.css_class}"><{cell} colspan="{width}"{scope}>{text}</{cell}></tr>\n'

    def _render_row(self, record: Any) -> str:
        name, uid = escape(get_title(record)), str(record.uid)
        url, version = escape(get_record_url(record)), getattr(record, "version", 0)
        named = self._name.render_link(record=record, name=name, url=url)
        cells = "".join([named, *[column.render(record) for column in self._others]])
        quick = tuple(each for each in self.access.vault_object.quick_changes if each.applies(record))
        menu = self._get_menu(getattr(record, "object_type", ""), quick)
        start = _TICK.format(uid=uid, name=name) if self.has_ticks else ""
        can_edit = not self._explain_edit(getattr(record, "object_type", ""))
        edit = f' data-edit="{url}"' if can_edit else ""
        return f'<tr data-uid="{uid}"{edit}>{start}{cells}{menu.format(url=url, name=name, version=version)}</tr>\n'

    def _build_menu(self, object_type: str, quick: tuple[QuickChange, ...]) -> str:
        """Return the cell with the menu of a row of this object type, with places for `url`, `name` and `version`."""
        items = [_build_item(page="", icon="eye", label="Open"), _PEEK]
        if not self.access.explain_edit_of(object_type):
            items += [_build_quick(each) for each in quick]
            items.append(_build_item(page="edit/", icon="edit", label="Edit", key="e"))
            if OWNER in self.access.vault_object.fields:
                items.append(_build_item(page="hand-over/", icon="people", label="Hand over…"))
        if not self.access.explain_create(object_type):
            items.append(_build_item(page="clone/", icon="clone", label="Clone"))
            if (copying := self.access.vault_object.copying) is not None:
                items.append(_build_item(page="copies/", icon="calendar", label=f"{escape(copying.label)}…"))
        if not self.access.explain_delete_of(object_type):
            items += ("<hr>", _build_item(page="delete/", icon="delete", label="Delete…", css_class=" danger"))
        return _MENU.format(items="".join(items), icon=render_icon("more"), name="{name}")


# For the mouse alone: the menu of the row has the same for everybody, and the keyboard has a key.
_PEEK_ICON = (
    '<a class="row-peek" href="{url}peek/" data-peek tabindex="-1" aria-hidden="true" title="Peek (Space)">'
    f"{render_icon('peek', 'small')}</a>"
)

# The cells before and behind those of the columns, with places for what is escaped already.
_TICK = (
    '<td class="tick-cell"><label>'
    '<input type="checkbox" name="uids" value="{uid}" aria-label="Select {name}"></label></td>'
)
_MENU = (
    '<td class="menu-cell"><details class="menu-holder at-end">'
    '<summary class="button quiet icon-only" aria-label="Actions for {name}">{icon}</summary>'
    '<div class="menu">{items}</div></details></td>'
)


def is_editable(field: ObjectField) -> bool:
    """Whether a value can be changed in its cell: as on the record's page, but the type of a record is no value."""
    return not field.is_read_only and field.api_name != OBJECT_TYPE


def _choose_column(field: ObjectField, access: ObjectAccess) -> type[Column]:
    return {OBJECT_TYPE: TypeColumn, access.vault_object.caption_field: CaptionColumn}.get(field.api_name, Column)


def _build_quick(change: QuickChange) -> str:
    if change.asks:
        page = f"fields/{change.asks}/"
        item = _build_item(page=page, icon=change.icon, label=f"{escape(change.label)}…", key=change.key)
        return item.replace("<a ", f'<a data-edit-field="{escape(change.asks)}" ', 1)
    return (
        f'<button class="menu-item" type="submit" formaction="{{url}}change/{change.api_name}/" '
        f'name="expected_version" value="{{version}}" aria-keyshortcuts="{change.key}" data-row-action>'
        f"{render_icon(change.icon)} {escape(change.label)}</button>"
    )


def _build_item(*, page: str, icon: str, label: str, css_class: str = "", key: str = "") -> str:
    shortcut = f' aria-keyshortcuts="{key}"' if key else ""
    return f'<a class="menu-item{css_class}" href="{{url}}{page}"{shortcut}>{render_icon(icon)} {label}</a>'


_PEEK = _build_item(page="peek/", icon="peek", label="Peek", key="Space").replace("<a ", "<a data-peek ", 1)
