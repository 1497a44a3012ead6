"""Deletions in the Vault that are undone: the CRM shows the record again, once, and the reconciliation agrees."""

from __future__ import annotations

import pytest
from django.test import Client

from activities.models import Activity
from crm_sync.choices import LinkState
from crm_sync.models import TransferLink
from ctms.clinical.models import Study
from tests.crm_sync.preview.conftest import check_prediction
from tests.crm_sync.reconciliation.conftest import list_words, reconcile_world
from tests.crm_sync.world import World
from tests.factories.accounts import UserFactory
from tests.factories.activities import ActivityFactory
from tests.factories.clinical import PersonFactory, StudyFactory
from tests.records.undo.steps import change, delete, edit_field, undo_last

pytestmark = [pytest.mark.django_db, pytest.mark.both_databases]


@pytest.fixture(autouse=True)
def user(client: Client) -> None:
    client.force_login(UserFactory.create(is_superuser=True))


def log_activity(world: World, **values: str) -> Activity:
    person = PersonFactory.create()
    world.add_accounts([person])
    return ActivityFactory.create(person=person, **values)


def list_subjects(world: World) -> list[str]:
    return [row["Subject_vod__c"] for row in world.list_interactions()]


def check(world: World, *subjects: str) -> None:
    """A transfer does what a preview says; then the CRM shows these subjects, and nothing is left to do."""
    check_prediction(world)
    assert sorted(list_subjects(world)) == sorted(subjects)
    assert reconcile_world(world).unexplained == 0
    assert world.transfer().result is not None
    assert set(TransferLink.objects.values_list("state", "pending")) <= {(LinkState.LIVE, False)}


def test_a_deletion_that_the_crm_shows_is_taken_back(world: World, client: Client) -> None:
    activity = log_activity(world, subject="Call")
    world.transfer()
    delete(client, activity)
    world.transfer()
    assert list_subjects(world) == ["Call Deleted"]
    undo_last(client, activity)
    assert "differs" not in list_words(reconcile_world(world)).values()
    check(world, "Call")
    (link,) = TransferLink.objects.filter(record_uid=activity.uid)
    assert link.version == Activity.objects.get(uid=activity.uid).version


def test_a_deletion_that_the_crm_never_saw_leaves_no_trace(world: World, client: Client) -> None:
    activity = log_activity(world, subject="Call")
    world.transfer()
    delete(client, activity)
    undo_last(client, activity)
    check(world, "Call")


def test_what_was_never_sent_is_sent_once(world: World, client: Client) -> None:
    activity = log_activity(world, subject="Call")
    delete(client, activity)
    world.transfer()
    undo_last(client, activity)
    check(world, "Call")


def test_deleted_and_undone_again_and_again(world: World, client: Client) -> None:
    activity = log_activity(world, subject="Call")
    world.transfer()
    for _ in range(3):
        delete(client, Activity.objects.get(uid=activity.uid))
        world.transfer()
        assert list_subjects(world) == ["Call Deleted"]
        undo_last(client, activity)
        world.transfer()
        assert list_subjects(world) == ["Call"]
    edit_field(client, Activity.objects.get(uid=activity.uid), "subject__v", "Call back")
    check(world, "Call back")


def test_an_edit_and_its_undo_both_arrive(world: World, client: Client) -> None:
    activity = log_activity(world, subject="Call")
    world.transfer()
    edit_field(client, activity, "subject__v", "Visit")
    world.transfer()
    assert list_subjects(world) == ["Visit"]
    undo_last(client, activity)
    check(world, "Call")


def test_the_undo_of_a_creation_is_a_deletion(world: World, client: Client) -> None:
    activity = log_activity(world, subject="Call")
    world.transfer()
    delete(client, activity)
    undo_last(client, activity)
    world.transfer()
    undo_last(client, activity)
    world.transfer()
    assert list_subjects(world) == ["Call Deleted"]


def test_a_study_comes_back_before_what_belongs_to_it(world: World, client: Client) -> None:
    study = StudyFactory.create(name="S-1")
    activity = log_activity(world, subject="Call")
    change(activity, study=study)
    world.transfer()
    delete(client, Activity.objects.get(uid=activity.uid))
    delete(client, study)
    world.transfer()
    undo_last(client, study)
    undo_last(client, activity)
    check(world, "Call")
    assert [row["Name"] for row in world.list_studies()] == [Study.objects.get().name]
