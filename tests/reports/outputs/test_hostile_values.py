"""Values that mean something to a spreadsheet, a browser, a mail or a file system are texts in every output."""

from __future__ import annotations

import csv
import io
import json
import zipfile
from html.parser import HTMLParser
from typing import Any

import openpyxl
import pytest
from django.db import transaction
from django.test import Client
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from openpyxl.utils.escape import unescape

from activities.models import Activity
from ctms.records.fields.csv_injection import restore
from ctms.reports.models import Report
from tests.factories.activities import ActivityFactory
from tests.factories.base import get_admin_user
from tests.factories.reports import ReportFactory

pytestmark = pytest.mark.django_db

_SIGNS = (
    "=",
    "+",
    "-",
    "@",
    "\t",
    "\r",
    "\n",
    "\r\n",
    "'",
    '"',
    ";",
    "<",
    "&",
    "%",
    "\\",
    "/",
    "_x0041_",
    "\u202e",
    "",
)
_WORDS = (
    "cmd|' /C calc'!A0",
    'HYPERLINK("http://example.org","x")',
    "script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "Bcc: a@example.org",
    "Set-Cookie: a=b",
    "{{ 7|add:7 }}{% debug %}",
    "null",
    "None",
    "NaN",
    "true",
    "../../etc/passwd",
    "]]>",
)
_ANY = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00"), min_size=1, max_size=40)
HOSTILE = st.builds(
    "{}{}{}".format, st.sampled_from(_SIGNS), st.one_of(st.sampled_from(_WORDS), _ANY), st.sampled_from(_SIGNS)
)


class Page(HTMLParser):
    """The names of a page's elements and attributes, and the texts of its cells."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.elements: set[str] = set()
        self.attributes: set[str] = set()
        self.cells: list[str] = []
        self._in_cell = False
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: Any) -> None:
        self.elements.add(tag)
        self.attributes.update(name for name, _ in attrs)
        if tag in ("td", "th"):
            self.cells.append("")
            self._in_cell = True

    def handle_endtag(self, tag: str) -> None:
        self._in_cell = self._in_cell and tag not in ("td", "th")

    def handle_data(self, data: str) -> None:
        if self._in_cell:
            self.cells[-1] += data


_ELEMENTS = {
    *("html", "head", "meta", "title", "link", "body", "header", "h1", "p", "div"),
    *("table", "thead", "tbody", "tr", "th", "td"),
}
_ATTRIBUTES = {"lang", "charset", "name", "content", "rel", "type", "href", "class", "tabindex", "role", "scope"}


def read(client: Client, path: str) -> tuple[Any, bytes]:
    response: Any = client.get(path)
    assert response.status_code == 200, response.content
    content: bytes = b"".join(response.streaming_content) if response.streaming else response.content
    return response, content


def check_csv(client: Client, report: Report, texts: list[str]) -> None:
    response, content = read(client, f"/reports/{report.uid}/export.csv")
    header = response.headers["Content-Disposition"]
    assert (header.isascii(), header.isprintable(), header.count('"')) == (True, True, 2)
    rows = list(csv.reader(io.StringIO(content.decode().removeprefix("\ufeff"), newline="")))
    cells = [cell for row in rows for cell in row]
    assert [cell for cell in cells if cell[:1] in tuple("=+-@\t\r\n")] == []
    assert sorted(restore("".join(row)) for row in rows[1:]) == sorted(texts)


def check_workbook(client: Client, report: Report, texts: list[str]) -> None:
    _, content = read(client, f"/reports/{report.uid}/export.xlsx")
    with zipfile.ZipFile(io.BytesIO(content)) as parts:
        sheet = parts.read("xl/worksheets/sheet1.xml")
        assert not [name for name in parts.namelist() if "hyperlink" in name or "external" in name.lower()]
    assert (b"<f>" in sheet, b"<hyperlink" in sheet) == (False, False)
    cells = [row[0] for row in openpyxl.load_workbook(io.BytesIO(content)).worksheets[0].iter_rows(min_row=2)]
    assert {cell.data_type for cell in cells if cell.value is not None} <= {"s"}
    assert sorted(unescape(cell.value) for cell in cells if cell.value is not None) == sorted(filter(None, texts))


def check_page(client: Client, report: Report, texts: list[str]) -> None:
    _, content = read(client, f"/reports/{report.uid}/print/")
    page = Page(content.decode())
    assert page.elements <= _ELEMENTS
    assert {name for name in page.attributes if not name.startswith("aria-")} <= _ATTRIBUTES
    assert {each or "(empty)" for each in texts} <= set(page.cells)


def check_json(client: Client, report: Report, texts: list[str], *, grouped: Report) -> None:
    _, content = read(client, f"/api/v1/reports/{report.uid}/rows/")
    assert sorted(row["subject__v"] or "" for row in json.loads(content)["results"]) == sorted(texts)
    _, content = read(client, f"/api/v1/reports/{grouped.uid}/groups/")
    shown = {line["groups"][0]["text"] for line in json.loads(content)["results"]}
    assert shown == {each or "(empty)" for each in texts}
    _, content = read(client, f"/api/v1/reports/{report.uid}/")
    assert json.loads(content)["name__v"] == report.name


@settings(max_examples=12, deadline=None, suppress_health_check=list(HealthCheck))
@given(texts=st.lists(HOSTILE, min_size=1, max_size=5, unique=True))
@example(texts=[f"{sign}{word}" for sign, word in zip(_SIGNS, _WORDS, strict=False)])
@example(texts=["=1+1", "\t=1", "a;=1", "null", "None", "_x0041_", "\ufffe\uffff", "\x01\x1f\x7f\x85"])
def test_hostile_values_are_texts_in_every_output(client: Client, texts: list[str]) -> None:
    user = get_admin_user()
    client.force_login(user)
    with transaction.atomic():
        for text in texts:
            ActivityFactory.create(subject=text)
        # Without the spaces at their ends, and what is nothing then is no value.
        texts = [each or "" for each in Activity.objects.values_list("subject", flat=True)]
        names = [each for each in texts if each] or ["x"]
        report = ReportFactory.create(owner=user, name=names[0], columns=["subject__v"])
        grouped = ReportFactory.create(owner=user, name=names[-1], groups=[{"column": "subject__v"}])
        check_csv(client, report, texts)
        check_workbook(client, report, texts)
        check_page(client, grouped, texts)
        check_json(client, report, texts, grouped=grouped)
        transaction.set_rollback(True)
