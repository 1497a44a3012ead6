"""Related sections of a record page, each with the first records of another object that refer to this one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from django.urls import reverse

from ctms.configuration.snapshot import ObjectShape, SectionShape
from ctms.core.choices import RecordStatus
from ctms.records.access import ObjectAccess, open_related
from ctms.records.fields.references import list_scopes
from ctms.records.fields.values import ShownValue, ValueReader, get_record_url, select_references
from ctms.records.lists.keyset_pagination import COUNT_CAP, Sort, count_capped, order_records

ROWS_SHOWN = 8
_SHORT = 14  # characters


@dataclass(frozen=True, slots=True, kw_only=True)
class RelatedCell:
    """A value with the label of its column. If `is_name`, it links to the record; if `is_short`, it fits on a line."""

    label: str
    value: ShownValue
    is_name: bool
    is_long: bool

    @property
    def is_short(self) -> bool:
        return len(self.value.text) <= _SHORT


@dataclass(frozen=True, slots=True, kw_only=True)
class RelatedRow:
    name: str
    url: str
    cells: list[RelatedCell]


@dataclass(frozen=True, slots=True, kw_only=True)
class RelatedPart:
    """A related section as the user sees it; `create_url` is empty if the user cannot create a record there."""

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
    columns = [shape.fields[name] for name in _list_columns(section=section, shape=shape) if name in shape.fields]
    records = related.list_records().filter(**{section.related_field.attribute: record})
    count = count_capped(records)
    ordered = order_records(records=select_references(records=records, fields=columns), sort=_build_sort(shape))
    found = list(ordered[:ROWS_SHOWN])
    reader = ValueReader(access=related).load(records=found, fields=columns)
    parent = urlencode({section.related_field.api_name: record.uid})
    rows = [
        RelatedRow(
            name=str(row),
            url=get_record_url(row),
            cells=[
                RelatedCell(
                    label=column.label,
                    value=reader.show(record=row, field=column),
                    is_name=column.api_name == "name__v",
                    is_long=column.kind == "long_text",
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
        has_names=any(column.api_name == "name__v" for column in columns),
        all_url=f"{reverse('record_list', args=(shape.api_name,))}?{parent}",
        create_url=f"{reverse('record_create', args=(shape.api_name,))}?{parent}"
        if _can_create(section=section, related=related, record=record)
        else "",
    )


def _list_columns(*, section: SectionShape, shape: ObjectShape) -> tuple[str, ...]:
    """Return the section's columns. From the related object's default columns, drop those equal in every row."""
    if section.related is None or section.related_field is None or section.columns != section.related.list_columns:
        return section.columns
    scopes = list_scopes(shape=shape, field=section.related_field)
    same = {section.related_field.api_name, *(scope.parent.api_name for scope in scopes)}
    return tuple(name for name in section.columns if name not in same)


def _build_sort(shape: ObjectShape) -> Sort:
    """Return the default order of the related object's list; if there is none, the latest records come first."""
    name = shape.vault_object.default_sort
    return Sort(field=shape.fields.get(name.removeprefix("-")), descending=not name or name.startswith("-"))


def _can_create(*, section: SectionShape, related: ObjectAccess, record: Any) -> bool:
    # New records cannot refer to an inactive one.
    if section.prevent_creation or section.related_field is None or record.status != RecordStatus.ACTIVE:
        return False
    return any(section.related_field.api_name in each.fields for each in related.list_creatable_types())
