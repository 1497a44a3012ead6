"""What operations cost: the job pages at 100,000 runs, Housekeeping of them, and what a year adds to each table.

`python -m tests.servers python -m pytest -s -p no:randomly -o python_files='bench_*.py' -o python_functions='bench_*'
tests/benchmarks/bench_operations.py` prints the table of docs/sizing.md.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from django.db import connection
from django.test import Client

from activities.models import Activity
from crm_sync.models import IntegrationRun, TransferAttempt, TransferLink
from ctms.accounts.models import PageView
from ctms.audit.models import AuditEntry, AuditSeal
from ctms.audit.sealing import seal_entries
from ctms.core.choices import RecordStatus
from ctms.core.clock import get_now
from ctms.jobs.choices import RunState
from ctms.jobs.models import JobClock, JobDefinition, JobRun
from ctms.jobs.services import set_job_status
from ctms.reports.choices import MailState
from ctms.reports.models import DigestMail
from tests.admin_forms import log_in_admin
from tests.admin_rows import create_exception_item, create_exception_message
from tests.benchmarks.bench_pages import measure_p95
from tests.benchmarks.bench_transfer import build_bench_world, transfer
from tests.factories.base import build_admin_actor, get_admin_user
from tests.factories.bulk import create_activities
from tests.housekeeping import keep_house

if TYPE_CHECKING:
    from django.db.models import Model

    from tests.benchmarks.conftest import StartSandbox

pytestmark = [pytest.mark.postgresql, pytest.mark.django_db(transaction=True), pytest.mark.timeout(1800)]

RUNS = 100_000
_FILL = """
INSERT INTO jobs_jobrun (definition_id, unit_key, unit_label, slot, attempt, trigger, state, queued_at, started_at,
    finished_at, result, message, log)
SELECT d.id, 'unit-' || n %% 10, 'Connection ' || n %% 10, t, 1, 'schedule',
    CASE WHEN n %% 50 = 0 THEN 'failed' ELSE 'succeeded' END, t, t, t + interval '3 seconds',
    '{"crm_call_outbound__v": {"selected": 12, "sent": 10, "failed": 2, "api_calls": 3}}', '10 sent, 2 failed.', ''
FROM generate_series(1, %(count)s) AS n
CROSS JOIN LATERAL (SELECT now() - (%(count)s - n) * interval '5 minutes' AS t) AS at
JOIN (SELECT id, row_number() OVER (ORDER BY id) - 1 AS place, count(*) OVER () AS number FROM jobs_jobdefinition) AS d
    ON d.place = n %% (d.number - 1)  -- the last one never ran
ORDER BY n
"""
_BAR_SECONDS = 0.1


def fill_runs(count: int) -> None:
    """Add runs of all jobs but one, over ten units each and about a year; make every job Active and long expected."""
    with connection.cursor() as cursor:
        cursor.execute(_FILL, {"count": count})
        cursor.execute("ANALYZE jobs_jobrun")
    for definition in JobDefinition.objects.exclude(status=RecordStatus.ACTIVE):
        set_job_status(key=definition.key, status=RecordStatus.ACTIVE, actor=build_admin_actor())
    JobClock.objects.update(counted_from=get_now() - timedelta(days=400), counted_after=0)


def bench_job_pages_at_many_runs(client: Client, report_figure: Callable[..., None]) -> None:
    log_in_admin(client)
    fill_runs(RUNS)
    for name, url in (
        ("Job Definitions", "/admin/jobs/jobdefinition/"),
        ("Job Status: History", "/admin/jobs/jobrun/"),
        ("Job Status: Running", "/admin/jobs/jobrun/running/"),
        ("Job Status: Scheduled", "/admin/jobs/jobrun/scheduled/"),
        ("Kept rows", "/admin/jobs/jobdefinition/kept-rows/"),
    ):
        seconds = measure_p95(client, url)
        report_figure(
            row="operations",
            what=f"{name} at {RUNS:,} runs, p95",
            figure=f"{seconds * 1000:.0f} ms",
            bar=f"<= {_BAR_SECONDS * 1000:.0f} ms",
        )


def bench_housekeeping_of_many_runs(report_figure: Callable[..., None], settings: Any) -> None:
    settings.JOB_RUN_RETENTION_DAYS = 35
    fill_runs(RUNS)
    begun = time.perf_counter()
    run = keep_house()
    seconds = time.perf_counter() - begun
    assert run.state == RunState.SUCCEEDED
    deleted = run.result["job_runs"]["deleted"]
    report_figure(
        row="operations",
        what=f"Housekeeping deletes {deleted:,} of {RUNS:,} runs in {seconds:.0f} s",
        figure=f"{deleted / seconds:,.0f} rows/s",
        bar="for information",
    )


# -- Sizing: rows of a year × measured bytes ------------------------------------------------------
ACTIVITIES = 5_000
USERS, CONNECTIONS, WORK_DAYS, HOURS = 200, 10, 230, 365 * 24
ACTIVITIES_OF_A_YEAR = USERS * 50 * 12
# Each is created, and edited once in two; each version is written to the trail and sent once.
_VERSIONS = ACTIVITIES_OF_A_YEAR * 3 // 2
YEAR: dict[type[Model], tuple[int, str]] = {
    Activity: (ACTIVITIES_OF_A_YEAR, "50 a user and month"),
    AuditEntry: (_VERSIONS, "each creation, and an edit of every other"),
    AuditSeal: (_VERSIONS, "one for each entry"),
    TransferLink: (ACTIVITIES_OF_A_YEAR, "one for each activity"),
    TransferAttempt: (_VERSIONS, "one for each version that was sent"),
    JobRun: (CONNECTIONS * HOURS + 3 * HOURS, "hourly for each connection, and three more jobs"),
    IntegrationRun: (CONNECTIONS * HOURS * 3, "three integrations for each run"),
    DigestMail: (USERS * WORK_DAYS, "one a user and working day"),
    PageView: (USERS // 10 * 100 * WORK_DAYS, "100 a day of one user in ten, whose profile notes them"),
}


def bench_bytes_of_a_year(start_sandbox: StartSandbox, report_figure: Callable[..., None]) -> None:
    """Write real rows of each kind, ask the database for their bytes with indexes, and multiply."""
    with start_sandbox() as sandbox:
        world, people = build_bench_world(sandbox, people=500)
        create_activities(ACTIVITIES, people=people, subject="Call about enrolment and open queries", notes="N" * 200)
        transfer(world, expected=ACTIVITIES)
    seal_entries()
    _write_bookkeeping()
    lines, total = [], 0.0
    with connection.cursor() as cursor:
        for model, (rows, why) in YEAR.items():
            table = model._meta.db_table
            cursor.execute(f'VACUUM (FULL, ANALYZE) "{table}"')  # other tests deleted rows of it
            cursor.execute("SELECT pg_total_relation_size(%s::regclass), pg_indexes_size(%s::regclass)", [table, table])
            size, indexes = cursor.fetchone()
            count = model._base_manager.count()
            assert count >= 1_000, f"{table} has {count} rows: too few to measure"
            megabytes = rows * size / count / 1024 / 1024
            total += megabytes
            lines.append(
                f"| {model._meta.verbose_name} | {why} | {rows:,} | {size / count:,.0f} | {indexes / count:,.0f} | "
                f"{megabytes:,.0f} |"
            )
    print("\n".join(["", *lines, f"| **all of these** | | | | | **{total:,.0f}** |"]))  # noqa: T201  the table itself
    report_figure(
        row="operations",
        what=f"{USERS} users, {CONNECTIONS} connections: a year of rows with indexes, from {ACTIVITIES:,} real ones",
        figure=f"{total:,.0f} MB",
        bar="for information",
    )


def _write_bookkeeping() -> None:
    """Write rows that no transfer of a moment brings, as the Vault writes them."""
    now, user = get_now(), get_admin_user()
    fill_runs(5_000)
    integration_id = TransferLink.objects.values_list("integration", flat=True).order_by("pk")[0]
    IntegrationRun.objects.bulk_create(
        IntegrationRun(run_id=pk, integration_id=integration_id, started_at=now, finished_at=now)
        for pk in JobRun.objects.filter(integration_runs__isnull=True).values_list("pk", flat=True)
    )
    DigestMail.objects.bulk_create(
        DigestMail(
            user=user, day=now.date() - timedelta(days=day), state=MailState.SENT, rows=7, attempts=1, changed_at=now
        )
        for day in range(5_000)
    )
    PageView.objects.bulk_create(
        PageView(user=user, method="GET", address=f"/records/crm_activity__v/{number:036}/", status=200)
        for number in range(5_000)
    )
    message = create_exception_message()
    for _ in range(20):
        create_exception_item(message=message)
