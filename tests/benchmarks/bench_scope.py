"""S1: compares the list of activities for users of 1, 4 and 500 studies with that of an admin, on PostgreSQL."""

from __future__ import annotations

import os
import statistics
import time
from collections.abc import Callable

import pytest
from django.db import connection
from django.test import Client

from tests.benchmarks.million import assign, create_world, grow_to
from tests.factories.accounts import SecurityProfileFactory, UserFactory
from tests.record_rows import OBJECTS

pytestmark = [pytest.mark.postgresql, pytest.mark.django_db(transaction=True)]
ROWS = int(os.environ.get("SCOPE_ROWS", "1000000"))
STUDIES, SITES_OF_A_STUDY = 600, 2
NUMBERS = (1, 4, 500)
ROUNDS, TIMES = 5, 10
PAGES = {
    "list of activities": "/records/crm_activity__v/",
    "last page of activities": "/records/crm_activity__v/?cursor=last",
    "list of persons": "/records/person__sys/",
    "list of sites": "/records/site__v/",
    "search": "/search/?q=zoledronate",
}
# The bar holds for the list of activities; the others are printed to be looked at.
BARS = {"list of activities": "<= 1.3"}


@pytest.mark.timeout(3600)
def bench_lists_of_users_who_see_some_studies(report_figure: Callable[..., None]) -> None:
    assert connection.vendor == "postgresql"
    create_world(studies=STUDIES, sites=SITES_OF_A_STUDY)
    grow_to(ROWS, sites=SITES_OF_A_STUDY)
    profile = SecurityProfileFactory.create(permissions=[f"{name}:read" for name in OBJECTS])
    clients = {"admin": Client(), **{f"{number} studies": Client() for number in NUMBERS}}
    clients["admin"].force_login(UserFactory.create(is_superuser=True))
    for number in NUMBERS:
        user = UserFactory.create(security_profile=profile)
        assign(user, last=number, but=1)
        clients[f"{number} studies"].force_login(user)
    for page, url in PAGES.items():
        figures: dict[str, list[float]] = {who: [] for who in clients}
        for _ in range(ROUNDS):
            for who, client in clients.items():
                figures[who].append(measure(client, url))
        medians = {who: statistics.median(each) for who, each in figures.items()}
        for who in list(clients)[1:]:
            report_figure(
                row="S1",
                what=f"{page}, {who}: {medians['admin'] * 1000:.0f} ms, {medians[who] * 1000:.0f} ms",
                figure=f"{medians[who] / medians['admin']:.2f}",
                bar=BARS.get(page, "-"),
            )


def measure(client: Client, url: str) -> float:
    """Return the median of the seconds in which a page is answered."""
    seconds = []
    for number in range(TIMES + 2):
        begun = time.perf_counter()
        assert client.get(url).status_code == 200
        if number >= 2:  # the first requests fill caches
            seconds.append(time.perf_counter() - begun)
    return statistics.median(seconds)
