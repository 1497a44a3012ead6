"""Related sections of a record page, each with the first records of another object that refer to this one."""

from __future__ import annotations

from dataclasses import dataclass
from html import escape
from typing import Any
from urllib.parse import urlencode

from django.db.models import QuerySet
from django.utils.safestring import SafeString
from django.utils.text import Truncator

from ctms.configuration.scope import is_study
from ctms.configuration.snapshot import ObjectShape, SectionShape
from ctms.core.choices import RecordStatus
from ctms.records.access import ObjectAccess, open_related
from ctms.records.addresses import get_object_url, get_record_url
from ctms.records.fields.references import ReferenceScope, list_scopes
from ctms.records.fields.shown_value import ShownValue
from ctms.records.fields.titles import get_title
from ctms.records.fields.values import ValueReader, select_references
from ctms.records.lists.columns import get_lead
from ctms.records.lists.order.keyset_pagination import (
    COUNT_CAP,
    Sort,
    count_capped,
    cut_page_around,
    order_records,
)
from ctms.records.lists.rows.tables import Line
from ctms.records.lists.rows.today import find_today_in

# Of records in the order of days, so many are shown that are to come, if there are others.
ROWS_SHOWN, NEXT_SHOWN = 8, 3
# Characters of a value that fits on a line, and of a long text that is shown.
_SHORT, _LONGEST = 14, 120


@dataclass(frozen=True, slots=True, kw_only=True)
class RelatedCell:
    """A value with the label of its column. If `is_name`, it links to the record."""

    label: str
    value: ShownValue
    is_name: bool
    is_long: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class RelatedRow:
    name: str
    url: str
    cells: list[RelatedCell]


@dataclass(frozen=True, slots=True, kw_only=True)
class RelatedPart:
    """A related section as the user sees it; `create_url` is empty if the user cannot create a record there.

    Where the records are in the order of days, the rows are those around today, and `line` stands above the row of the
    number `line_above`.
    """

    key: str
    title: str
    label: str
    plural_label: str
    columns: list[str]
    rows: list[RelatedRow]
    count: str
    has_more: bool
    has_names: bool
    all_url: str
    create_url: str
    line: Line | None
    line_above: int | None

    @property
    def body(self) -> SafeString:
        """The HTML of the rows, with the line of today."""
        rows = [_render_row(row=row, has_names=self.has_names) for row in self.rows]
        if self.line is not None and self.line_above is not None:
            width = len(self.columns) + (not self.has_names)
            rows.insert(self.line_above, _render_line(self.line, width=width))
        return SafeString("".join(rows))


def build_related_part(*, access: ObjectAccess, record: Any, section: SectionShape) -> RelatedPart | None:
    """Build the section with the records that the user sees; None if the user may not read the related object.

    Runs a constant number of statements, however many records there are.
    """
    if section.related is None or section.related_field is None:
        raise ValueError(f"{section.title} is no section of related records.")
    related = open_related(access=access, object_name=section.related.api_name)
    if related is None:
        return None
    shape = related.shape
    lead = get_lead(shape)
    names = _list_columns(section=section, shape=shape, record=record)
    columns = [shape.fields[name] for name in names if name in shape.fields]
    records = related.list_records().filter(**{section.related_field.attribute: record})
    count = count_capped(records)
    found, line = _read_rows(access=related, records=select_references(records=records, fields=columns))
    reader = ValueReader(access=related).load(records=found, fields=columns)
    parent = urlencode({section.related_field.api_name: record.uid})
    rows = [
        RelatedRow(
            name=get_title(row),
            url=get_record_url(row),
            cells=[
                RelatedCell(
                    label=column.label,
                    value=reader.show(record=row, field=column),
                    is_name=column.api_name == lead,
                    is_long=column.is_wide,
                )
                for column in columns
            ],
        )
        for row in found
    ]
    return RelatedPart(
        key=section.key,
        title=section.title,
        label=section.related.label,
        plural_label=section.related.plural_label,
        columns=[column.label for column in columns],
        rows=rows,
        count=f"{COUNT_CAP:,}+" if count > COUNT_CAP else f"{count:,}",
        has_more=count > len(rows),
        has_names=any(column.api_name == lead for column in columns),
        all_url=f"{get_object_url('record_list', shape.api_name)}?{parent}",
        create_url=f"{get_object_url('record_create', shape.api_name)}?{parent}"
        if _can_create(section=section, related=related, record=record)
        else "",
        line=line[0],
        line_above=line[1],
    )


def _read_rows(*, access: ObjectAccess, records: QuerySet[Any]) -> tuple[list[Any], tuple[Line | None, int | None]]:
    """Return the first records in the order of their list, or those around today, with the line of today."""
    sort = _build_sort(access.shape)
    today = find_today_in(access=access, sort=sort)
    if today is None:
        return list(order_records(records=records, sort=sort)[:ROWS_SHOWN]), (None, None)
    lead = NEXT_SHOWN if sort.descending else ROWS_SHOWN - NEXT_SHOWN
    page = cut_page_around(records=records, sort=sort, size=ROWS_SHOWN, boundary=today.boundary, lead=lead)
    return page.rows, (today.draw(), today.find_line(page))


def _render_line(line: Line, *, width: int) -> str:
    return f'<tr class="{line.css_class}"><td colspan="{width}"><span class="line-text">{line.html}</span></td></tr>\n'


def _render_row(*, row: RelatedRow, has_names: bool) -> str:
    name, url = escape(row.name), escape(row.url)
    cells = [_render_name(cell=each, name=name, url=url) if each.is_name else _render_cell(each) for each in row.cells]
    if not has_names:
        link = f'<a class="cell-link" href="{url}">Open<span class="visually-hidden"> {name}</span></a>'
        cells.append(f'<td class="nowrap" data-label="Record">{link}</td>')
    return f"<tr>{''.join(cells)}</tr>\n"


def _render_name(*, cell: RelatedCell, name: str, url: str) -> str:
    css_class = "title-cell nowrap" if len(cell.value.text) <= _SHORT else "title-cell"
    link = f'<a class="cell-link" href="{url}">{name}</a>'
    return f'<th scope="row" class="{css_class}" data-label="{escape(cell.label)}">{link}</th>'


def _render_cell(cell: RelatedCell) -> str:
    label, text = escape(cell.label), cell.value.text
    if cell.is_long:
        return f'<td data-label="{label}" class="grow"><span>{escape(Truncator(text).chars(_LONGEST))}</span></td>'
    css_class = "nowrap" if len(text) <= _SHORT else ""
    return f'<td data-label="{label}" class="{css_class}"><span>{cell.value.html}</span></td>'


def _list_columns(*, section: SectionShape, shape: ObjectShape, record: Any) -> tuple[str, ...]:
    """Return the section's columns without that of the page's record, and without the person of a role in a study.

    From the related object's default columns, drop also those of places, which are equal in every row.
    """
    if section.related is None or section.related_field is None:
        return section.columns
    are_default = section.columns == section.related.list_columns
    scopes = [
        scope
        for scope in list_scopes(shape=shape, field=section.related_field)
        if getattr(record, f"{scope.attribute}_id", None) is not None and (are_default or not _is_place(scope))
    ]
    same = {section.related_field.api_name, *(scope.parent.api_name for scope in scopes)}
    return tuple(name for name in section.columns if name not in same)


def _is_place(scope: ReferenceScope) -> bool:
    model: Any = scope.parent.reference
    return is_study(model) or getattr(model, "is_place", False)


def _build_sort(shape: ObjectShape) -> Sort:
    """Return the default order of the related object's list; if there is none, the latest records come first."""
    name = shape.vault_object.default_sort
    return Sort(field=shape.fields.get(name.removeprefix("-")), descending=not name or name.startswith("-"))


def _can_create(*, section: SectionShape, related: ObjectAccess, record: Any) -> bool:
    # New records cannot refer to an inactive one.
    if section.prevent_creation or section.related_field is None or record.status != RecordStatus.ACTIVE:
        return False
    return any(section.related_field.api_name in each.fields for each in related.list_creatable_types())
