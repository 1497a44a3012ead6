"""Every page of the console in each of its states speaks the Vault's words, not those of the frameworks below it."""

from __future__ import annotations

import html
import re
from typing import Any

import pytest
from django.test import Client

from ctms.accounts.models import User
from tests.admin_forms import log_in_admin
from tests.admin_rows import create_row
from tests.test_admin_pages import MODELS, name_url

pytestmark = [pytest.mark.django_db]

# What Django and Unfold say where nobody has said it better.
FOREIGN = re.compile(
    r"select .{1,60} to (change|view)\b|designates (that|whether)|are you sure|take me back|i’m sure|yielded into"
    r"|search apps and models|filter navigation items|\w+ administration\b|raw passwords|hold down “?control"
    r"|protected related objects|related items will be deleted|perhaps it was deleted"
    r"|pbkdf2|argon2|delete multiple|you may edit it again|models in the|<h2[^>]*>\s*(summary|objects)\s*<"
    r"|type to search|\b\d+ total\b|change history|my actions|recent actions",
    re.IGNORECASE,
)
_UNSEEN = re.compile(r"(?s)<(script|style)\b.*?</\1>|<!--.*?-->")


@pytest.fixture(params=MODELS, ids=lambda model: model._meta.label)
def model(request: pytest.FixtureRequest) -> Any:
    return request.param


def find_foreign(page: str) -> list[str]:
    """The phrases of the frameworks on a page, each with what is around it."""
    text = html.unescape(_UNSEEN.sub("", page))
    return [text[max(found.start() - 40, 0) : found.end() + 40].strip() for found in FOREIGN.finditer(text)]


def read_title(page: str) -> str:
    (title,) = re.findall(r"(?s)<title>(.*?)</title>", page)
    return " ".join(html.unescape(title).split())


def read_headings(page: str) -> list[str]:
    return [
        " ".join(html.unescape(re.sub(r"<[^>]+>", "", each)).split())
        for each in re.findall(r"(?s)<h1\b[^>]*>(.*?)</h1>", page)
    ]


def open_pages(model: Any, client: Client) -> dict[str, str]:
    """The model's pages by their state: those that it has, as an admin gets them."""
    address = name_url(model, "changelist")
    pages = {"empty list": client.get(address, follow=True)}
    first = create_row(model)
    create_row(model)
    record = name_url(model, "change", first.pk)
    pages |= {
        "list": client.get(address, follow=True),
        "list without a match": client.get(address, {"q": "no such thing"}, follow=True),
        "record": client.get(record),
        "record that is gone": client.get(name_url(model, "change", "999999999"), follow=True),
        "refused record": client.post(record, {"read_version": "0"}),
        "new record": client.get(name_url(model, "add")),
        "refused new record": client.post(name_url(model, "add"), {}),
        "deletion": client.get(name_url(model, "delete", first.pk)),
        "deletion of several": client.post(
            address, {"action": "delete_selected", "_selected_action": [str(first.pk)]}, follow=True
        ),
    }
    return {
        state: page.content.decode()
        for state, page in pages.items()
        if "text/html" in page.headers.get("Content-Type", "") and page.content
    }


def test_no_page_speaks_with_the_words_of_its_framework(model: Any, client: Client) -> None:
    log_in_admin(client)
    pages = open_pages(model, client)
    assert [f"{state}: {each}" for state, page in pages.items() for each in find_foreign(page)] == []


def test_every_page_has_one_heading_and_a_title_that_ends_with_the_name_of_the_vault(
    model: Any, client: Client
) -> None:
    log_in_admin(client)
    pages = open_pages(model, client)
    assert {state: found for state, page in pages.items() if len(found := read_headings(page)) != 1} == {}
    titles = {state: read_title(page) for state, page in pages.items()}
    assert {state: title for state, title in titles.items() if not title.endswith("· CTMS Vault")} == {}


def test_titles_and_headings_name_what_is_on_the_page(client: Client) -> None:
    log_in_admin(client)
    user = create_row(User)
    told = {
        page: (read_title(content), read_headings(content))
        for page, content in {
            "list": client.get(name_url(User, "changelist")).content.decode(),
            "new": client.get(name_url(User, "add")).content.decode(),
            "refused": client.post(name_url(User, "add"), {}).content.decode(),
            "record": client.get(name_url(User, "change", user.pk)).content.decode(),
        }.items()
    }
    assert told == {
        "list": ("Users · CTMS Vault", ["Users"]),
        "new": ("Add user · CTMS Vault", ["Add user"]),
        "refused": ("Error: Add user · CTMS Vault", ["Add user"]),
        "record": (f"{user} · User · CTMS Vault", [str(user)]),
    }


@pytest.mark.parametrize("app_label", sorted({model._meta.app_label for model in MODELS}))
def test_there_is_no_page_of_an_app_beside_the_sidebar(app_label: str, client: Client) -> None:
    log_in_admin(client)
    answer = client.get(f"/admin/{app_label}/")
    assert (answer.status_code, answer.headers["Location"]) == (302, "/admin/")


def test_the_page_of_a_user_says_whether_there_is_a_password_and_shows_nothing_of_it(client: Client) -> None:
    me = log_in_admin(client)
    page = client.get(name_url(User, "change", me.pk)).content.decode()
    assert "Set a password" in page
    assert me.password.rpartition("$")[2][:6] not in html.unescape(page)  # of which Django shows six letters
    assert 'name="password"' not in page
