"""A transaction that commits after a later one is not missed by the transfer (R6)."""

from __future__ import annotations

import threading

import pytest
from django.db import connections, transaction

from connections.choices import IntegrationKind
from connections.models import IntegrationProgress
from tests.crm_sync.world import World
from tests.factories.activities import ActivityFactory
from tests.factories.clinical import PersonFactory

pytestmark = [pytest.mark.postgresql, pytest.mark.django_db(transaction=True)]


def test_a_record_written_before_a_run_and_committed_after_it_is_sent_by_the_next(world: World) -> None:
    person = PersonFactory.create()
    world.add_accounts([person])
    is_written, may_commit = threading.Event(), threading.Event()
    written = []

    def log_an_activity_slowly() -> None:
        with transaction.atomic():
            written.append(ActivityFactory.create(person=person))
            is_written.set()
            may_commit.wait()
        connections.close_all()

    user = threading.Thread(target=log_an_activity_slowly)
    user.start()
    try:
        assert is_written.wait(timeout=60)
        world.transfer()
        assert world.list_interactions() == []
    finally:
        may_commit.set()
        user.join()
    progress = IntegrationProgress.objects.get(
        integration__connection=world.connection, integration__kind=IntegrationKind.CALL_OUTBOUND
    )
    assert progress.last_successful_run_at is not None
    assert progress.last_successful_run_at > written[0].modified_at

    world.transfer()

    assert [row["Vault_External_ID_vod__c"] for row in world.list_interactions()] == [str(written[0].uid)]
