"""Every control and link of the console has a name that a screen reader says, and no two of a page have one id."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest
from django.test import Client
from lxml import html

from ctms.accounts.models import User
from tests.admin_forms import log_in_admin
from tests.test_admin_pages import MODELS
from tests.test_console_words import open_pages

pytestmark = [pytest.mark.django_db]

CONTROLS = "//input[not(@type='hidden')] | //select | //textarea | //button | //a[@href]"
# Elements whose own text is their name. Others are named by a label, or by the attributes.
NAMED_BY_CONTENT = ("button", "a")
# What is drawn, and not said: icons, and what is marked so.
_UNSAID = "ancestor-or-self::*[@aria-hidden='true' or self::script or self::style or self::template]"


@pytest.fixture(params=MODELS, ids=lambda model: model._meta.label)
def model(request: pytest.FixtureRequest) -> Any:
    return request.param


def read_text(element: Any) -> str:
    """What is said of an element's content: its text, and what its pictures are called."""
    said = element.xpath(f".//text()[not({_UNSAID})]") + element.xpath(f".//*[not({_UNSAID})]/@aria-label")
    return " ".join(" ".join([*said, *element.xpath(".//img/@alt")]).split())


def name_control(element: Any) -> str:
    """The accessible name of a control, as far as HTML says it (Accessible Name and Description Computation)."""
    page = element.getroottree()
    by_id = [read_text(found) for each in element.get("aria-labelledby", "").split() for found in find(page, each)]
    names = [" ".join(by_id).strip(), element.get("aria-label", "").strip()]
    if element.tag in NAMED_BY_CONTENT:
        names.append(read_text(element))
    elif element.tag == "input" and element.get("type") in ("submit", "button", "reset"):
        names.append(element.get("value", "").strip())
    else:
        labels = page.xpath("//label[@for=$id]", id=element.get("id", "")) if element.get("id") else []
        names += [read_text(each) for each in [*labels, *element.iterancestors("label")]]
    names.append(element.get("title", "").strip())
    return next(filter(None, names), "")


def find(page: Any, identifier: str) -> list[Any]:
    return list(page.xpath("//*[@id=$id]", id=identifier))


def describe(element: Any) -> str:
    return str(html.tostring(element, encoding="unicode", with_tail=False))[:400]


def list_problems(text: str) -> list[str]:
    page = html.fromstring(text)
    controls = [each for each in page.xpath(CONTROLS) if not each.xpath(f"boolean({_UNSAID})")]
    assert controls
    ids = Counter(page.xpath("//@id"))
    return [f"no name: {describe(each)}" for each in controls if not name_control(each)] + [
        f"id {name} × {number}" for name, number in ids.items() if number > 1
    ]


def test_each_control_of_each_page_is_named(model: Any, client: Client, admin_user: User) -> None:
    log_in_admin(client)
    pages = open_pages(model, client)
    assert pages
    found = {state: problems for state, page in pages.items() if (problems := list_problems(page))}
    assert found == {}


def test_what_has_no_name_is_found() -> None:
    page = (
        "<body><input id='a'><label for='b'>Day</label><input id='b'>"
        "<button><span aria-hidden='true'>add</span></button>"
        "<a href='/'> </a><a href='/x'><img alt='Home'></a><select aria-label='Zone'></select><p id='b'></p></body>"
    )
    assert list_problems(page) == [
        'no name: <input id="a">',
        'no name: <button><span aria-hidden="true">add</span></button>',
        'no name: <a href="/"> </a>',
        "id b × 2",
    ]
