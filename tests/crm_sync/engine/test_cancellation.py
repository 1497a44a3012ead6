"""A transfer that is cancelled writes down what the CRM has confirmed, and the next one sends the rest, once."""

from __future__ import annotations

from typing import Any

import pytest

from connections.choices import IntegrationKind
from connections.models import IntegrationProgress
from crm_sync.choices import IntegrationRunState
from crm_sync.engine.outbound import batches
from crm_sync.engine.outbound import run as outbound_run
from crm_sync.models import IntegrationRun, TransferLink
from ctms.jobs.cancellation import cancel_run
from ctms.jobs.choices import RunState
from ctms.jobs.models import JobRun
from ctms.jobs.services import dispatch_due
from tests.crm_sync.world import World
from tests.factories.activities import ActivityFactory
from tests.factories.base import build_admin_actor
from tests.factories.clinical import PersonFactory

pytestmark = [pytest.mark.django_db, pytest.mark.both_databases]
OUT = IntegrationKind.CALL_OUTBOUND
ACTIVITIES = 17


@pytest.fixture(autouse=True)
def _small_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outbound_run, "BATCH", 1)


def cancel_at_link(monkeypatch: pytest.MonkeyPatch, number: int) -> None:
    """Cancel the run when the links of the n-th batch are about to be written."""
    written: list[int] = []
    original = batches.write_links

    def write_links(session: Any, links: Any, **counted: Any) -> None:
        if session.integration.kind == OUT and links:
            written.append(len(links))
            if len(written) == number:
                cancel_run(run=JobRun.objects.get(state=RunState.RUNNING), actor=build_admin_actor())
        original(session, links, **counted)

    monkeypatch.setattr(outbound_run, "write_links", write_links)


@pytest.mark.every_dialect
def test_a_cancelled_transfer_keeps_what_is_confirmed_and_the_next_sends_the_rest_once(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    person = PersonFactory.create()
    world.add_accounts([person])
    for _ in range(ACTIVITIES):
        ActivityFactory.create(person=person)
    with monkeypatch.context() as patched:
        cancel_at_link(patched, 2)
        run = world.transfer()
    run.refresh_from_db()
    sent = len(world.list_interactions())
    assert run.state == RunState.CANCELLED
    assert run.message.startswith(f"{build_admin_actor().user} cancelled it at ")
    assert "Then the run was cancelled." in run.log
    part = IntegrationRun.objects.get(run=run, integration__kind=OUT)
    assert (part.state, part.finished_at is not None, part.sent) == (IntegrationRunState.INTERRUPTED, True, sent)
    assert 2 <= sent < ACTIVITIES
    assert TransferLink.objects.filter(integration__kind=OUT).exclude(crm_id="").count() == sent
    progress = IntegrationProgress.objects.get(integration__kind=OUT, integration__connection=world.connection)
    assert (progress.last_successful_run_at, progress.outcome_unknown) == (None, True)
    assert dispatch_due().taken_over == 0
    assert not IntegrationRun.objects.filter(run=run, integration__kind=IntegrationKind.CALL_INBOUND).exists()

    after = world.transfer()
    assert after.state == RunState.SUCCEEDED, after.message
    assert len(world.list_interactions()) == ACTIVITIES
    assert world.count(after, OUT)["created"] == ACTIVITIES - sent
    progress.refresh_from_db()
    assert progress.outcome_unknown is False
