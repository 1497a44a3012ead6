"""The form for misbehaviour: its choices, and the rules and settings that it describes."""

from collections.abc import Mapping
from typing import Any

from crm_sync.sandbox.misbehaviour import EFFECT_CHOICES, SETTING_CHOICES

ERROR_STATUSES = range(400, 600)
METHODS = ("GET", "POST", "PATCH", "DELETE")
# Groups of effects for the form: the value of a choice, and how it is shown.
EFFECTS: tuple[tuple[str, tuple[tuple[str, str], ...]], ...] = (
    (
        "Answers",
        (
            ("status", "Answer with a status"),
            ("delay", "Delay"),
            ("drop-before", "Drop the connection before the call"),
            ("drop-after", "Drop the connection after the commit"),
            ("html", "HTML instead of JSON"),
            ("truncate", "Cut the answer in half"),
            ("row", "Refuse one row of a write"),
        ),
    ),
    (
        "Limits, sessions, clock",
        (
            ("limit", "API limit exhausted"),
            ("limit-requests", "Too many requests at once"),
            ("limit-long-transactions", "Too many long transactions at once"),
            ("expire", "Expire all sessions"),
            ("clock", "Set the clock ahead or back"),
        ),
    ),
    (
        "Pages of a query",
        (
            ("pages", "Short pages"),
            ("rows-twice", "Each row twice"),
            ("rows-overlapping", "Pages overlap by a row"),
            ("rows-reversed", "Rows of a page reversed"),
            ("rows-shuffled", "Rows of a page shuffled"),
            ("rows-pages-reversed", "All rows reversed"),
            ("rows-pages-shuffled", "All rows shuffled"),
            ("next-endless", "The last page leads to itself"),
            ("next-broken", "The next page is not there"),
            ("next-foreign", "The next page is on another host"),
            ("next-missing", "The next page is not named"),
        ),
    ),
)
SIMPLE_EFFECTS: dict[str, dict[str, Any]] = {
    "drop-before": {"drop": "before"},
    "drop-after": {"drop": "after"},
    "expire": {"expire_sessions": True},
    "limit": {"limit_exhausted": True},
    "html": {"html": True},
    "truncate": {"truncate": True},
    **{f"limit-{value}": {"concurrency_limit": value} for value in EFFECT_CHOICES["concurrency_limit"]},
    **{f"rows-{value}": {"rows": value} for value in EFFECT_CHOICES["rows"]},
    **{f"next-{value}": {"next_page": value} for value in EFFECT_CHOICES["next_page"]},
}
AMOUNT = "Milliseconds, rows or seconds"


def read_number(form: Mapping[str, str], name: str, *, label: str, whole: bool = True) -> float | int | None:
    """Return a number of the form, or None when it is empty. Raises ValueError that names the field."""
    text = form.get(name, "").strip()
    if not text:
        return None
    try:
        return int(text) if whole else float(text)
    except ValueError:
        raise ValueError(f"{label}: enter a {'whole ' if whole else ''}number.") from None


def read_required(form: Mapping[str, str], name: str, *, label: str) -> float | int:
    """Return a number that the chosen effect needs. Raises ValueError that names the field."""
    number = read_number(form, name, label=label)
    if number is None:
        raise ValueError(f"{label}: this effect needs a number.")
    return number


def read_settings(form: Mapping[str, str]) -> dict[str, Any]:
    """Return the settings of the form. Raises ValueError with what to correct."""
    settings: dict[str, Any] = {"block_password_flow": "block_password_flow" in form}
    settings |= {name: form.get(name, "") for name in SETTING_CHOICES}
    for name, label, whole in (
        ("latency_ms", "Latency", False),
        ("clock_skew_seconds", "Clock skew", False),
        ("session_seconds", "Session length", False),
        ("api_limit", "API limit", True),
        ("oldest_api_version", "Oldest API version", True),
        ("concurrent_requests", "Requests at once", True),
    ):
        number = read_number(form, name, label=label, whole=whole)
        if number is None:
            raise ValueError(f"{label}: enter a number.")
        settings[name] = number
    return settings


def read_rule(form: Mapping[str, str]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return match and effect of the form. Raises ValueError with what to correct."""
    match: dict[str, Any] = {
        "method": form.get("method") or None,
        "path": form.get("path", "").strip() or None,
        "object": form.get("object") or None,
        "nth": read_number(form, "nth", label="From the nth call"),
        "count": read_number(form, "count", label="At most"),
        "probability": read_number(form, "probability", label="Probability", whole=False),
    }
    return {name: value for name, value in match.items() if value is not None}, read_effect(form)


def read_effect(form: Mapping[str, str]) -> dict[str, Any]:
    """Return the effect of the form. Raises ValueError with what to correct."""
    kind = form.get("effect", "")
    code = form.get("error_code", "").strip() or None
    if kind in SIMPLE_EFFECTS:
        return SIMPLE_EFFECTS[kind]
    if kind == "status":
        status = read_required(form, "status", label="Status")
        if int(status) not in ERROR_STATUSES:
            raise ValueError("Status: enter a number from 400 to 599.")
        return {
            "status": status,
            "error_code": code,
            "retry_after": read_number(form, "retry_after", label="Retry-After"),
        }
    if kind == "row":
        external_id = form.get("external_id", "").strip()
        if not external_id:
            raise ValueError("External id: name the record whose row is to be refused.")
        return {"row_errors": {external_id: code or "UNABLE_TO_LOCK_ROW"}}
    if kind == "delay":
        return {"delay_ms": read_required(form, "amount", label=AMOUNT)}
    if kind == "pages":
        return {"page_size": max(int(read_required(form, "amount", label=AMOUNT)), 1)}
    if kind == "clock":
        return {"step_clock_seconds": read_required(form, "amount", label=AMOUNT)}
    raise ValueError("Effect: choose one of the list.")
