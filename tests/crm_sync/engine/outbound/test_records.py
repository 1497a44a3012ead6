"""Records to send are the same rows, whether they are read as tuples or as instances."""

from __future__ import annotations

from array import array

import pytest
from django.db import connection as database
from django.test.utils import CaptureQueriesContext

from activities.models import Activity
from connections.choices import IntegrationKind
from crm_sync.engine.outbound import records
from crm_sync.engine.outbound.records import read_records
from crm_sync.engine.rules.compiled import CompiledIntegration
from crm_sync.engine.rules.compiling import compile_integration
from tests.crm_sync.world import World
from tests.factories.bulk import create_activities, create_people

pytestmark = [pytest.mark.django_db, pytest.mark.both_databases]


@pytest.fixture
def plan(world: World) -> CompiledIntegration:
    people = create_people(2)
    world.add_accounts(people)
    create_activities(3, people=people)
    world.transfer()
    return compile_integration(integration=world.connection.integrations.get(kind=IntegrationKind.CALL_OUTBOUND))


def test_tuples_and_instances_make_the_same_records(plan: CompiledIntegration, monkeypatch: pytest.MonkeyPatch) -> None:
    keys = array("q", Activity.objects.order_by("pk").values_list("pk", flat=True))
    (tuples,) = read_records(plan=plan, keys=keys)
    monkeypatch.setattr(records, "_needs_instances", lambda _plan: True)
    (instances,) = read_records(plan=plan, keys=keys)

    assert tuples == instances
    assert [record.link_crm_id for record in tuples] != [None] * 3
    assert all(record.remembered_account for record in tuples)


def test_a_thousand_records_take_one_statement(plan: CompiledIntegration, monkeypatch: pytest.MonkeyPatch) -> None:
    keys = array("q", Activity.objects.order_by("pk").values_list("pk", flat=True))
    monkeypatch.setattr(records, "READ_TOGETHER", 2)
    with CaptureQueriesContext(database) as captured:
        parts = list(read_records(plan=plan, keys=keys))
    assert [len(part) for part in parts] == [2, 1]
    assert len(captured) == 2
