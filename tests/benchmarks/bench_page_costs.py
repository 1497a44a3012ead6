"""P12: compares the processor time of pages with that of bare views of the same statements and texts, on PostgreSQL."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client, override_settings
from django.urls import reverse

from activities.models import Activity
from ctms.accounts.models import User
from ctms.clinical.models import StudySite
from ctms.core.clock import get_now
from tests.benchmarks.bare_pages import BARE, RECORDED, Browser, keep_connection, measure_processor_time
from tests.benchmarks.million import assign, create_world, grow_to
from tests.factories.accounts import UserFactory
from tests.factories.activities import ActivityFactory

pytestmark = [pytest.mark.postgresql, pytest.mark.django_db(transaction=True)]
ROWS, SITES, TIMES = 1_000, 20, 40
LIST = "/records/crm_activity__v/"


def list_pages(user: User) -> dict[str, str]:
    """Return the addresses of the pages by what they are."""
    activity = Activity.objects.filter(site__isnull=False).order_by("-pk")[0]
    for days in range(-4, 4):
        ActivityFactory.create(
            study=activity.study, complete=False, created_by=user, date=get_now().date() + dt.timedelta(days=days)
        )
    return {
        "list of 50 rows": LIST,
        "record page of an activity": f"{LIST}{activity.uid}/",
        "record page of a site": f"/records/site__v/{StudySite.objects.get(activities=activity).uid}/",
        "home": reverse("home"),
    }


@pytest.mark.timeout(600)
@override_settings(ROOT_URLCONF="tests.benchmarks.bare_pages")
def bench_page_costs(client: Client, report_figure: Callable[..., None]) -> None:
    user = UserFactory.create(is_superuser=True)
    client.force_login(user)
    create_world(studies=3, sites=SITES)
    grow_to(ROWS, sites=SITES)
    assign(user, last=2)
    pages = list_pages(user)
    with keep_connection():
        compare_pages(Browser(client), pages, report_figure)


def compare_pages(browser: Browser, pages: dict[str, str], report_figure: Callable[..., None]) -> None:
    """Report what each page costs beside its bare view, and an empty page beside the log-in page."""
    for url in pages.values():
        browser.get(url)
        browser.get(RECORDED + url)
    for what, url in pages.items():
        taken = measure_processor_time(browser, [url, BARE + url], times=TIMES)
        _report(report_figure, what=what, page=taken[url], bare=taken[BARE + url], bar=1.6)
    empty, login = reverse("search"), reverse("login")
    page = measure_processor_time(browser, [empty], times=TIMES)[empty]
    bare = measure_processor_time(Browser(Client()), [login], times=TIMES)[login]
    _report(report_figure, what="frame around an empty page, to the log-in page", page=page, bare=bare, bar=3)


def _report(report_figure: Callable[..., None], *, what: str, page: float, bare: float, bar: Any) -> None:
    report_figure(row="P12", what=f"{what}: {page:.1f} ms, {bare:.1f} ms", figure=f"{page / bare:.2f}", bar=f"<= {bar}")
