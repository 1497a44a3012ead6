"""Outbound: activities that study teams log arrive in the CRM."""

from __future__ import annotations

import pytest

from activities.choices import Channel
from connections.choices import IntegrationKind
from ctms.audit.services import delete_record, save_record
from ctms.core.choices import RecordStatus
from ctms.jobs.choices import RunState
from tests.crm_sync.world import World
from tests.factories.accounts import UserFactory
from tests.factories.activities import ActivityFactory
from tests.factories.base import build_admin_actor
from tests.factories.clinical import PersonFactory, StudySiteFactory

pytestmark = [pytest.mark.django_db, pytest.mark.both_databases]
OUT = IntegrationKind.CALL_OUTBOUND


@pytest.mark.every_dialect
def test_an_activity_arrives_with_its_account_channel_status_author_study_and_site(world: World) -> None:
    site = StudySiteFactory.create()
    person = PersonFactory.create()
    (account,) = world.add_accounts([person])
    activity = ActivityFactory.create(
        person=person, site=site, channel=Channel.CHAT_TEXT, complete=False, subject="Pharmacy manual"
    )

    run = world.transfer()

    assert run.state == RunState.SUCCEEDED, run.log
    (interaction,) = world.list_interactions()
    (study,), (crm_site,) = world.list_studies(), world.list_sites()
    shown = {name: interaction[name] for name in interaction if name.endswith("_vod__c")}
    assert shown == {
        "Vault_External_ID_vod__c": str(activity.uid),
        "Account_vod__c": account,
        "Interaction_Date_vod__c": activity.date.isoformat(),
        "Channel_vod__c": "Message_vod",
        "Status_vod__c": "Planned_vod",
        "From_vod__c": activity.from_text or None,
        "Subject_vod__c": "Pharmacy manual",
        "Clinical_Study_vod__c": study["Id"],
        "Clinical_Site_vod__c": crm_site["Id"],
    }
    assert crm_site["Clinical_Study_vod__c"] == study["Id"]


@pytest.mark.django_db(transaction=True)
def test_a_second_run_sends_nothing_and_one_edit_sends_one_record(world: World) -> None:
    person = PersonFactory.create()
    world.add_accounts([person])
    first, _ = ActivityFactory.create_batch(2, person=person)
    run = world.transfer()
    assert world.count(run, OUT) == {"selected": 2, "sent": 2, "created": 2}

    world.crm.request_log.clear()
    assert world.count(world.transfer(), OUT) == {}
    assert world.crm.request_log.count(method="PATCH") == 0

    first.complete = not first.complete
    save_record(record=first, actor=build_admin_actor())
    assert world.count(world.transfer(), OUT) == {"selected": 1, "sent": 1, "updated": 1}
    assert world.crm.request_log.count(method="PATCH") == 1


@pytest.mark.django_db(transaction=True)
def test_a_new_owner_sends_nothing(world: World) -> None:
    site = StudySiteFactory.create()
    person = PersonFactory.create()
    world.add_accounts([person])
    activity = ActivityFactory.create(person=person, site=site)
    world.transfer()
    world.crm.request_log.clear()
    for record in (site, activity):
        record.owner = UserFactory.create()
        save_record(record=record, actor=build_admin_actor())
    assert world.count(world.transfer(), OUT) == {"selected": 1, "unchanged": 1}
    assert world.crm.request_log.count(method="PATCH") == 0


@pytest.mark.every_dialect
def test_a_deleted_activity_has_deleted_appended_to_its_subject_once(world: World) -> None:
    person = PersonFactory.create()
    world.add_accounts([person])
    activity = ActivityFactory.create(person=person, subject="Visit")
    world.transfer()

    delete_record(record=activity, actor=build_admin_actor())
    run = world.transfer()
    world.transfer()

    assert world.count(run, OUT) == {"selected": 1, "sent": 1, "deleted": 1}
    assert [row["Subject_vod__c"] for row in world.list_interactions()] == ["Visit Deleted"]


@pytest.mark.every_dialect
def test_the_word_deleted_fits_into_a_subject_of_full_length(world: World) -> None:
    person = PersonFactory.create()
    world.add_accounts([person])
    activity = ActivityFactory.create(person=person, subject="x" * 255)
    world.transfer()

    delete_record(record=activity, actor=build_admin_actor())
    world.transfer()

    assert [row["Subject_vod__c"] for row in world.list_interactions()] == ["x" * 247 + " Deleted"]


@pytest.mark.every_dialect
def test_the_word_deleted_fits_behind_emoji_which_the_crm_counts_twice(world: World) -> None:
    person = PersonFactory.create()
    world.add_accounts([person])
    activity = ActivityFactory.create(person=person, subject="\N{GRINNING FACE}" * 127 + "x")
    world.transfer()

    delete_record(record=activity, actor=build_admin_actor())
    world.transfer()

    (subject,) = [row["Subject_vod__c"] for row in world.list_interactions()]
    assert subject == "\N{GRINNING FACE}" * 123 + " Deleted"
    assert len(subject.encode("utf-16-le")) // 2 == 254  # half a character more would not be one


@pytest.mark.every_dialect
def test_an_inactive_activity_is_shown_as_deleted_until_it_is_active_again(world: World) -> None:
    person = PersonFactory.create()
    world.add_accounts([person])
    activity = ActivityFactory.create(person=person, subject="Visit")
    world.transfer()

    activity.status = RecordStatus.INACTIVE
    save_record(record=activity, actor=build_admin_actor())
    world.transfer()
    assert [row["Subject_vod__c"] for row in world.list_interactions()] == ["Visit Deleted"]

    activity.status = RecordStatus.ACTIVE
    save_record(record=activity, actor=build_admin_actor())
    world.transfer()
    assert [row["Subject_vod__c"] for row in world.list_interactions()] == ["Visit"]


@pytest.mark.every_dialect
def test_an_interaction_deleted_in_the_crm_is_not_brought_back_by_an_edit(world: World) -> None:
    person = PersonFactory.create()
    world.add_accounts([person])
    activity = ActivityFactory.create(person=person)
    world.transfer()
    (interaction,) = world.list_interactions()
    world.delete_in_crm("Vault_Clinical_Interaction_vod__c", interaction["Id"])

    activity.subject = "Edited after it was deleted over there"
    save_record(record=activity, actor=build_admin_actor())
    run = world.transfer()

    assert run.state == RunState.SUCCEEDED
    assert world.list_interactions() == []
