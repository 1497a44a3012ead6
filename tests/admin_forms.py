"""Reading and posting the admin's forms as a browser would: what is shown goes back, with what a user typed."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from typing import Any

from django.test import Client

from ctms.accounts.models import User
from tests.factories.accounts import UserFactory


def log_in_admin(client: Client, **values: Any) -> User:
    """Log a superuser in; the client is that user's browser from now on."""
    user = UserFactory.create(is_staff=True, is_superuser=True, **values)
    client.force_login(user)
    return user


class _FormReader(HTMLParser):
    """Collects what a browser would send for one form of a page."""

    def __init__(self, *, form_id: str) -> None:
        super().__init__()
        self.values: dict[str, list[str]] = {}
        self.found = False
        self._form_id = form_id
        self._inside = False
        self._select = ""
        self._first: str | None = None
        self._textarea = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        if tag == "form":
            self._inside = given.get("id") == self._form_id
            self.found |= self._inside
        if not self._inside or "disabled" in given:
            return
        name = given.get("name", "")
        if tag == "input" and name and given.get("type") not in ("submit", "button", "file"):
            is_box = given.get("type") in ("checkbox", "radio")
            if not is_box or "checked" in given:
                self.values.setdefault(name, []).append(given.get("value", "on" if is_box else ""))
        elif tag == "select":
            self._select, self._first = name, "" if "multiple" in given else None
        elif tag == "option" and self._select:
            if "selected" in given:
                self.values.setdefault(self._select, []).append(given.get("value", ""))
            elif self._first is None:
                self._first = given.get("value", "")
        elif tag == "textarea":
            self._textarea = name
            self.values[name] = [""]

    def handle_data(self, data: str) -> None:
        if self._textarea:
            # The parser of a browser drops the line break that follows the start tag.
            self.values[self._textarea][0] += data if self.values[self._textarea][0] else data.removeprefix("\n")

    def handle_endtag(self, tag: str) -> None:
        if tag == "form":
            self._inside = False
        elif tag == "select":
            # A browser shows, and sends, the first option of a list in which none is chosen.
            if self._inside and self._select and self._first:
                self.values.setdefault(self._select, [self._first])
            self._select = ""
        elif tag == "textarea":
            self._textarea = ""


def read_form(page: Any, *, form_id: str) -> dict[str, list[str]]:
    """What the browser would send if that form of the page were submitted untouched."""
    reader = _FormReader(form_id=form_id)
    reader.feed(page.content.decode())
    assert reader.found, f"The page has no form {form_id}."
    return reader.values


def submit(client: Client, url: str, /, *, form_id: str, **typed: Any) -> Any:
    """Open a page, type, and press Save; `None` unticks a box. Redirects are not followed."""
    return submit_values(client, url, form_id=form_id, typed=typed)


def submit_values(client: Client, url: str, *, form_id: str, typed: dict[str, Any]) -> Any:
    """As `submit`, for names of rows such as `field_rules-0-active`."""
    return client.post(url, fill(read_form(client.get(url), form_id=form_id), typed=typed))


def fill(values: dict[str, list[str]], *, typed: dict[str, Any]) -> dict[str, Any]:
    """A form's values with what a user typed over them."""
    merged: dict[str, Any] = {**values, **typed, "_save": "Save"}
    return {name: value for name, value in merged.items() if value is not None}


def list_focused(page: Any) -> list[str]:
    """Return the names of the inputs of a page that have the focus when it is opened."""
    tags = re.findall(r"<(?:input|select|textarea)\b[^>]*\bautofocus\b[^>]*>", page.content.decode())
    return [found[1] for tag in tags if (found := re.search(r'\bname="([^"]+)"', tag))]


def list_errors(page: Any) -> dict[str, list[str]]:
    """What the main form of a refused page says, by field; `__all__` stands on top."""
    errors = page.context["adminform"].form.errors
    return {name: [str(message) for message in messages] for name, messages in errors.items()}


def list_messages(page: Any) -> list[str]:
    """The messages at the head of a page."""
    return [str(message) for message in page.context["messages"]]
