"""Steps that the tests of create form share."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

from django.test import Client

from tests.admin_forms import fill, read_form

CREATE = "/records/crm_activity__v/create/"


FORM = "record-form"


DOES_NOT_FIT = (
    "0142 does not fit here: it is inactive, or does not belong to what is chosen beside it. Choose one from the list."
)


NOBODY = (
    "There is no active person “Nobody” that fits here. Choose one from the list, or type its exact name or "
    "external ID."
)


def address(record: Any, page: str = "") -> str:
    return f"/records/{record.object_name}/{record.uid}/{page}"


def build_url(path: str, **parameters: Any) -> str:
    return f"{path}?{urlencode(parameters)}"


def submit(client: Client, url: str, **typed: Any) -> Any:
    """Open the form, type, and press Save; a reference is chosen by its record, `None` unticks a box."""
    return client.post(url, fill(read_form(client.get(url), form_id=FORM), typed=choose(typed)))


def choose(typed: dict[str, Any]) -> dict[str, Any]:
    """Return what the page's script submits for a chosen record: its uid, and the text that shows it."""
    chosen: dict[str, Any] = {}
    for name, value in typed.items():
        is_record = hasattr(value, "uid")
        chosen[name] = value.uid if is_record else value
        if is_record:
            chosen |= {f"{name}__text": str(value), f"{name}__shown": str(value)}
    return chosen


def list_errors(answer: Any) -> dict[str, list[str]]:
    assert answer.status_code == 200
    return {name: list(found) for name, found in answer.context["form"].errors.items()}


def list_places(answer: Any) -> dict[str, dict[str, str]]:
    """Return the items of a form: section → label → the shown value, or the name of the input."""
    return {
        section.title: {item.label: item.bound.name if item.bound else item.shown.text for item in section.items}
        for section in answer.context["page"].sections
    }


def list_chosen(answer: Any, *names: str) -> dict[str, str]:
    """Return the texts that the references show."""
    values = read_form(answer, form_id=FORM)
    return {name: values[f"{name}__text"][0] for name in names}
