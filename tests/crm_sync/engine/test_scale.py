"""SQL statements and API calls grow with the number of batches, not of rows."""

from __future__ import annotations

import math
from typing import Any

import pytest
from django.db import connection as database
from django.test.utils import CaptureQueriesContext

from activities.models import Activity
from connections.choices import IntegrationKind
from connections.models import IntegrationProgress
from crm_sync.models import IntegrationRun
from ctms.audit.services import save_record, update_records
from ctms.core.choices import RecordStatus
from ctms.jobs.models import JobRun
from tests.crm_sync.world import World
from tests.factories.base import build_admin_actor
from tests.factories.bulk import create_activities, create_people

pytestmark = [pytest.mark.django_db, pytest.mark.both_databases]
OUT = IntegrationKind.CALL_OUTBOUND
BATCH = 200
# Statements for each batch of 200: one read; BEGIN, lease, links, attempts and COMMIT.
MOST_STATEMENTS_PER_BATCH = 6


def transfer_counted(world: World) -> tuple[JobRun, int]:
    with CaptureQueriesContext(database) as captured:
        run = world.transfer()
    return run, len(captured)


@pytest.fixture
def only_activities(world: World) -> World:
    """Switch the other integrations off, so that only one makes calls and statements."""
    for integration in world.connection.integrations.exclude(kind=OUT):
        integration.status = RecordStatus.INACTIVE
        save_record(record=integration, actor=build_admin_actor())
    return world


@pytest.mark.django_db(transaction=True)
def test_statements_grow_with_batches_and_calls_are_the_fewest_possible(only_activities: World) -> None:
    world = only_activities
    people = {count: create_people(count, prefix=f"P{count}") for count in (200, 2000)}
    for each in people.values():
        world.add_accounts(each)
    world.transfer()  # looks at everything, as a first run does
    world.transfer()  # reads the accounts, which are new
    measured: dict[int, int] = {}
    for count in (200, 2000):
        create_activities(count, people=people[count])
        world.crm.request_log.clear()

        run, measured[count] = transfer_counted(world)

        part = IntegrationRun.objects.get(run=run, integration__kind=OUT)
        assert (part.created, part.failed) == (count, 0)
        batches = math.ceil(count / BATCH)
        assert world.crm.request_log.count(method="PATCH") == batches
        # The accounts are looked up once. Those of the last minutes are read again, 2,200 in two pages.
        assert world.crm.request_log.count(path_contains="/query") == batches + 2

    growth = (measured[2000] - measured[200]) / ((2000 - 200) / BATCH)
    assert growth <= MOST_STATEMENTS_PER_BATCH, measured


@pytest.mark.django_db(transaction=True)
def test_a_run_without_changes_takes_as_many_statements_for_2000_records_as_for_200(only_activities: World) -> None:
    world = only_activities
    people = create_people(20)
    world.add_accounts(people)
    measured = []
    for count in (200, 1800):
        create_activities(count, people=people)
        world.transfer()
        world.crm.request_log.clear()
        run, statements = transfer_counted(world)
        measured.append(statements)
        assert world.count(run, OUT) == {}
        assert world.crm.request_log.count(method="PATCH") == 0
        # The one call asks for accounts that changed.
        assert IntegrationRun.objects.get(run=run, integration__kind=OUT).api_calls == 1

    assert measured[0] == measured[1]


@pytest.mark.django_db(transaction=True)
def test_where_every_record_is_looked_at_none_is_read_that_the_crm_has_as_it_is(only_activities: World) -> None:
    world = only_activities
    people = create_people(20)
    world.add_accounts(people)
    measured = []
    for count in (200, 1800):
        create_activities(count, people=people)
        world.transfer()
        IntegrationProgress.objects.update(bookmark="")  # as after a restore of the database
        run, statements = transfer_counted(world)
        measured.append(statements)
        present = Activity.objects.count()
        assert world.count(run, OUT) == {"selected": present, "unchanged": present}

    assert measured[0] == measured[1]


@pytest.mark.django_db(transaction=True)
def test_updates_go_by_batches_too(only_activities: World, settings: Any) -> None:

    world = only_activities
    people = create_people(10)
    world.add_accounts(people)
    create_activities(450, people=people)
    world.transfer()
    changed = list(Activity.objects.all()[:401])
    for activity in changed:
        activity.subject = f"{activity.subject}, corrected"
    update_records(records=changed, actor=build_admin_actor())
    world.crm.request_log.clear()

    run = world.transfer()

    assert world.count(run, OUT) == {"selected": 401, "sent": 401, "updated": 401}
    assert world.crm.request_log.count(method="PATCH") == 3


@pytest.mark.django_db(transaction=True)
def test_calls_are_received_in_statements_that_grow_with_thousands(world: World) -> None:
    accounts = world.add_accounts(create_people(50))
    measured = {}
    for count in (200, 2000):
        world.add_calls(accounts * (count // 50))
        _, measured[count] = transfer_counted(world)

    # The second run reads the first 200 again (one chunk more) and writes 2,000 in two.
    assert measured[2000] - measured[200] <= 30, measured
