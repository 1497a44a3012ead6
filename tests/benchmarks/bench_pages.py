"""P5: compares pages over a million activities with the same pages over a thousand, on PostgreSQL."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable

import pytest
from django.db import connection
from django.test import Client

from activities.models import Activity
from tests.benchmarks.million import FREQUENT, OCCASIONAL, RARE, create_world, grow_to
from tests.factories.accounts import UserFactory

pytestmark = [pytest.mark.postgresql, pytest.mark.django_db(transaction=True)]
FEW_ROWS, MANY_ROWS = 1_000, 1_000_000
ROUNDS, TIMES = 7, 30
LIST = "/records/crm_activity__v/"


def list_pages() -> dict[str, str]:
    """Return the addresses of the pages by what is measured."""
    activity = Activity.objects.order_by("-pk")[0]
    return {
        "list, first page": LIST,
        "list, last page": f"{LIST}?cursor=last",
        "list of a study": f"{LIST}?study__v={activity.study.uid if activity.study else ''}",
        "record page": f"{LIST}{activity.uid}/",
        "search, frequent word": f"{LIST}?q={FREQUENT}",
        "search, occasional word": f"{LIST}?q={OCCASIONAL}",
        "search, rare word": f"{LIST}?q={RARE}",
    }


def measure_pages(client: Client) -> dict[str, float]:
    """Return, by what is measured, the seconds in which 95 of 100 requests are answered.

    Takes the median of several rounds over all pages, so that a busy moment of the machine does not matter.
    """
    pages = list_pages()
    rounds: dict[str, list[float]] = {what: [] for what in pages}
    for _ in range(ROUNDS):
        for what, url in pages.items():
            rounds[what].append(measure_p95(client, url))
    return {what: statistics.median(figures) for what, figures in rounds.items()}


def measure_p95(client: Client, url: str) -> float:
    seconds = []
    for number in range(TIMES + 3):
        begun = time.perf_counter()
        assert client.get(url).status_code == 200
        if number >= 3:  # the first requests fill caches
            seconds.append(time.perf_counter() - begun)
    return statistics.quantiles(seconds, n=20)[-1]


@pytest.mark.timeout(1800)
def bench_pages_over_a_million_activities(client: Client, report_figure: Callable[..., None]) -> None:
    assert connection.vendor == "postgresql"
    client.force_login(UserFactory.create(is_superuser=True))
    create_world()
    grow_to(FEW_ROWS)
    few = measure_pages(client)
    grow_to(MANY_ROWS)
    for what, many in measure_pages(client).items():
        report_figure(
            row="P5",
            what=f"{what}, p95: {few[what] * 1000:.0f} ms, {many * 1000:.0f} ms",
            figure=f"{many / few[what]:.2f}",
            bar="<= 1.3",
        )
