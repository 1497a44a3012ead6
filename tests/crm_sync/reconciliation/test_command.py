"""`manage.py reconcile`: its table, its exit code, and what --repair leaves."""

from __future__ import annotations

import io
import json
import re

import pytest
from django.core.management import CommandError, call_command

from crm_sync.jobs import TRANSFER_JOB_KEY, build_lease_key, build_unit
from crm_sync.models import Reconciliation
from ctms.jobs.leases import acquire_lease
from ctms.jobs.models import JobDefinition
from ctms.jobs.services import create_run
from tests.crm_sync.world import World
from tests.factories.bulk import create_activities, create_people

pytestmark = pytest.mark.django_db
LOSE_ALL = 'DELETE FROM "Vault_Clinical_Interaction_vod__c"'


@pytest.fixture
def sent(world: World) -> None:
    people = create_people(3)
    world.add_accounts(people)
    create_activities(3, people=people)
    world.transfer()


def read_row(printed: str, label: str) -> list[str]:
    """Return the figures of one row of the first table that has it."""
    line = next(line for line in printed.splitlines() if re.match(rf"\s*{label}\s+\d", line))
    return re.findall(r"[\d,]+", line.split(label, 1)[1])


@pytest.mark.every_dialect
def test_nothing_unexplained_is_printed_and_ends_quietly(world: World, sent: None) -> None:
    printed = io.StringIO()

    call_command("reconcile", stdout=printed)

    assert sorted(read_row(printed.getvalue(), "Equal")) == ["0", "0", "0", "3"]
    assert "0 unexplained." in printed.getvalue()


def test_what_nothing_explains_is_listed_and_gives_an_exit_code(world: World, sent: None) -> None:
    world.crm.organisation.database.execute(LOSE_ALL)
    world.empty_deletion_log()
    printed = io.StringIO()

    with pytest.raises(CommandError, match=r"Not everything is explained: NA\."):
        call_command("reconcile", "--connection", "NA", stdout=printed)

    assert sorted(read_row(printed.getvalue(), "Missing there")) == ["0", "0", "0", "3"]
    assert len(re.findall(r"ACT-\w+: Missing there", printed.getvalue())) == 3
    assert "3 unexplained." in printed.getvalue()


def test_programs_read_json_and_quiet_prints_nothing(world: World, sent: None) -> None:
    world.crm.organisation.database.execute(LOSE_ALL)
    world.empty_deletion_log()
    told, printed = io.StringIO(), io.StringIO()

    with pytest.raises(CommandError) as failure:
        call_command("reconcile", "--json", stdout=told)
    with pytest.raises(CommandError):
        call_command("reconcile", "--quiet", stdout=printed)

    assert (failure.value.returncode, printed.getvalue()) == (1, "")
    (connection,) = json.loads(told.getvalue())["connections"]
    assert (connection["state"], connection["unexplained"], len(connection["differences"])) == ("unexplained", 3, 3)


def test_repair_transfers_and_tells_what_is_left(world: World, sent: None) -> None:
    world.crm.organisation.database.execute(LOSE_ALL)
    world.empty_deletion_log()
    printed = io.StringIO()

    call_command("reconcile", "--repair", stdout=printed)

    assert printed.getvalue().index("3 unexplained.") < printed.getvalue().index("0 unexplained.")
    assert "Repaired 3. The transfer: 3 records transferred." in printed.getvalue()
    assert len(world.list_interactions()) == 3


def test_a_crm_that_refuses_the_log_in_is_no_proof(world: World, sent: None) -> None:
    world.crm.organisation.database.execute("UPDATE sandbox_logins SET password = 'another'")
    printed = io.StringIO()

    with pytest.raises(CommandError, match=r"Not everything is explained: NA\."):
        call_command("reconcile", stdout=printed)

    assert "refused the log-in" in printed.getvalue()
    assert not Reconciliation.objects.get().is_proof


@pytest.mark.every_dialect
def test_it_does_not_run_beside_a_transfer(world: World, sent: None) -> None:
    run = create_run(
        definition=JobDefinition.objects.get(key=TRANSFER_JOB_KEY), unit=build_unit(world.connection), user=None
    )
    acquire_lease(key=build_lease_key(world.connection), run=run)
    printed = io.StringIO()

    with pytest.raises(CommandError):
        call_command("reconcile", stdout=printed)

    assert "A transfer or reconciliation is running" in printed.getvalue()
