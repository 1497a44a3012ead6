"""The worker dies before and after each thing that others can see; each row is written once all the same."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.test import Client

from ctms.audit.models import AuditEntry
from ctms.clinical.models import Study
from ctms.core.clock import get_now
from ctms.jobs import tasks
from ctms.jobs.choices import RunState
from ctms.jobs.models import JobRun, Lease
from ctms.jobs.services import dispatch_due, execute_run
from ctms.records import runs
from ctms.records.models import BulkOperation
from tests.factories.accounts import UserFactory
from tests.records.bulk_steps import confirm, upload
from tests.reliability.mortality import Mortal

pytestmark = pytest.mark.django_db(transaction=True)

STUDY = "study__v"
ROWS = 5
FEWEST_STEPS = {"valid": 14, "all": 10}


@pytest.fixture
def messages(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Messages to workers, from those who did not die."""
    sent: list[int] = []
    monkeypatch.setattr(tasks.execute_job_run, "delay", sent.append)
    return sent


def confirm_import(client: Client, *, prefix: str, mode: str) -> BulkOperation:
    content = "Study number\n" + "".join(f"{prefix}-{number}\n" for number in range(ROWS))
    operation = upload(client, STUDY, content, key="name__v")
    confirm(client, operation, mode=mode)
    return operation


def heal(messages: list[int]) -> None:
    """What happens by itself: the message comes again; the lease of the dead runs out, and a tick comes."""
    long_ago = get_now() - timedelta(days=1)
    Lease.objects.exclude(run=None).update(expires_at=long_ago)
    JobRun.objects.filter(state=RunState.QUEUED).update(queued_at=long_ago)
    dispatch_due()
    while messages:
        execute_run(messages.pop(0))


@pytest.mark.parametrize("mode", FEWEST_STEPS)
def test_wherever_the_worker_dies_each_row_is_written_once(
    client: Client, messages: list[int], monkeypatch: pytest.MonkeyPatch, mode: str
) -> None:
    monkeypatch.setattr(runs, "BATCH_ROWS", 2)
    client.force_login(UserFactory.create(is_superuser=True))
    life = 0
    has_died = True
    while has_died:
        life += 1
        operation = confirm_import(client, prefix=f"L{life}", mode=mode)
        worker = Mortal(dies_at=life)
        with worker.live():
            execute_run(messages[0])
        has_died = len(worker.steps) == life
        heal(messages)

        operation.refresh_from_db()
        step = worker.steps[-1]
        assert (operation.state, operation.done, operation.counts) == ("done", ROWS, {"created": ROWS}), step
        written = Study.objects.filter(name__startswith=f"L{life}-")
        created = AuditEntry.objects.filter(record_name__startswith=f"L{life}-", action="created")
        ended = AuditEntry.objects.filter(reference=f"import {operation.uid}", action="event")
        assert (written.count(), created.count(), ended.count()) == (ROWS, ROWS, 1), step
    assert life > FEWEST_STEPS[mode]
