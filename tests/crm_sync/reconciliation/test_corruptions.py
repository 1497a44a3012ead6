"""R10: random corruptions on both sides are all found, each with its word and no other, and are repaired."""

from __future__ import annotations

from random import Random

import pytest

from connections.choices import IntegrationKind
from crm_sync.models import IntegrationRun
from tests.crm_sync.reconciliation.conftest import Reconcile, list_words, repair_all
from tests.crm_sync.reconciliation.corruptions import Corruptor
from tests.crm_sync.world import World

# Within one transaction PostgreSQL would call every person changed since the last run, and their calls be read again.
pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.both_databases, pytest.mark.system]


@pytest.mark.parametrize("seed", [10])
def test_a_thousand_corruptions_of_two_thousand_records_are_found_classed_and_repaired(
    world: World, reconcile: Reconcile, seed: int
) -> None:
    corruptor = Corruptor(world=world, random=Random(seed))  # noqa: S311  repeatable, not secret
    corruptor.transfer_records(records=2000, deleted=60)
    assert reconcile(world).is_proof

    corruptor.plant(1000)
    found = reconcile(world)

    assert len(corruptor.expected) == 1000
    assert list_words(found) == corruptor.expected  # all of them, and none of the others
    assert set(corruptor.expected.values()) == {
        *("missing_there", "missing_here", "differs", "orphaned", "deleted_on_one_side")
    }
    repair_all(world, found)
    # The transfer read what was repaired, by id, and no other call.
    received = IntegrationRun.objects.filter(integration__kind=IntegrationKind.CALL_INBOUND).latest("pk")
    assert received.selected == found.differences.filter(integration__kind=IntegrationKind.CALL_INBOUND).count()
    again = reconcile(world)
    assert again.is_proof
    assert again.counts[IntegrationKind.CALL_OUTBOUND]["equal"] >= 1000
