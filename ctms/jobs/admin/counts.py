"""Figures of a run as people read them."""

from __future__ import annotations

from typing import Any

from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from ctms.jobs.progress import PROGRESS_KEYS

# The usual counts in the order in which they are read; others follow by name.
_COUNTS = (
    "selected",
    "sent",
    "received",
    "created",
    "updated",
    "deleted",
    "unchanged",
    "failed",
    "blocked",
    "api_calls",
)


def sum_counts(result: dict[str, Any]) -> dict[str, int]:
    """Counts of a run's result, summed over its parts: `{"a": {"sent": 2}, "b": {"sent": 1}}` → `{"sent": 3}`."""
    totals: dict[str, int] = {}
    for counts in result.values():
        for name, value in counts.items() if isinstance(counts, dict) else ():
            if name not in PROGRESS_KEYS:
                totals[name] = totals.get(name, 0) + value
    # PostgreSQL keeps the keys of JSON in an order of its own.
    order = {name: position for position, name in enumerate(_COUNTS)}
    return dict(sorted(totals.items(), key=lambda item: (order.get(item[0], len(order)), item[0])))


def describe_counts(result: dict[str, Any]) -> str:
    """The sums over the parts, less those that are nothing; empty if all are."""
    return ", ".join(f"{_name(count)} {value:,}" for count, value in sum_counts(result).items() if value)


def build_result_table(result: dict[str, Any]) -> SafeString | str:
    """A table with a row for each part of the run."""
    parts = {part: counts for part, counts in result.items() if isinstance(counts, dict)}
    if not parts:
        return "–"
    columns = list(sum_counts(result))
    head = format_html_join("", "<th scope='col'>{}</th>", ((_name(column),) for column in columns))
    rows = format_html_join(
        "",
        "<tr><th scope='row'>{}</th>{}</tr>",
        (
            (part, format_html_join("", "<td>{}</td>", ((counts.get(column, "–"),) for column in columns)))
            for part, counts in sorted(parts.items())
        ),
    )
    return format_html(
        "<table class='vault-table'><thead><tr><th scope='col'>Part</th>{}</tr></thead><tbody>{}</tbody></table>",
        head,
        rows,
    )


def _name(count: str) -> str:
    return count.replace("_", " ").replace("api", "API")
