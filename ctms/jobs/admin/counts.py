"""Shows the counts of a run's result as text and as an HTML table."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.text import capfirst

from ctms.configuration.registry import UnknownObjectError, get_object
from ctms.jobs.progress import PROGRESS_KEYS

# The usual counts in the order in which they are shown; others follow by name.
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
    """Sum the counts of a run over its parts: `{"a": {"sent": 2}, "b": {"sent": 1}}` → `{"sent": 3}`."""
    totals: dict[str, int] = {}
    for counts in result.values():
        for name, value in counts.items() if isinstance(counts, dict) else ():
            if name not in PROGRESS_KEYS:
                totals[name] = totals.get(name, 0) + value
    # PostgreSQL does not keep the order of JSON keys.
    order = {name: position for position, name in enumerate(_COUNTS)}
    return dict(sorted(totals.items(), key=lambda item: (order.get(item[0], len(order)), item[0])))


def show_count(result: dict[str, Any], name: str) -> str:
    """Return the sum of one count over the parts as text, e.g. `1,200`; a dash if the run does not have it."""
    return _show(sum_counts(result).get(name))


def build_result_table(*, result: dict[str, Any], part_labels: Mapping[str, str]) -> SafeString | str:
    """Return an HTML table with a row for each part of the run, in the order of `part_labels`."""
    order = {part: position for position, part in enumerate(part_labels)}
    parts = sorted(
        ((part, counts) for part, counts in result.items() if isinstance(counts, dict)),
        key=lambda item: (order.get(item[0], len(order)), item[0]),
    )
    if not parts:
        return "–"
    columns = list(sum_counts(result))
    head = format_html_join("", "<th scope='col' class='number'>{}</th>", ((_name(column),) for column in columns))
    rows = format_html_join(
        "",
        "<tr><th scope='row'>{}</th>{}</tr>",
        (
            (
                part_labels.get(part) or _name_object(part),
                format_html_join("", "<td class='number'>{}</td>", ((_show(counts.get(each)),) for each in columns)),
            )
            for part, counts in parts
        ),
    )
    return format_html(
        "<div class='vault-scroll vault-result' tabindex='0' role='group' aria-label='Result'>"
        "<table class='vault-table'><thead><tr><th scope='col'>Part</th>{}</tr></thead><tbody>{}</tbody></table></div>",
        head,
        rows,
    )


def _show(count: int | None) -> str:
    return "–" if count is None else f"{count:,}"


def _name_object(part: str) -> str:
    try:
        return get_object(part).plural_title
    except UnknownObjectError:
        return str(capfirst(part.replace("_", " ")))


def _name(count: str) -> str:
    return count.replace("_", " ").replace("api", "API")
