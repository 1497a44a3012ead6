"""A reconciliation as a worker runs it, and what it said."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from crm_sync.actions.repair_now import repair_links
from crm_sync.jobs import RECONCILIATION_JOB_KEY, build_unit
from crm_sync.models import Difference, Reconciliation
from crm_sync.reconciliation.selectors import get_latest_reconciliation
from ctms.jobs.models import JobDefinition
from ctms.jobs.services import create_run, execute_run
from tests.crm_sync.world import World
from tests.factories.base import build_admin_actor

Reconcile = Callable[[World], Reconciliation]


@pytest.fixture
def reconcile() -> Reconcile:
    return reconcile_world


def reconcile_world(world: World) -> Reconciliation:
    """Run a reconciliation that compares every integration, and return it."""
    definition = JobDefinition.objects.get(key=RECONCILIATION_JOB_KEY)
    queued = create_run(definition=definition, unit=build_unit(world.connection), user=None)
    finished = execute_run(queued.pk)
    found = get_latest_reconciliation(world.connection)
    assert finished is not None
    assert found is not None, finished.message
    assert found.run == finished, finished.message
    assert found.errors == {}
    return found


def list_words(found: Reconciliation) -> dict[str, str]:
    """Return the words of the differences by the UID of the record here, or by CRM id."""
    return {str(each.record_uid or each.crm_id): each.word for each in found.differences.all()}


def repair_all(world: World, found: Reconciliation) -> None:
    """Repair every difference, and run the transfer that does it."""
    repair_links(
        connection=world.connection,
        differences=Difference.objects.filter(reconciliation=found),
        actor=build_admin_actor(),
    )
    world.transfer()
