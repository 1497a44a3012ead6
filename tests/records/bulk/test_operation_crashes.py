"""A worker that dies before or after any visible effect: each row is still written exactly once."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.test import Client

from ctms.audit.models import AuditEntry
from ctms.clinical.models import Study
from ctms.core.clock import get_now
from ctms.jobs import queue
from ctms.jobs.choices import RunState
from ctms.jobs.models import JobRun
from ctms.jobs.services import dispatch_due, execute_run
from ctms.records.bulk import runner
from ctms.records.models import BulkOperation
from tests.factories.accounts import UserFactory
from tests.jobs.handlers import let_leases_run_out
from tests.records.bulk.steps import confirm, upload
from tests.reliability.mortality import Mortal

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.both_databases, pytest.mark.system]

STUDY = "study__v"
ROWS = 5
FEWEST_STEPS = {"valid": 14, "all": 10}


@pytest.fixture
def messages(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The messages to workers that were sent before a process died."""
    sent: list[int] = []
    monkeypatch.setattr(queue, "send_message", sent.append)
    return sent


def confirm_import(client: Client, *, prefix: str, mode: str) -> BulkOperation:
    content = "Study number\n" + "".join(f"{prefix}-{number}\n" for number in range(ROWS))
    operation = upload(client, STUDY, content, key="name__v")
    confirm(client, operation, mode=mode)
    return operation


def heal(messages: list[int]) -> None:
    """Let the system recover: redeliver the message, let the dead worker's lease run out, and run a tick."""
    long_ago = get_now() - timedelta(days=1)
    let_leases_run_out()
    JobRun.objects.filter(state=RunState.QUEUED).update(queued_at=long_ago)
    dispatch_due()
    while messages:
        execute_run(messages.pop(0))


@pytest.mark.parametrize("mode", FEWEST_STEPS)
def test_wherever_the_worker_dies_each_row_is_written_once(
    client: Client, messages: list[int], monkeypatch: pytest.MonkeyPatch, mode: str
) -> None:
    monkeypatch.setattr(runner, "BATCH_ROWS", 2)
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
