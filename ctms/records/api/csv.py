"""Pages of lists as CSV: a column for each field, and for each part of a value that has parts.

Parts stand behind a full stop, as in filters and keys: `site__v.uid__sys`, `site__v.name__v`. No cell is run as a
formula by a spreadsheet, as in the exports of the pages.
"""

from __future__ import annotations

import io
from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from typing import Any

from rest_framework.renderers import BaseRenderer

from ctms.configuration.fields import ObjectField
from ctms.records.api.serializers import UID, VERSION
from ctms.records.api.showing import Showing, show_all
from ctms.records.fields.kinds.base import Cell
from ctms.records.lists.exports import CsvFile

CSV = "csv"
MEDIA_TYPE = "text/csv"
_NAME, _AMOUNT, _CURRENCY = "name__v", "amount", "currency"
_JOIN, _BETWEEN = ".", ";"

# The keys that lead to a value in the JSON of a record.
Path = tuple[str, ...]


class CsvRenderer(BaseRenderer):
    """Sends what `write_page` wrote."""

    media_type = MEDIA_TYPE
    format = CSV
    charset = "utf-8"

    def render(
        self,
        data: Any,
        accepted_media_type: str | None = None,  # noqa: ARG002  Django REST framework's signature
        renderer_context: Mapping[str, Any] | None = None,  # noqa: ARG002  Django REST framework's signature
    ) -> bytes:
        return data.encode() if data is not None else b""


def write_page(*, showing: Showing, shown: Sequence[Mapping[str, Any]]) -> str:
    """Return records that were converted to JSON as CSV, below the names of their columns."""
    columns = list(_list_columns(showing))
    stream = io.StringIO()
    file = CsvFile(stream, heading=[_JOIN.join(path) for path in columns])
    file.write([_read_cell(row, path) for path in columns] for row in shown)
    return stream.getvalue()


def _list_columns(showing: Showing, before: Path = ()) -> Iterator[Path]:
    for each in showing.fields:
        here = (*before, each.api_name)
        if each.api_name in showing.expanded:
            yield from _list_columns(show_all(showing.expanded[each.api_name]), here)
        else:
            yield from ((*here, *part) for part in _list_parts(each))
    yield (*before, VERSION)


def _list_parts(field: ObjectField) -> Sequence[Path]:
    """Return the parts that a value of a field has; one without a name if it has none."""
    if field.reference is not None:
        return [(UID,), (_NAME,)]
    return [(_AMOUNT,), (_CURRENCY,)] if field.kind == _CURRENCY else [()]


def _read_cell(row: Mapping[str, Any], path: Path) -> Cell:
    value: Any = row
    for name in path:
        value = value.get(name) if isinstance(value, Mapping) else None
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, list):
        return _BETWEEN.join(value)
    cell: Cell = Decimal(value) if path[-1] == _AMOUNT else value
    return cell
