"""A preview writes nothing: not a row of any other table of the Vault, and not a record of the CRM."""

from __future__ import annotations

import io
from typing import Any

import pytest
from django.apps import apps
from django.core.management import call_command

from crm_sync.models import PreviewRow, TransferLink, TransferPreview
from ctms.audit.services import delete_record, save_record
from ctms.jobs.models import JobRun, Lease
from tests.crm_sync.preview.conftest import preview_world
from tests.crm_sync.world import World
from tests.factories.activities import ActivityFactory
from tests.factories.base import build_admin_actor
from tests.factories.clinical import PersonFactory, StudySiteFactory

pytestmark = [pytest.mark.django_db, pytest.mark.both_databases]
# The preview itself, and the run and lease of its job.
OWN = {TransferPreview, PreviewRow, JobRun, Lease}


@pytest.fixture
def busy(world: World) -> World:
    """A world in which the next transfer has all sorts of things to do."""
    people = PersonFactory.create_batch(2)
    first, second = world.add_accounts(people)
    changed, gone, _ = world.add_calls([first] * 3)
    site = StudySiteFactory.create()
    edited, deleted, undeleted = ActivityFactory.create_batch(3, person=people[0], site=site, study=site.study)
    world.transfer()
    crm_id = TransferLink.objects.get(record_uid=undeleted.uid).crm_id
    world.delete_in_crm("Vault_Clinical_Interaction_vod__c", crm_id)
    for activity in (edited, undeleted):
        activity.refresh_from_db()
        activity.subject = "Edited"
        save_record(record=activity, actor=build_admin_actor())
    world.transfer()
    world.undelete_in_crm(crm_id)
    world.change_in_crm("Account", first, External_ID_vod__c="in between")
    world.change_in_crm("Account", second, External_ID_vod__c=people[0].external_id)
    world.change_in_crm("Account", first, External_ID_vod__c=people[1].external_id)
    world.change_in_crm("Call2_vod__c", changed, Call_Channel_vod__c="Video_vod")
    world.delete_in_crm("Call2_vod__c", gone)
    world.add_calls(world.add_accounts([PersonFactory.build(external_id="P-ELSEWHERE")]))
    deleted.refresh_from_db()
    delete_record(record=deleted, actor=build_admin_actor())
    ActivityFactory.create(person=PersonFactory.create(external_id="P-UNKNOWN"))
    ActivityFactory.create(person=people[1], site=StudySiteFactory.create())
    return world


def read_all_tables(*, but: set[Any]) -> dict[str, list[Any]]:
    return {
        model._meta.label: list(model._base_manager.order_by("pk").values())
        for model in apps.get_models(include_auto_created=True)
        if model not in but
    }


def read_crm(world: World) -> dict[str, Any]:
    organisation = world.crm.organisation
    names = ("Account", "Call2_vod__c", "Clinical_Study_vod__c", "Clinical_Site_vod__c")
    return {name: organisation.list_records(object_name=name) for name in (*names, "Vault_Clinical_Interaction_vod__c")}


def list_writes(world: World) -> list[tuple[str, str]]:
    """Return the requests that are neither reads nor the log-in."""
    return [
        (entry.method, entry.path)
        for entry in world.crm.request_log
        if entry.method != "GET" and not entry.path.endswith("/oauth2/token")
    ]


def test_the_job_writes_the_preview_and_nothing_else(busy: World) -> None:
    before, there = read_all_tables(but=OWN), read_crm(busy)
    busy.crm.request_log.clear()

    preview = preview_world(busy)

    assert set(preview.rows.values_list("outcome", flat=True)) == {
        "create",
        "update",
        "delete",
        "change",
        "deactivate",
        "fail",
    }
    assert read_all_tables(but=OWN) == before
    assert list_writes(busy) == []
    assert read_crm(busy) == there


def test_the_command_writes_nothing_at_all(busy: World) -> None:
    before = read_all_tables(but=set())
    busy.crm.request_log.clear()
    printed = io.StringIO()

    call_command("transfer", "--dry-run", "--records", stdout=printed)

    assert "Edited" in printed.getvalue()
    assert read_all_tables(but=set()) == before
    assert list_writes(busy) == []


def test_a_preview_before_the_first_transfer_claims_no_organisation(world: World) -> None:
    before = read_all_tables(but=OWN)
    preview_world(world)
    assert read_all_tables(but=OWN) == before
