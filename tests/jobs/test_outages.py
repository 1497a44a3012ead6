"""The disk of the database is full, or it takes no writes: the run goes on afterwards, and the log says what to do."""

from __future__ import annotations

import pytest
from django.db import OperationalError, connection

from ctms.jobs.choices import RunState
from ctms.jobs.models import JobRun
from ctms.jobs.registry import RunContext, RunOutcome
from ctms.jobs.services import dispatch_due, execute_run, start_now
from tests.jobs.handlers import CountingJob, let_lease_run_out

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("messages")]


@pytest.mark.parametrize(
    ("begin", "end", "remedy"),
    [
        ("PRAGMA max_page_count = 1", "PRAGMA max_page_count = 1073741823", "The disk of the database is full"),
        ("PRAGMA query_only = ON", "PRAGMA query_only = OFF", "The database file is read-only"),
    ],
)
def test_a_run_that_cannot_write_is_left_for_takeover_with_the_remedy_in_the_log(
    job: CountingJob, caplog: pytest.LogCaptureFixture, begin: str, end: str, remedy: str
) -> None:
    def write(context: RunContext) -> RunOutcome:
        with connection.cursor() as cursor:
            cursor.execute(begin)
            # More than fits into the pages that earlier tests left free.
            cursor.execute("SELECT freelist_count * page_size FROM pragma_freelist_count, pragma_page_size")
            free = cursor.fetchone()[0]
        JobRun.objects.filter(pk=context.run.pk).update(log="x" * (free + 1_000_000))
        raise AssertionError("It was written.")

    job.act = write
    (run, other) = start_now(definition=job.deliver(), user=None)
    try:
        with pytest.raises(OperationalError):
            execute_run(run.pk)
    finally:
        with connection.cursor() as cursor:
            cursor.execute(end)
    assert "job_run_left_for_takeover" in caplog.text
    assert remedy in caplog.text

    let_lease_run_out(run.pk)
    assert dispatch_due().taken_over == 1
    job.act = None
    for queued in JobRun.objects.filter(state=RunState.QUEUED).exclude(pk=other.pk):
        execute_run(queued.pk)
    states = JobRun.objects.filter(unit_key="north").order_by("pk").values_list("state", flat=True)
    assert list(states) == [RunState.INTERRUPTED, RunState.SUCCEEDED]
