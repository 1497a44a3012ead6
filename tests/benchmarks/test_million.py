"""The statement that fills a large Vault fits the current model of activities."""

from __future__ import annotations

import pytest

from activities.models import Activity
from tests.benchmarks import million


@pytest.mark.postgresql
@pytest.mark.django_db(transaction=True)
def test_a_large_vault_is_made_of_activities_that_are_valid(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, count in (("STUDIES", 2), ("SITES_OF_A_STUDY", 3), ("PEOPLE", 20)):
        monkeypatch.setattr(million, name, count)
    million.create_world()
    million.grow_to(60)
    activities = list(Activity.objects.select_related("site", "study"))
    for activity in activities:
        activity.full_clean()
    assert len(activities) == 60
