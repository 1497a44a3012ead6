"""A reconciliation reads a page for every 2,000 rows, and its statements grow with pages, not with rows."""

from __future__ import annotations

import pytest
from django.db import connection as database
from django.test.utils import CaptureQueriesContext

from crm_sync.models import Reconciliation
from tests.crm_sync.reconciliation.conftest import Reconcile
from tests.crm_sync.world import World
from tests.factories.bulk import create_activities, create_people

pytestmark = [pytest.mark.django_db, pytest.mark.both_databases]


def reconcile_counted(world: World, reconcile: Reconcile) -> tuple[Reconciliation, int]:
    with CaptureQueriesContext(database) as captured:
        found = reconcile(world)
    return found, len(captured)


def test_reads_and_statements_grow_with_pages(world: World, reconcile: Reconcile) -> None:
    people = create_people(20)
    accounts = world.add_accounts(people)
    measured = {}
    for count in (200, 2000):
        create_activities(count, people=people)
        world.add_calls(accounts * (count // 20))
        world.transfer()
        measured[count] = reconcile_counted(world, reconcile)

    (few, few_statements), (many, many_statements) = measured[200], measured[2000]
    assert (few.unexplained, many.unexplained) == (0, 0)
    # The log-in, studies, sites, the persons' accounts, and one page of activities and calls each; then two of each.
    # Then the list of objects and five descriptions.
    assert (few.api_calls, many.api_calls) == (12, 14)
    assert many_statements - few_statements <= 40
