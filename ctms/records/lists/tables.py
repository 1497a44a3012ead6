"""The table of a list: a column for each field, with values as the record page shows them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.utils.html import format_html
from django.utils.safestring import SafeString

from ctms.configuration.fields import OBJECT_TYPE, ObjectField
from ctms.records.access import ObjectAccess
from ctms.records.fields.kinds.base import kind_of
from ctms.records.fields.values import ShownValue, ValueReader, get_record_url
from ctms.records.lists.columns import NAME

_ICON = '<svg class="icon small" aria-hidden="true" focusable="false"><use href="#icon-{}"></use></svg>'
# Tones of the registry whose CSS class has another name.
_TONES: Mapping[str, str] = {"failure": "failed", "quiet": "inactive", "neutral": ""}


@dataclass(frozen=True, slots=True, kw_only=True)
class Heading:
    """The heading of a column. `url` sorts the list by it, in the other direction if it is sorted so already."""

    label: str
    url: str = ""
    direction: str = ""


def render_value(shown: ShownValue) -> SafeString:
    """Render a value as a chip, a link or a text, with its icon."""
    if shown.tone:
        return format_html('<span class="chip {}">{}</span>', _TONES.get(shown.tone, shown.tone), shown.text)
    if not shown.text:
        return SafeString("")
    if shown.icon:
        return format_html('<span class="channel">' + _ICON + " {}</span>", shown.icon, shown.text)
    if shown.url:
        return format_html('<a href="{}">{}</a>', shown.url, shown.text)
    return format_html("<span>{}</span>", shown.text)


class Column:
    """Renders the values of one field."""

    def __init__(self, *, field: ObjectField, reader: ValueReader, heading: Heading) -> None:
        self.field, self.reader, self.heading = field, reader, heading

    @property
    def css_class(self) -> str:
        return "number" if kind_of(self.field).is_number else ""

    def render(self, record: Any) -> SafeString:
        return render_value(self.reader.show(record=record, field=self.field))


class NameColumn(Column):
    """Renders the record's name with a link to its page, and the origin of a record that users cannot change."""

    css_class = "title-cell"

    def render(self, record: Any) -> SafeString:
        text = self.reader.show(record=record, field=self.field).text or "No name"
        link = format_html('<a class="cell-link" href="{}">{}</a>', get_record_url(record), text)
        origin = self.reader.shape.get_type(getattr(record, "object_type", "")).origin
        if not origin:
            return link
        return format_html(
            '{} <span class="badge" title="From {}">{}</span>', link, origin, origin.removeprefix("the ")
        )


class TypeColumn(Column):
    """Renders the object type as a badge."""

    def render(self, record: Any) -> SafeString:
        return format_html('<span class="badge">{}</span>', self.reader.show(record=record, field=self.field).text)


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordRow:
    """A row: the record, its URL, its cells with their columns, and what the user can do with it."""

    record: Any
    url: str
    cells: list[tuple[Column, SafeString]]
    can_edit: bool
    can_clone: bool
    can_delete: bool


class RecordTable:
    """The columns and rows of a list; users who may edit a record can select its row."""

    def __init__(
        self, *, access: ObjectAccess, rows: Sequence[Any], columns: Sequence[tuple[ObjectField, Heading]]
    ) -> None:
        self.access = access
        self.has_ticks = access.allows("edit")
        reader = ValueReader(access=access).load(records=rows, fields=[field for field, _ in columns])
        self.columns = [
            _choose_column(field)(field=field, reader=reader, heading=heading) for field, heading in columns
        ]
        self.rows = [self._build_row(record) for record in rows]

    def _build_row(self, record: Any) -> RecordRow:
        return RecordRow(
            record=record,
            url=get_record_url(record),
            cells=[(column, column.render(record)) for column in self.columns],
            can_edit=not self.access.explain_edit(record),
            can_clone=not self.access.explain_create(getattr(record, "object_type", "")),
            can_delete=not self.access.explain_delete(record),
        )


def _choose_column(field: ObjectField) -> type[Column]:
    return {NAME: NameColumn, OBJECT_TYPE: TypeColumn}.get(field.api_name, Column)
