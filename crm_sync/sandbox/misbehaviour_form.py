"""The form by which a person makes a sandbox misbehave: its choices, and what they mean as a rule."""

from collections.abc import Mapping
from typing import Any

ERROR_STATUSES = range(400, 600)
METHODS = ("GET", "POST", "PATCH", "DELETE")
EFFECTS = (
    ("status", "Answer with a status"),
    ("row", "Refuse one row of a write"),
    ("delay", "Delay"),
    ("drop-before", "Drop the connection before the call"),
    ("drop-after", "Drop the connection after the commit"),
    ("pages", "Short pages"),
    ("expire", "Expire all sessions"),
    ("limit", "API limit exhausted"),
    ("html", "HTML instead of JSON"),
    ("truncate", "Cut the answer in half"),
)


def read_number(form: Mapping[str, str], name: str, *, label: str, whole: bool = True) -> float | int | None:
    """Return a number of the form, None when it is empty. Raises ValueError that names the field."""
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
    """Return the settings of the form. Raises ValueError."""
    settings: dict[str, Any] = {"block_password_flow": "block_password_flow" in form}
    for name, label, whole in (
        ("latency_ms", "Latency", False),
        ("clock_skew_seconds", "Clock skew", False),
        ("session_seconds", "Session length", False),
        ("api_limit", "API limit", True),
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
    simple: dict[str, dict[str, Any]] = {
        "drop-before": {"drop": "before"},
        "drop-after": {"drop": "after"},
        "expire": {"expire_sessions": True},
        "limit": {"limit_exhausted": True},
        "html": {"html": True},
        "truncate": {"truncate": True},
    }
    if kind in simple:
        return simple[kind]
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
        return {"delay_ms": read_required(form, "amount", label="Milliseconds or rows")}
    if kind == "pages":
        return {"page_size": max(int(read_required(form, "amount", label="Milliseconds or rows")), 1)}
    raise ValueError("Effect: choose one of the list.")
