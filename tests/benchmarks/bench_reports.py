"""P13: a report over a million activities by study and month, compared with the bare SQL of the same answer.

The bare statement has what the report has: each study's months, the subtotal of each study and the total, in the order
of names. For a user who is assigned to two studies, it has the condition by which that user sees activities.
"""

from __future__ import annotations

import datetime as dt
import statistics
import time
from collections.abc import Callable
from typing import Any

import pytest
from django.db import connection

from ctms.accounts.models import User
from ctms.reports.engine.summaries import read_summary
from ctms.reports.outputs.files import FileFormat, write_file
from tests.benchmarks.million import assign, create_world, grow_to
from tests.factories.base import get_admin_user
from tests.reports.engine.test_engine import ask, create_reader

pytestmark = [pytest.mark.postgresql, pytest.mark.django_db(transaction=True)]
ROWS, ROUNDS, PAGE = 1_000_000, 9, 50
REPORT: dict[str, Any] = {"groups": [{"column": "study__v"}, {"column": "date__v", "period": "month"}]}

_BARE = """
SELECT study.name, date_trunc('month', activity.date) AS month, count(*)
FROM activities_activity AS activity LEFT JOIN clinical_study AS study ON study.id = activity.study_id
{where}
GROUP BY GROUPING SETS ((study.id, study.name, month), (study.id, study.name), ())
ORDER BY study.name NULLS LAST, month NULLS LAST
"""
_SEEN = """
WHERE activity.study_id = ANY(%(studies)s) OR (activity.study_id IS NULL AND (
    activity.created_by_id = %(user)s OR activity.object_type = 'medical_activity__v'
))
"""


def measure(*, user: User, studies: list[int], size: int, as_file: bool = False) -> tuple[float, float]:
    """Return the median seconds of the report and of the bare statement, taken in turn."""
    where = _SEEN if studies else ""
    seconds: tuple[list[float], list[float]] = ([], [])
    for turn in range(ROUNDS + 1):
        begun = time.perf_counter()
        counted = run_report(user, size=size, as_file=as_file)
        between = time.perf_counter()
        with connection.cursor() as cursor:
            cursor.execute(_BARE.format(where=where), {"studies": studies, "user": user.pk})
            rows = cursor.fetchall()
        end = time.perf_counter()
        assert counted == max(row[2] for row in rows)
        if turn:  # the first fills caches
            seconds[0].append(between - begun)
            seconds[1].append(end - between)
    return statistics.median(seconds[0]), statistics.median(seconds[1])


def run_report(user: User, *, size: int, as_file: bool) -> int:
    """Run the report and return what it counts in all; -1 for a file, whose lines nobody reads here."""
    opened = ask(user, **REPORT)
    if not as_file:
        return int(str(read_summary(opened, size=size).total.figures[0].value))
    with write_file(opened, file_format=FileFormat.CSV, zone=dt.UTC).content as file:
        return int(file.read().decode().splitlines()[-1].rpartition(",")[2])


@pytest.mark.timeout(1800)
def bench_a_report_over_a_million_activities(report_figure: Callable[..., None]) -> None:
    assert connection.vendor == "postgresql"
    create_world()
    grow_to(ROWS)
    reader = create_reader()
    assign(reader, last=2, but=1)
    own = list(reader.study_assignments.values_list("study_id", flat=True))
    for what, user, studies, as_file in (
        ("page", get_admin_user(), [], False),
        ("CSV file", get_admin_user(), [], True),
        ("page, a user of two studies", reader, own, False),
    ):
        report, bare = measure(user=user, studies=studies, size=PAGE, as_file=as_file)
        report_figure(
            row="P13",
            what=f"{what}, {ROWS:,} activities: {report * 1000:.0f} ms, {bare * 1000:.0f} ms",
            figure=f"{report / bare:.2f}",
            bar="<= 3",
        )
