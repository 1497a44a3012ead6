"""`manage.py transfer`: its output and exit code, and a dry run, which writes nothing."""

from __future__ import annotations

import io
import json
import re

import pytest
from django.core.management import CommandError, call_command

from crm_sync.jobs import TRANSFER_JOB_KEY, build_lease_key, build_unit
from crm_sync.models import AccountMatch, IntegrationRun, TransferLink
from crm_sync.preview.run import preview_transfer
from ctms.audit.models import AuditEntry
from ctms.jobs.choices import RunState
from ctms.jobs.leases import acquire_lease
from ctms.jobs.models import JobDefinition, JobRun
from ctms.jobs.services import create_run
from exceptions_log.models import ExceptionItem
from tests.crm_sync.world import World
from tests.factories.activities import ActivityFactory
from tests.factories.clinical import PersonFactory, StudySiteFactory
from tests.jobs.handlers import let_leases_run_out

pytestmark = [pytest.mark.django_db, pytest.mark.both_databases]


def read_row(printed: str, label: str) -> list[str]:
    """Return the figures of one row of the table."""
    (line,) = [line for line in printed.splitlines() if re.match(rf"\s*{label}\s+\d", line)]
    return re.findall(r"[\d.,]+", line.split(label, 1)[1])


@pytest.mark.every_dialect
def test_a_clean_transfer_prints_its_counts_and_returns_quietly(world: World) -> None:
    person = PersonFactory.create()
    world.add_accounts([person])
    ActivityFactory.create_batch(2, person=person, site=StudySiteFactory.create())
    printed = io.StringIO()

    call_command("transfer", stdout=printed)

    # Studies, sites, activities, calls: in the order in which they run.
    assert read_row(printed.getvalue(), "Selected") == ["1", "1", "2", "0"]
    assert read_row(printed.getvalue(), "Created") == ["1", "1", "2", "0"]
    # One more for each outbound integration than what it takes to transfer: new rules read the lengths of fields.
    assert read_row(printed.getvalue(), "API calls") == ["2", "2", "3", "1"]


@pytest.mark.every_dialect
def test_records_that_fail_are_listed_and_no_failure_of_the_command(world: World) -> None:
    activity = ActivityFactory.create(person=PersonFactory.create())
    printed, told = io.StringIO(), io.StringIO()

    call_command("transfer", stdout=printed)
    call_command("transfer", "--json", stdout=told)

    assert "Finished with exceptions: 1 records failed" in printed.getvalue()
    assert activity.name in printed.getvalue()
    (connection,) = json.loads(told.getvalue())["connections"]
    assert (connection["connection"], connection["state"]) == ("NA", "with_exceptions")
    assert [item["uid"] for item in connection["exceptions"]] == [str(activity.uid)]
    assert sum(part["failed"] for part in connection["integrations"].values()) == 1


def test_a_connection_that_cannot_be_transferred_gives_exit_code_1_and_quiet_says_nothing_else(world: World) -> None:
    world.crm.organisation.database.execute("UPDATE sandbox_logins SET password = 'another'")
    printed, told = io.StringIO(), io.StringIO()

    with pytest.raises(CommandError, match=r"This was not transferred: NA\. See User Exceptions\.") as failure:
        call_command("transfer", "--quiet", stdout=printed)
    with pytest.raises(CommandError):
        call_command("transfer", "--json", stdout=told)

    assert (failure.value.returncode, printed.getvalue()) == (1, "")
    assert json.loads(told.getvalue())["connections"][0]["state"] == "failed"


def test_json_and_quiet_exclude_each_other_and_records_are_lines(world: World) -> None:
    with pytest.raises(CommandError, match="not allowed with argument"):
        call_command("transfer", "--json", "--quiet")
    with pytest.raises(CommandError, match="--csv") as refusal:
        call_command("transfer", "--dry-run", "--json", "--records")
    assert refusal.value.returncode == 2


def test_one_connection_can_be_chosen_by_name(world: World, second_world: World) -> None:
    person = PersonFactory.create()
    for each in (world, second_world):
        each.add_accounts([person])
    ActivityFactory.create(person=person)

    call_command("transfer", "--connection", "EMEA", stdout=io.StringIO())

    assert [len(each.list_interactions()) for each in (world, second_world)] == [0, 1]


@pytest.mark.every_dialect
def test_an_unknown_connection_is_answered_with_the_known_ones(world: World) -> None:
    with pytest.raises(CommandError, match=r"There is no connection 'LATAM'\. Connections: NA\.") as refusal:
        call_command("transfer", "--connection", "LATAM", stdout=io.StringIO())
    assert refusal.value.returncode == 2


@pytest.mark.every_dialect
def test_a_dry_run_counts_what_a_transfer_then_does_and_writes_nothing_on_either_side(world: World) -> None:
    person = PersonFactory.create()
    accounts = world.add_accounts([person])
    world.add_calls(accounts * 3)
    ActivityFactory.create_batch(4, person=person, site=StudySiteFactory.create())
    ActivityFactory.create(person=PersonFactory.create(external_id="P-UNKNOWN"))
    tables = (TransferLink, AccountMatch, IntegrationRun, JobRun, ExceptionItem, AuditEntry)
    before = [table.objects.count() for table in tables]

    previews = {preview.integration.kind: preview.counts for preview in preview_transfer(world.connection)}
    call_command("transfer", "--dry-run", stdout=io.StringIO())

    assert [table.objects.count() for table in tables] == before
    assert (world.list_studies(), world.list_sites(), world.list_interactions()) == ([], [], [])
    run = world.transfer()
    for part in IntegrationRun.objects.filter(run=run):
        preview = previews[part.integration.kind]
        for column in ("selected", "sent", "received", "created", "updated", "unchanged", "failed", "blocked"):
            assert getattr(preview, column) == getattr(part, column), (part.integration.kind, column)


@pytest.mark.every_dialect
def test_a_command_says_that_it_watches_a_transfer_that_has_not_ended_and_goes_on_if_its_worker_is_dead(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    definition = JobDefinition.objects.get(key=TRANSFER_JOB_KEY)
    dead = create_run(definition=definition, unit=build_unit(world.connection), user=None)
    JobRun.objects.filter(pk=dead.pk).update(state=RunState.RUNNING)
    acquire_lease(key=build_lease_key(world.connection), run=dead)
    monkeypatch.setattr("crm_sync.management.connections.time.sleep", lambda _: let_leases_run_out())
    printed = io.StringIO()

    call_command("transfer", stdout=printed)

    assert printed.getvalue().count("Watching whether it is still at work") == 1
    dead.refresh_from_db()
    assert dead.state == RunState.INTERRUPTED
    assert JobRun.objects.latest("pk").state == RunState.SUCCEEDED
