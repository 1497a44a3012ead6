"""Web addresses."""

from __future__ import annotations

import pytest
from django.test import Client

from ctms.records.fields.kinds.url import is_address
from tests.records.fields.kinds.doors import NAME, EveryDoor

pytestmark = [pytest.mark.django_db, pytest.mark.both_databases]


class TestUrl(EveryDoor):
    kind = "url"
    typed = {"": "example.org/page"}
    text = "https://example.org/page"
    stored = "https://example.org/page"
    shown = "https://example.org/page"
    json = "https://example.org/page"
    cell = "https://example.org/page"
    sent = "https://example.org/page"
    other_text = "http://intranet.example.org:8080/?a=b"
    other_stored = "http://intranet.example.org:8080/?a=b"
    other_shown = "http://intranet.example.org:8080/?a=b"
    wrong_text = "javascript:alert(1)"
    problem = "This is no web address. Write it as https://example.org/page."
    wrong_json = "ftp://example.org"
    filters = {f"{NAME}__contains=intranet": (False, True), f"{NAME}=https://example.org/page": (True, False)}

    def test_a_link_leaves_the_vault_without_telling_where_it_comes_from(self, client: Client) -> None:
        training = self.create()
        link = (
            '<a href="https://example.org/page" rel="noopener noreferrer" target="_blank">https://example.org/page</a>'
        )
        page = " ".join(client.get(f"/records/training__v/{training.uid}/").content.decode().split())
        assert link in page
        assert link in client.get(f"/records/training__v/?columns=name__v,{NAME}").content.decode()

    def test_what_is_no_address_is_never_a_link(self, client: Client) -> None:
        training = self.create(stored="javascript:alert(1)")
        for page in (f"/records/training__v/{training.uid}/", f"/records/training__v/?columns=name__v,{NAME}"):
            content = client.get(page).content.decode()
            assert ("javascript:alert(1)" in content, 'href="javascript' in content) == (True, False)


@pytest.mark.parametrize(
    "text", ["javascript:alert(1)", "data:text/html,x", "https://", "//example.org", "x y", "java\tscript:1"]
)
def test_what_a_browser_would_run_is_no_address(text: str) -> None:
    assert not is_address(text)
