"""What the CRM does not tell: records that were deleted, purged and undeleted there, and their children."""

from __future__ import annotations

from typing import Any

import pytest

from activities.models import Activity
from connections.choices import IntegrationKind
from crm_sync.choices import LinkState
from crm_sync.models import TransferLink
from ctms.audit.services import delete_record, save_record
from ctms.clinical.models import Study
from ctms.jobs.choices import RunState
from tests.crm_sync.world import World
from tests.factories.activities import ActivityFactory
from tests.factories.base import build_admin_actor
from tests.factories.clinical import PersonFactory, StudyFactory

pytestmark = pytest.mark.django_db

INTERACTION, STUDY = "Vault_Clinical_Interaction_vod__c", "Clinical_Study_vod__c"
OUT = IntegrationKind.CALL_OUTBOUND


def log_activity(world: World, **values: Any) -> Activity:
    person = PersonFactory.create()
    world.add_accounts([person])
    return ActivityFactory.create(person=person, **values)


def edit(record: Activity | Study, **values: Any) -> None:
    record.refresh_from_db()
    for name, value in values.items():
        setattr(record, name, value)
    save_record(record=record, actor=build_admin_actor())


def delete_interaction(world: World) -> str:
    (row,) = world.list_interactions()
    crm_id = str(row["Id"])
    world.delete_in_crm(INTERACTION, crm_id)
    return crm_id


def list_subjects(world: World) -> list[str]:
    return [row["Subject_vod__c"] for row in world.list_interactions()]


# -- Undeleted ----------------------------------------------------------------------------------------------------
@pytest.mark.every_dialect
def test_a_record_that_is_undeleted_gets_what_was_edited_meanwhile(world: World) -> None:
    activity = log_activity(world, subject="One")
    world.transfer()
    crm_id = delete_interaction(world)
    edit(activity, subject="Two")
    world.transfer()
    assert list_subjects(world) == []
    world.undelete_in_crm(crm_id)
    world.transfer()
    assert list_subjects(world) == ["Two"]
    edit(activity, subject="Three")
    world.transfer()
    assert list_subjects(world) == ["Three"]
    assert world.list_exceptions() == []


@pytest.mark.every_dialect
def test_a_record_that_is_undeleted_shows_that_it_was_deleted_in_the_vault(world: World) -> None:
    activity = log_activity(world, subject="One")
    world.transfer()
    crm_id = delete_interaction(world)
    edit(activity, subject="Two")
    world.transfer()
    delete_record(record=activity, actor=build_admin_actor())
    world.transfer()
    world.undelete_in_crm(crm_id)
    world.transfer()
    assert [subject.endswith(" Deleted") for subject in list_subjects(world)] == [True]


def test_nothing_is_asked_for_where_nothing_was_deleted(world: World) -> None:
    log_activity(world)
    world.transfer()
    world.crm.request_log.clear()
    world.transfer()
    # Accounts that changed, and calls that changed.
    assert world.crm.request_log.count(path_contains="/query") == 2


# -- Purged -------------------------------------------------------------------------------------------------------
@pytest.mark.every_dialect
def test_a_record_that_was_purged_is_not_created_again_and_fails_nothing(world: World) -> None:
    activity = log_activity(world, subject="One")
    world.transfer()
    world.purge_in_crm(delete_interaction(world))
    edit(activity, subject="Two")
    run = world.transfer()
    assert [item.error_message for item in world.list_exceptions()] == []
    assert (run.state, list_subjects(world)) == (RunState.SUCCEEDED, [])
    assert TransferLink.objects.get(record_uid=activity.uid).state == LinkState.DELETED_IN_CRM


@pytest.mark.every_dialect
def test_a_record_that_is_hidden_is_not_taken_for_deleted(world: World) -> None:
    activity = log_activity(world, subject="One")
    world.transfer()
    (row,) = world.list_interactions()
    world.hide_in_crm(row["Id"])
    edit(activity, subject="Two")
    world.transfer()
    assert len(world.list_exceptions()) == 1
    world.show_in_crm(row["Id"])
    world.transfer()
    assert (list_subjects(world), world.list_exceptions()) == (["Two"], [])


# -- Parents ------------------------------------------------------------------------------------------------------
@pytest.mark.every_dialect
def test_a_study_that_the_crm_deleted_does_not_stop_its_activities(world: World) -> None:
    study = StudyFactory.create()
    log_activity(world, subject="Before", study=study)
    world.transfer()
    (crm_study,) = world.list_studies()
    world.delete_in_crm(STUDY, crm_study["Id"])
    log_activity(world, subject="After", study=study)
    run = world.transfer()
    assert (run.state, world.list_exceptions()) == (RunState.SUCCEEDED, [])
    after = next(row for row in world.list_interactions() if row["Subject_vod__c"] == "After")
    assert after["Clinical_Study_vod__c"] is None


@pytest.mark.every_dialect
def test_an_undeleted_study_has_its_activities_again(world: World) -> None:
    study = StudyFactory.create()
    log_activity(world, subject="Before", study=study)
    world.transfer()
    (crm_study,) = world.list_studies()
    world.delete_in_crm(STUDY, crm_study["Id"])
    log_activity(world, subject="After", study=study)
    world.transfer()
    world.undelete_in_crm(crm_study["Id"])
    world.transfer()
    assert {row["Subject_vod__c"]: row["Clinical_Study_vod__c"] for row in world.list_interactions()} == {
        "Before": crm_study["Id"],
        "After": crm_study["Id"],
    }
    assert world.list_exceptions() == []
