"""The table of a list: a column for each field, each value as the record page shows it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import django_tables2
from django.utils.html import format_html
from django.utils.safestring import SafeString

from ctms.configuration.choices import FieldKind
from ctms.configuration.fields import ObjectField
from ctms.records.access import ObjectAccess
from ctms.records.columns import NAME
from ctms.records.values import ShownValue, ValueReader, get_record_url

_ICON = '<svg class="icon small" aria-hidden="true" focusable="false"><use href="#icon-{}"></use></svg>'
# Tones of the registry that the stylesheet calls by what they are of.
_TONES: Mapping[str, str] = {"failure": "failed", "quiet": "inactive", "neutral": ""}


@dataclass(frozen=True, slots=True, kw_only=True)
class Heading:
    """The head of a column. `url` sorts the list by it, the other way round if it is sorted so already."""

    label: str
    url: str = ""
    direction: str = ""


def render_value(shown: ShownValue) -> SafeString:
    """A value as a chip, a link or a text, with its icon."""
    if shown.tone:
        return format_html('<span class="chip {}">{}</span>', _TONES.get(shown.tone, shown.tone), shown.text)
    if not shown.text:
        return SafeString("")
    if shown.icon:
        return format_html('<span class="channel">' + _ICON + " {}</span>", shown.icon, shown.text)
    if shown.url:
        return format_html('<a href="{}">{}</a>', shown.url, shown.text)
    return format_html("<span>{}</span>", shown.text)


class ValueColumn(django_tables2.Column):  # type: ignore[misc]
    """The values of one field."""

    def __init__(self, *, field: ObjectField, reader: ValueReader, heading: Heading) -> None:
        # The accessor is not what is shown: it is there because the table wants one.
        super().__init__(verbose_name=field.label, accessor="pk", orderable=False)
        self.field, self.reader, self.heading = field, reader, heading
        self.classes = "number" if field.kind == FieldKind.NUMBER else ""

    def render(self, record: Any) -> SafeString:
        return render_value(self.reader.show(record=record, field=self.field))


class NameColumn(ValueColumn):
    """The name of the record, which leads to its page, and where the record comes from if not from users."""

    def __init__(self, *, field: ObjectField, reader: ValueReader, heading: Heading) -> None:
        super().__init__(field=field, reader=reader, heading=heading)
        self.classes = "title-cell"

    def render(self, record: Any) -> SafeString:
        text = self.reader.show(record=record, field=self.field).text or "No name"
        link = format_html('<a class="cell-link" href="{}">{}</a>', get_record_url(record), text)
        origin = self.reader.shape.get_type(getattr(record, "object_type", "")).origin
        if not origin:
            return link
        return format_html(
            '{} <span class="badge" title="From {}">{}</span>', link, origin, origin.removeprefix("the ")
        )


class TypeColumn(ValueColumn):
    """The object type, as a badge."""

    def render(self, record: Any) -> SafeString:
        return format_html('<span class="badge">{}</span>', self.reader.show(record=record, field=self.field).text)


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordRow:
    """A row: the record, its address, its cells with their columns, and what the user can do with it."""

    record: Any
    url: str
    cells: list[tuple[ValueColumn, SafeString]]
    can_edit: bool
    can_clone: bool
    can_delete: bool


class RecordTable(django_tables2.Table):  # type: ignore[misc]
    """Rows with a check-box for those who may edit, and a menu each."""

    class Meta:
        template_name = "records/list/table.html"
        orderable = False

    def __init__(
        self, *, access: ObjectAccess, rows: Sequence[Any], columns: Sequence[tuple[ObjectField, Heading]]
    ) -> None:
        self.access = access
        reader = ValueReader(access=access).load(records=rows, fields=[field for field, _ in columns])
        made = [
            (field.api_name, _choose_column(field)(field=field, reader=reader, heading=heading))
            for field, heading in columns
        ]
        super().__init__(data=list(rows), extra_columns=made, sequence=[name for name, _ in made])
        self.has_ticks = access.allows("edit")

    @property
    def record_rows(self) -> list[RecordRow]:
        """The rows, rendered by their columns without the detours of the library, which cost more than all the rest."""
        columns = [each.column for each in self.columns]
        return [self._build_row(record=row.record, columns=columns) for row in self.rows]

    def _build_row(self, *, record: Any, columns: Sequence[ValueColumn]) -> RecordRow:
        return RecordRow(
            record=record,
            url=get_record_url(record),
            cells=[(column, column.render(record)) for column in columns],
            can_edit=not self.access.explain_edit(record),
            can_clone=not self.access.explain_create(getattr(record, "object_type", "")),
            can_delete=not self.access.explain_delete(record),
        )


def _choose_column(field: ObjectField) -> type[ValueColumn]:
    return {NAME: NameColumn, "object_type__v": TypeColumn}.get(field.api_name, ValueColumn)
