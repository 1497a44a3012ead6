"""Tell the rows of a preview in lines: one for each record to read, and one for each field in a CSV file."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from crm_sync.models import PreviewRow

HEADING: Final = ("Integration", "Record", "Outcome", "Reason", "CRM id", "Vault UID", "Field", "Now", "Then")


def show_value(value: Any) -> str:
    """Return a value as text; empty if there is none."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return "" if value is None else str(value)


def describe_row(row: PreviewRow) -> str:
    """Return one line that says what would become of a record, with its fields as they are and would be."""
    fields = "; ".join(
        f"{name}: {show_value(old) or '–'} → {show_value(new) or '–'}" for name, (old, new) in row.fields.items()
    )
    told = [f"{row.get_outcome_display()}: {row.name}", f"[{row.crm_id}]" if row.crm_id else "", row.reason, fields]
    return " ".join(" ".join(filter(None, told)).split())


def list_lines(rows: Iterable[PreviewRow]) -> Iterator[list[str]]:
    """Yield the lines of a CSV file with this heading: one for each field, or one for a record without fields."""
    for row in rows:
        common = [
            row.integration.name,
            row.name,
            row.get_outcome_display(),
            row.reason,
            row.crm_id,
            str(row.record_uid or ""),
        ]
        for name, (old, new) in (row.fields or {"": (None, None)}).items():
            yield [*common, name, show_value(old), show_value(new)]
