"""Compares Generate Clinical Activities for 50,000 flagged sources with the same for 5,000, on PostgreSQL."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from django.db import connection

from activities.generator import BATCH
from activities.models import Activity
from ctms.jobs.choices import RunState
from ctms.jobs.models import JobRun
from tests.activities.generation import configure_automation, generate
from tests.benchmarks.bench_transfer import measure_peak
from tests.benchmarks.million import create_world
from tests.factories.base import get_admin_user

pytestmark = [pytest.mark.postgresql, pytest.mark.django_db(transaction=True)]
FEW, MANY = 5_000, 50_000
# How many of ten sources are visits, and communications with a site; the rest are communications of a whole study.
VISITS, OF_SITES = 6, 3

_MEMBERS = """
INSERT INTO clinical_studyperson (
    uid, version, created_at, created_by_id, modified_at, modified_by_id, name, status, object_type, external_id,
    custom_fields, person_id, study_id, site_id, team_role
)
SELECT
    gen_random_uuid(), 1, now(), %(user)s, now(), %(user)s, 'Member ' || person.id, 'active__v', '', NULL, '{}',
    person.id, study.id, NULL, 'study_coordinator__v'
FROM clinical_person AS person CROSS JOIN clinical_study AS study
WHERE person.id %% 10 = 0
"""
_PLACES = """
CREATE TEMPORARY TABLE place AS SELECT row_number() OVER (ORDER BY id) - 1 AS at, id, study_id, study_country_id
FROM clinical_studysite;
CREATE TEMPORARY TABLE contact AS SELECT row_number() OVER (ORDER BY id) - 1 AS at, id FROM clinical_person
WHERE id %% 10 = 0;
"""
_EVENTS = """
INSERT INTO clinical_monitoringevent (
    uid, version, created_at, created_by_id, modified_at, modified_by_id, name, status, object_type, external_id,
    custom_fields, study_id, study_country_id, site_id, lifecycle_state, planned_start, visit_method,
    activity_update_required
)
SELECT
    gen_random_uuid(), 1, now(), %(user)s, now(), %(user)s, 'Visit ' || n, 'active__v', 'interim_monitoring_visit__v',
    NULL, '{}', place.study_id, place.study_country_id, place.id, 'expected_state__v', date '2026-01-01' + n %% 300,
    'on_site__v', true
FROM generate_series(1, %(count)s) AS n JOIN place ON place.at = n %% (SELECT count(*) FROM place)
"""
_LOGS = """
INSERT INTO clinical_studycommunicationlog (
    uid, version, created_at, created_by_id, modified_at, modified_by_id, name, status, object_type, external_id,
    custom_fields, study_id, study_country_id, site_id, date, subject, summary, direction, activity_update_required
)
SELECT
    gen_random_uuid(), 1, now(), %(user)s, now(), %(user)s, 'Call ' || n, 'active__v', 'email__v', NULL, '{}',
    place.study_id, CASE WHEN n <= %(of_sites)s THEN place.study_country_id END,
    CASE WHEN n <= %(of_sites)s THEN place.id END, date '2026-01-01' + n %% 300, 'Call ' || n, '', 'outbound__v', true
FROM generate_series(1, %(count)s) AS n JOIN place ON place.at = n %% (SELECT count(*) FROM place)
"""
_PEOPLE = """
INSERT INTO {table} (
    uid, version, created_at, created_by_id, modified_at, modified_by_id, name, status, object_type, external_id,
    custom_fields, person_id, {source_id} {columns}
)
SELECT
    gen_random_uuid(), 1, now(), %(user)s, now(), %(user)s, 'Person ' || source.id, 'active__v', '', NULL, '{{}}',
    contact.id, source.id {values}
FROM {source} AS source JOIN contact ON contact.at = source.id %% (SELECT count(*) FROM contact)
WHERE source.activity_update_required
"""


def create_flagged(count: int) -> None:
    """Create this many flagged sources with one person each, by statements in the database."""
    visits, of_sites = count * VISITS // 10, count * OF_SITES // 10
    user = {"user": get_admin_user().pk}
    with connection.cursor() as cursor:
        cursor.execute(_PLACES, {})
        cursor.execute(_EVENTS, user | {"count": visits})
        cursor.execute(_LOGS, user | {"count": count - visits, "of_sites": of_sites})
        for table, source, source_id, columns, values in (
            (
                "clinical_monitoringeventparticipant",
                "clinical_monitoringevent",
                "monitoring_event_id",
                ", role",
                ", ''",
            ),
            (
                "clinical_studycommunicationcontact",
                "clinical_studycommunicationlog",
                "communication_id",
                "",
                "",
            ),
        ):
            cursor.execute(
                _PEOPLE.format(table=table, source=source, source_id=source_id, columns=columns, values=values), user
            )
        cursor.execute("DROP TABLE place; DROP TABLE contact")
        cursor.execute("VACUUM ANALYZE")


def flag_all() -> None:
    """Change and flag every source, but not its activities."""
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE clinical_monitoringevent SET activity_update_required = true, visit_method = 'remote_phone__v'"
        )
        cursor.execute(
            "UPDATE clinical_studycommunicationlog SET activity_update_required = true, object_type = 'phone_call__v'"
        )
        cursor.execute("VACUUM ANALYZE")


@contextmanager
def count_statements() -> Iterator[list[int]]:
    """Count statements without keeping them, so that they add nothing to the memory measured."""
    counted = [0]

    def count(execute: Any, *args: Any) -> Any:
        counted[0] += 1
        return execute(*args)

    with connection.execute_wrapper(count):
        yield counted


def measure(*, expected: int) -> tuple[float, int, JobRun]:
    """Run the job and return its seconds, its number of statements and the run."""
    with count_statements() as counted:
        begun = time.perf_counter()
        run = generate()
        seconds = time.perf_counter() - begun
    assert run.state == RunState.SUCCEEDED, run.message
    assert run.message == f"{expected:,} activities written."
    return seconds, counted[0], run


def count_batches(count: int) -> int:
    visits = count * VISITS // 10
    return math.ceil(visits / BATCH) + math.ceil((count - visits) / BATCH)


@pytest.mark.timeout(1800)
def bench_fifty_thousand_flagged_sources(report_figure: Callable[..., None]) -> None:
    assert connection.vendor == "postgresql"
    configure_automation()
    create_world()
    with connection.cursor() as cursor:
        cursor.execute(_MEMBERS, {"user": get_admin_user().pk})
    create_flagged(FEW)
    few_seconds, few_statements, _ = measure(expected=FEW)
    small = measure_peak()
    create_flagged(MANY)
    before = measure_peak()
    many_seconds, many_statements, _ = measure(expected=MANY)
    large = measure_peak()
    assert Activity.objects.filter(is_generated=True).count() == FEW + MANY
    flag_all()
    update_seconds, update_statements, _ = measure(expected=FEW + MANY)

    report_figure(
        row="G1",
        what=f"seconds for each source, {MANY:,} ({many_seconds:.1f} s) ÷ {FEW:,} ({few_seconds:.1f} s)",
        figure=f"{(many_seconds / MANY) / (few_seconds / FEW):.2f}",
        bar="≤ 1.3",
    )
    growth = (many_statements - few_statements) / (count_batches(MANY) - count_batches(FEW))
    report_figure(
        row="G2",
        what=f"statements per batch of {BATCH}, new ({few_statements} and {many_statements} in all)",
        figure=f"{growth:.2f}",
        bar="≤ 20",
    )
    report_figure(
        row="G3",
        what=f"peak memory, {MANY:,} sources ({large} MB) ÷ {FEW:,} ({small} MB; test data took it to {before} MB)",
        figure=f"{large / max(before, small):.2f}",
        bar="≤ 1.2",
    )
    report_figure(
        row="G4",
        what=f"statements per batch of {BATCH}, {FEW + MANY:,} changed sources ({update_seconds:.1f} s)",
        figure=f"{update_statements / count_batches(FEW + MANY):.2f}",
        bar="≤ 20",
    )
