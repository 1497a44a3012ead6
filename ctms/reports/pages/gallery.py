"""The gallery: the reports that a user sees, in folders, with a search."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from urllib.parse import urlencode

from django.core.paginator import Page, Paginator
from django.db.models import TextChoices
from django.urls import reverse

from ctms.core.choices import RecordStatus
from ctms.records.pages.home import describe_age
from ctms.reports.access import StoredReport, is_orphaned
from ctms.reports.pages.uses import list_favourite_keys, read_last_runs

_PAGE_SIZE = 50
_LONGEST_SEARCH = 200


class Folder(TextChoices):
    """Which reports the gallery shows."""

    ALL = "", "All reports"
    FAVOURITES = "favourites", "Favourites"
    MINE = "mine", "Mine"
    SHARED = "shared", "Shared with me"
    DELIVERED = "delivered", "Delivered"


@dataclass(frozen=True, slots=True, kw_only=True)
class GalleryRow:
    """A report of the gallery."""

    stored: StoredReport
    is_favourite: bool
    last_run: str

    @property
    def notes(self) -> Iterator[tuple[str, str]]:
        """Yield what is special about the report, and the tone of each."""
        report = self.stored.report
        if report.status != RecordStatus.ACTIVE:
            yield "Inactive", "inactive"
        if self.stored.runs_as_other:
            yield f"Runs as {report.owner}", "planned"
        if is_orphaned(report) and not self.stored.is_delivered:
            yield "Owner left", "failed"


@dataclass(kw_only=True)
class Gallery:
    """A page of the gallery: the reports of a folder whose names, descriptions or types contain the words."""

    reports: list[StoredReport]
    folder: Folder
    text: str = ""
    number: str = "1"
    favourites: set[int] = field(default_factory=set)

    @property
    def folders(self) -> list[tuple[str, str, bool]]:
        """Return label and URL of each folder, and whether it is the present one."""
        return [
            (f"{each.label} ({self._count(each):,})", self.build_url(folder=each), each == self.folder)
            for each in Folder
        ]

    @cached_property
    def page(self) -> Page[StoredReport]:
        found = [each for each in self.reports if self._is_in(each, self.folder) and self._has_words(each)]
        return Paginator(found, _PAGE_SIZE).get_page(self.number)

    @property
    def rows(self) -> list[GalleryRow]:
        shown = list(self.page)
        runs = read_last_runs([each.report.pk for each in shown])
        return [
            GalleryRow(
                stored=each,
                is_favourite=each.report.pk in self.favourites,
                last_run=describe_age(runs[each.report.pk]) if each.report.pk in runs else "",
            )
            for each in shown
        ]

    @property
    def shown(self) -> str:
        """Return which reports of how many are on the page."""
        page = self.page
        return f"{page.start_index():,}–{page.end_index():,} of {page.paginator.count:,}"

    @property
    def previous_url(self) -> str:
        return self.build_url(page=self.page.previous_page_number()) if self.page.has_previous() else ""

    @property
    def next_url(self) -> str:
        return self.build_url(page=self.page.next_page_number()) if self.page.has_next() else ""

    def build_url(self, *, folder: Folder | None = None, page: int = 1) -> str:
        """Return the URL of another folder or page with the same search."""
        named = {"folder": self.folder if folder is None else folder, "q": self.text, "page": page if page > 1 else ""}
        query = urlencode({name: value for name, value in named.items() if value})
        return f"{reverse('reports')}?{query}" if query else reverse("reports")

    def _count(self, folder: Folder) -> int:
        return sum(self._is_in(each, folder) for each in self.reports)

    def _is_in(self, stored: StoredReport, folder: Folder) -> bool:
        is_mine = stored.report.owner_id == stored.user.pk
        return {
            Folder.ALL: True,
            Folder.FAVOURITES: stored.report.pk in self.favourites,
            Folder.MINE: is_mine and not stored.is_delivered,
            Folder.SHARED: not is_mine and not stored.is_delivered,
            Folder.DELIVERED: stored.is_delivered,
        }[folder]

    def _has_words(self, stored: StoredReport) -> bool:
        report = stored.report
        text = f"{report.name} {report.description} {report.report_type.name} {report.owner}".casefold()
        return all(word in text for word in self.text.casefold().split())


def build_gallery(*, reports: list[StoredReport], folder: str, text: str, number: str) -> Gallery:
    """Return a page of the gallery. An unknown folder is all reports."""
    favourites = list_favourite_keys(reports[0].user) if reports else set()
    return Gallery(
        reports=reports,
        folder=Folder(folder) if folder in Folder.values else Folder.ALL,
        text=text.strip()[:_LONGEST_SEARCH],
        number=number,
        favourites=favourites,
    )
