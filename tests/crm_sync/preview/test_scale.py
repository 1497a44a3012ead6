"""SQL statements and API calls of a preview grow with batches of 200, not with records."""

from __future__ import annotations

import pytest
from django.db import connection as database
from django.test.utils import CaptureQueriesContext

from connections.choices import IntegrationKind
from crm_sync.models import TransferPreview
from ctms.audit.services import save_record
from ctms.core.choices import RecordStatus
from tests.crm_sync.preview.conftest import preview_world
from tests.crm_sync.world import World
from tests.factories.base import build_admin_actor
from tests.factories.bulk import create_activities, create_people

pytestmark = [pytest.mark.django_db, pytest.mark.both_databases]
OUT, IN = IntegrationKind.CALL_OUTBOUND, IntegrationKind.CALL_INBOUND
# For each batch of 200: one read of the records; BEGIN, lease, rows and COMMIT.
MOST_STATEMENTS_PER_BATCH = 5


def keep_only(world: World, kind: IntegrationKind) -> None:
    for integration in world.connection.integrations.exclude(kind=kind):
        integration.status = RecordStatus.INACTIVE
        save_record(record=integration, actor=build_admin_actor())


def preview_counted(world: World) -> tuple[TransferPreview, int]:
    with CaptureQueriesContext(database) as captured:
        preview = preview_world(world)
    return preview, len(captured)


@pytest.mark.django_db(transaction=True)
def test_statements_and_calls_of_what_is_sent_grow_with_batches(world: World) -> None:
    keep_only(world, OUT)
    people = create_people(20)
    world.add_accounts(people)
    measured = {}
    for more, total in ((200, 200), (1800, 2000)):
        create_activities(more, people=people)
        preview, measured[total] = preview_counted(world)
        assert preview.counts[OUT]["created"] == preview.rows.count() == total
        # Accounts by identifier, and a call for each batch.
        assert preview.counts[OUT]["api_calls"] == 1 + total // 200
    assert measured[2000] - measured[200] <= MOST_STATEMENTS_PER_BATCH * 9


@pytest.mark.django_db(transaction=True)
def test_statements_of_what_is_received_grow_with_batches(world: World) -> None:
    keep_only(world, IN)
    people = create_people(20)
    accounts = world.add_accounts(people)
    measured = {}
    for more, total in ((200, 200), (1800, 2000)):
        world.add_calls(accounts * (more // 20))
        preview, measured[total] = preview_counted(world)
        assert preview.counts[IN]["created"] == total
    assert measured[2000] - measured[200] <= MOST_STATEMENTS_PER_BATCH * 9
