"""Notifications on every page: imports and bulk edits that wait or ended, until the user looks at them."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.test import Client

from ctms.accounts.models import User
from ctms.core.clock import get_now
from ctms.records.models import BulkOperation
from ctms.records.pages import notifications
from tests.factories.accounts import UserFactory
from tests.factories.activities import ActivityFactory
from tests.records.bulk.steps import confirm, do_import, prepare_edit, run_job

pytestmark = [pytest.mark.django_db, pytest.mark.both_databases]

ACTIVITY = "crm_activity__v"


@pytest.fixture(autouse=True)
def user(client: Client) -> User:
    made = UserFactory.create(username="carla", is_superuser=True)
    client.force_login(made)
    return made


def list_notifications(client: Client) -> list[tuple[str, str]]:
    frame = client.get("/").context["frame"]
    return [(each.label, each.text) for each in frame.notifications]


def complete_all(client: Client) -> BulkOperation:
    operation = prepare_edit(client, ACTIVITY, ActivityFactory.create_batch(3), complete__v="yes")
    confirm(client, operation)
    run_job(operation)
    return operation


def test_what_ended_is_told_of_until_it_is_looked_at(client: Client) -> None:
    operation = complete_all(client)
    assert list_notifications(client) == [("Bulk edit of activities", "3 changed.")]
    assert 'aria-label="Notifications: 1"' in client.get("/").content.decode()
    client.get(f"/operations/{operation.uid}/")
    assert list_notifications(client) == []
    assert "Nothing new." in client.get("/").content.decode()


def test_what_waits_to_be_confirmed_is_told_of_until_its_preview_was_opened(client: Client) -> None:
    operation = prepare_edit(client, ACTIVITY, [ActivityFactory.create()], complete__v="yes")
    [(label, text)] = list_notifications(client)
    assert (label, text) == ("Bulk edit of activities", "It was checked. Look at what it would do, and confirm it.")
    client.get(f"/operations/{operation.uid}/", follow=True)
    assert list_notifications(client) == []


def test_nobody_is_told_of_the_work_of_others_or_of_long_ago(client: Client, user: User) -> None:
    operation = complete_all(client)
    other = UserFactory.create(is_superuser=True)
    client.force_login(other)
    assert list_notifications(client) == []
    client.get(f"/operations/{operation.uid}/")  # looked at by somebody else
    client.force_login(user)
    assert len(list_notifications(client)) == 1
    BulkOperation.objects.update(created_at=get_now() - timedelta(days=8))
    assert list_notifications(client) == []


def test_an_object_that_is_no_longer_registered_is_passed_over(client: Client) -> None:
    operation = complete_all(client)
    BulkOperation.objects.update(of_object="gone__v")
    assert list_notifications(client) == []
    assert client.get(f"/operations/{operation.uid}/").status_code == 404


def test_an_import_is_told_of_by_the_name_of_its_file(client: Client) -> None:
    do_import(client, "study__v", "External ID,Study number\nS-1,CARDIO-1\n", name="studies.csv")
    assert list_notifications(client) == [("Import of studies: studies.csv", "1 created.")]


def test_one_statement_asks_for_all_kinds_and_one_reads_each_that_there_is(
    client: Client, user: User, django_assert_num_queries: Any
) -> None:
    operation = complete_all(client)
    with django_assert_num_queries(2):
        assert len(notifications.list_notifications(user=user, limit=8)) == 1
    client.get(f"/operations/{operation.uid}/")
    with django_assert_num_queries(1):
        assert notifications.list_notifications(user=user, limit=8) == []
