"""Two clients who press one button at the same moment: one does it, the other is told, and the trail has it once."""

from __future__ import annotations

from functools import partial
from typing import Any

import pytest
from django.test import Client

from activities.models import Activity
from ctms.accounts.models import User
from ctms.audit.models import AuditEntry
from ctms.audit.services import save_record
from ctms.clinical.models import StudySite
from tests.factories.accounts import UserFactory
from tests.factories.activities import ActivityFactory
from tests.factories.base import build_admin_actor
from tests.factories.clinical import StudySiteFactory
from tests.records.undo.steps import find_last
from tests.reliability.simultaneous import call_at_once

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.postgresql]


def log_in(user: User) -> Client:
    client = Client()
    client.force_login(user)
    return client


@pytest.fixture
def clients() -> list[Client]:
    return [log_in(UserFactory.create(is_superuser=True)) for _ in range(2)]


@pytest.fixture
def activity() -> Activity:
    return ActivityFactory.create(complete=False)


def count_entries(record: Any) -> int:
    return AuditEntry.objects.filter(record_uid=record.uid).count()


def post(client: Client, url: str, data: Any = None) -> int:
    return client.post(url, data).status_code


def press_done(client: Client, activity: Activity) -> int:
    url = f"/records/crm_activity__v/{activity.uid}/change/complete/"
    return client.post(url, {"expected_version": activity.version}).status_code


@pytest.mark.parametrize("_attempt", range(3))
def test_done_is_done_once(clients: list[Client], activity: Activity, _attempt: int) -> None:
    answers = call_at_once([partial(press_done, client, activity) for client in clients])
    assert answers == [302, 302]
    changed = Activity.objects.get(pk=activity.pk)
    assert (changed.complete, changed.version, count_entries(activity)) == (True, activity.version + 1, 2)
    told = [str(message) for client in clients for message in client.get("/profile/").context["messages"]]
    # Whoever came second finds it as wanted; what was written is undone by whoever wrote it.
    assert len(told) == 2, told
    assert sum("Undo" in each for each in told) == 1, told


@pytest.mark.parametrize("_attempt", range(3))
def test_a_change_is_undone_once(clients: list[Client], activity: Activity, _attempt: int) -> None:
    press_done(clients[0], activity)
    found = find_last(activity)
    url = f"/undo/{found.kind}/{found.key}/"
    answers = call_at_once([partial(post, client, url) for client in clients])
    assert all(answer in (200, 302, 409) for answer in answers), answers
    changed = Activity.objects.get(pk=activity.pk)
    assert (changed.complete, changed.version, count_entries(activity)) == (False, activity.version + 2, 3)


@pytest.mark.parametrize("_attempt", range(3))
def test_an_undo_and_an_edit_at_once_lose_nothing(clients: list[Client], activity: Activity, _attempt: int) -> None:
    press_done(clients[0], activity)
    found = find_last(activity)
    version = activity.version + 1

    def rename() -> int:
        sent = {"subject__v": "Renamed", "expected_version": version}
        return clients[1].post(f"/records/crm_activity__v/{activity.uid}/fields/subject__v/", sent).status_code

    answers = call_at_once([lambda: clients[0].post(f"/undo/{found.kind}/{found.key}/").status_code, rename])
    assert not [each for each in answers if isinstance(each, Exception) or each >= 500], answers
    changed = Activity.objects.get(pk=activity.pk)
    written = changed.version - version
    # Each of the two did all that it says, or nothing: the trail has as many entries as the record has versions.
    assert written == (not changed.complete) + (changed.subject == "Renamed")
    assert count_entries(activity) == 2 + written
    assert written >= 1


@pytest.mark.parametrize("_attempt", range(3))
def test_of_two_hand_overs_of_a_site_each_item_has_one_owner_and_the_trail_says_whose(
    clients: list[Client], _attempt: int
) -> None:
    carla, *heirs = UserFactory.create_batch(3, is_superuser=True)
    site = StudySiteFactory.create()
    site.owner = carla
    save_record(record=site, actor=build_admin_actor())
    calls = [ActivityFactory.create(site=site, study=site.study, owner=carla, complete=False) for _ in range(3)]
    url = f"/records/site__v/{site.uid}/hand-over/"
    forms = []
    for client, heir in zip(clients, heirs, strict=True):
        context = client.get(url).context
        include = [each.api_name for each in context["parts"]]
        forms.append({"to": str(heir.uid), "include": include, "seen": context["seen"], "step": "hand_over"})
    answers = call_at_once([partial(post, client, url, sent) for sent, client in zip(forms, clients, strict=True)])
    assert not [each for each in answers if isinstance(each, Exception) or each >= 500], answers
    records: list[Any] = [
        StudySite.objects.get(pk=site.pk),
        *Activity.objects.filter(pk__in=[each.pk for each in calls]),
    ]
    for record in records:
        assert record.owner in heirs
        last = AuditEntry.objects.filter(record_uid=record.uid, changes__has_key="owner").latest("id")
        assert last.changes["owner"][1] == record.owner_id
        assert record.version == AuditEntry.objects.filter(record_uid=record.uid).count()
