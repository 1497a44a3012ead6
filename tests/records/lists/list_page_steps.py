"""Steps that the tests of list pages share."""

from __future__ import annotations

import re
from html.parser import HTMLParser

from django.test import Client

from ctms.accounts.models import User
from tests.factories.accounts import SecurityProfileFactory, UserFactory

ACTIVITIES = "/records/crm_activity__v/"


TRAININGS = "/records/training__v/"


class Page(HTMLParser):
    """The parsed page of a list: cells by row, links by text, alerts."""

    def __init__(self, content: str) -> None:
        super().__init__()
        self.content = content
        self.rows: list[list[str]] = []
        self.links: dict[str, str] = {}
        self._cell: list[str] | None = None
        self._link: tuple[str, list[str]] | None = None
        self.feed(content)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = dict(attrs)
        if tag == "tr":
            self.rows.append([])
        elif tag in ("td", "th") and "-cell" not in (values.get("class") or "").replace("title-cell", ""):
            self._cell = []
        elif tag == "a":
            self._link = (values.get("href") or "", [values.get("aria-label") or ""])

    def handle_data(self, data: str) -> None:
        if self._cell is not None:
            self._cell.append(data)
        if self._link is not None:
            self._link[1].append(data)

    def handle_endtag(self, tag: str) -> None:
        if tag in ("td", "th") and self._cell is not None:
            self.rows[-1].append(" ".join("".join(self._cell).split()))
            self._cell = None
        elif tag == "a" and self._link is not None:
            self.links.setdefault(" ".join(" ".join(self._link[1]).split()), self._link[0])
            self._link = None

    @property
    def heading(self) -> list[str]:
        return self.rows[0]

    @property
    def body(self) -> list[list[str]]:
        return [row for row in self.rows[1:] if row]

    @property
    def names(self) -> list[str]:
        return [row[0] for row in self.body]

    def find(self, pattern: str) -> list[str]:
        return [" ".join(each.split()) for each in re.findall(pattern, self.content, re.DOTALL)]


def open_page(client: Client, address: str) -> Page:
    response = client.get(address, follow=True)
    assert response.status_code == 200
    return Page(response.content.decode())


def log_in_with(client: Client, *permissions: str, sees_all_studies: bool = True) -> User:
    profile = SecurityProfileFactory.create(permissions=list(permissions), sees_all_studies=sees_all_studies)
    user = UserFactory.create(security_profile=profile)
    client.force_login(user)
    return user
