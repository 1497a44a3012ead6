"""Console pages to which other apps add."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib import admin

from connections.models import Connection
from ctms.audit.admin import pages
from ctms.audit.admin.theme import ModelAdmin


@pytest.fixture(autouse=True)
def _registry(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pages, "_pages", {})
    monkeypatch.setattr(pages, "_additions", {})


class Page(ModelAdmin):
    list_display = ("name",)
    actions_detail: Any = ("copy",)

    def copy(self) -> str:
        return "page"


class Addition(ModelAdmin):
    list_display = ("name", "health")
    actions_detail: Any = ("check", "copy")

    def copy(self) -> str:
        return f"addition to {super().copy()}"  # type: ignore[misc]


def build() -> Any:
    site = admin.AdminSite()
    pages.build_pages(site)
    return site.get_model_admin(Connection)


@pytest.mark.parametrize("is_added_first", [True, False])
def test_an_addition_wins_and_its_actions_come_after_the_pages_own(is_added_first: bool) -> None:
    if is_added_first:
        pages.extend_page(Connection)(Addition)
    pages.register_page(Connection)(Page)
    if not is_added_first:
        pages.extend_page(Connection)(Addition)
    page: Any = build()
    assert issubclass(type(page), Page)
    assert page.list_display == ("name", "health")
    assert page.actions_detail == ("copy", "check")
    assert page.copy() == "addition to page"


def test_a_page_without_additions_is_as_it_was_registered() -> None:
    pages.register_page(Connection)(Page)
    assert type(build()) is Page


def test_a_model_has_one_page() -> None:
    pages.register_page(Connection)(Page)
    with pytest.raises(ValueError, match="Connection has a page already: Page"):
        pages.register_page(Connection)(Addition)


def test_an_addition_to_no_page_is_refused_at_start() -> None:
    pages.extend_page(Connection)(Addition)
    with pytest.raises(ValueError, match="No page is registered for: Connection"):
        build()


def test_two_classes_of_one_page_may_not_share_a_helper() -> None:
    class First(ModelAdmin):
        def _start(self) -> str:
            return "transfer"

    class Second(ModelAdmin):
        def _start(self) -> str:
            return "preview"

    pages.register_page(Connection)(Page)
    pages.extend_page(Connection)(First)
    pages.extend_page(Connection)(Second)
    with pytest.raises(ValueError, match="First and Second both have _start"):
        build()
