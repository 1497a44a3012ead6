"""The job *Preview CRM Transfer*: what it keeps, and how it tells of errors."""

from __future__ import annotations

from typing import Any

import pytest

from connections.choices import IntegrationKind
from crm_sync.actions.connection_removal import delete_connection
from crm_sync.engine import mapping
from crm_sync.engine.outbound import run as outbound_run
from crm_sync.jobs import PREVIEW_JOB_KEY, TRANSFER_JOB_KEY, build_lease_key, build_unit
from crm_sync.models import PreviewRow, TransferPreview
from ctms.audit.services import save_record
from ctms.core.choices import RecordStatus
from ctms.jobs.choices import RunState
from ctms.jobs.leases import acquire_lease
from ctms.jobs.models import JobDefinition
from ctms.jobs.services import create_run, execute_run
from tests.crm_sync.preview.conftest import preview_world
from tests.crm_sync.world import World
from tests.factories.activities import ActivityFactory
from tests.factories.base import build_admin_actor
from tests.factories.clinical import PersonFactory, StudyFactory

pytestmark = [pytest.mark.django_db, pytest.mark.both_databases]
STUDIES, OUT, IN = IntegrationKind.STUDY_OUTBOUND, IntegrationKind.CALL_OUTBOUND, IntegrationKind.CALL_INBOUND


def test_the_job_is_delivered_inactive() -> None:
    definition = JobDefinition.objects.get(key=PREVIEW_JOB_KEY)
    assert (definition.name, definition.status) == ("Preview CRM Transfer", RecordStatus.INACTIVE)


def test_only_the_newest_preview_of_a_connection_is_kept(world: World, second_world: World) -> None:
    StudyFactory.create()
    first, other = preview_world(world), preview_world(second_world)
    second = preview_world(world)
    assert set(TransferPreview.objects.values_list("pk", flat=True)) == {other.pk, second.pk}
    assert set(PreviewRow.objects.values_list("preview", flat=True)) == {other.pk, second.pk}
    assert first.pk != second.pk
    assert (second.run.state, second.run.message) == (RunState.SUCCEEDED, "1 record would not stay as it is.")


def test_a_connection_is_deleted_with_its_preview(world: World) -> None:
    StudyFactory.create()
    preview_world(world)
    delete_connection(connection=world.connection, actor=build_admin_actor())
    assert not PreviewRow.objects.exists()
    assert not TransferPreview.objects.exists()


def test_a_preview_waits_while_a_transfer_runs(world: World) -> None:
    holder = create_run(
        definition=JobDefinition.objects.get(key=TRANSFER_JOB_KEY), unit=build_unit(world.connection), user=None
    )
    lease = acquire_lease(key=build_lease_key(world.connection), run=holder)
    assert lease is not None
    waiting = create_run(
        definition=JobDefinition.objects.get(key=PREVIEW_JOB_KEY), unit=build_unit(world.connection), user=None
    )
    assert execute_run(waiting.pk) is None
    lease.release()
    assert execute_run(waiting.pk) is not None


def test_an_unexpected_error_is_told_of_its_integration_and_the_others_go_on(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    person = PersonFactory.create()
    world.add_calls(world.add_accounts([person]))
    ActivityFactory.create(person=person, study=StudyFactory.create())

    def fail(**values: Any) -> Any:
        if values["plan"].integration.kind == OUT:
            raise TypeError("secret value of a record")
        return original(**values)

    original = mapping.map_record
    monkeypatch.setattr(outbound_run, "map_record", fail)

    preview = preview_world(world)

    assert list(preview.errors) == [OUT]
    assert "An unexpected TypeError ended the integration" in preview.errors[OUT]
    assert "secret" not in preview.errors[OUT]
    assert set(preview.counts) == set(IntegrationKind)
    assert sorted(preview.rows.values_list("outcome", flat=True)) == ["create", "receive"]
    assert preview.run.state == RunState.WITH_EXCEPTIONS


def test_rules_that_are_wrong_are_told_and_the_others_go_on(world: World) -> None:
    rule = world.connection.integrations.get(kind=STUDIES).rule.field_rules.get(target="Name")
    rule.status = RecordStatus.INACTIVE
    save_record(record=rule, actor=build_admin_actor())
    preview = preview_world(world)
    assert list(preview.errors) == [STUDIES]
    assert "is required but inactive" in preview.errors[STUDIES]
    assert IN in preview.counts


def test_an_error_of_the_whole_connection_ends_it(world: World) -> None:
    world.crm.organisation.database.execute("UPDATE sandbox_logins SET password = 'another'")
    preview = preview_world(world)
    assert list(preview.errors) == [""]
    assert "refused the log-in" in preview.errors[""]
    assert (preview.counts, preview.run.state) == ({}, RunState.FAILED)


def test_a_crm_that_breaks_down_midway_ends_it_with_what_was_foreseen_so_far(world: World) -> None:
    person = PersonFactory.create()
    world.add_accounts([person])
    ActivityFactory.create(person=person, study=StudyFactory.create())
    world.misbehave(match={"object": "Account"}, effect={"status": 503})
    preview = preview_world(world)
    assert list(preview.errors) == [OUT]
    assert set(preview.counts) == {STUDIES, IntegrationKind.SITE_OUTBOUND, OUT}
    assert list(preview.rows.values_list("outcome", flat=True)) == ["create"]
