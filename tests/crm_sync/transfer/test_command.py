"""`manage.py transfer`: what it prints, what it returns, and that a dry run touches nothing."""

from __future__ import annotations

import io
import re

import pytest
from django.core.management import CommandError, call_command

from crm_sync.models import AccountMatch, IntegrationRun, TransferLink
from crm_sync.transfer import preview_transfer
from ctms.audit.models import AuditEntry
from ctms.jobs.models import JobRun
from exceptions_log.models import ExceptionItem
from tests.crm_sync.world import World
from tests.factories.activities import ActivityFactory
from tests.factories.clinical import PersonFactory, StudySiteFactory

pytestmark = pytest.mark.django_db


def read_row(printed: str, label: str) -> list[str]:
    """The figures of one row of the table."""
    (line,) = [line for line in printed.splitlines() if re.match(rf"\s*{label}\s+\d", line)]
    return re.findall(r"[\d.,]+", line.split(label, 1)[1])


def test_a_clean_transfer_prints_its_counts_and_returns_quietly(world: World) -> None:
    person = PersonFactory.create()
    world.add_accounts([person])
    ActivityFactory.create_batch(2, person=person, site=StudySiteFactory.create())
    printed = io.StringIO()

    call_command("transfer", stdout=printed)

    # Studies, sites, activities, calls: in the order in which they run.
    assert read_row(printed.getvalue(), "Selected") == ["1", "1", "2", "0"]
    assert read_row(printed.getvalue(), "Created") == ["1", "1", "2", "0"]
    assert read_row(printed.getvalue(), "API calls") == ["1", "1", "2", "1"]


def test_failures_give_an_exit_code(world: World) -> None:
    ActivityFactory.create(person=PersonFactory.create())

    with pytest.raises(CommandError, match=r"Not everything was transferred: NA\. See User Exceptions\."):
        call_command("transfer", stdout=io.StringIO())


def test_one_connection_can_be_chosen_by_name(world: World, second_world: World) -> None:
    person = PersonFactory.create()
    for each in (world, second_world):
        each.add_accounts([person])
    ActivityFactory.create(person=person)

    call_command("transfer", "--connection", "EMEA", stdout=io.StringIO())

    assert [len(each.list_interactions()) for each in (world, second_world)] == [0, 1]


def test_an_unknown_connection_is_answered_with_the_known_ones(world: World) -> None:
    with pytest.raises(CommandError, match=r"There is no connection 'LATAM'\. Connections: NA\."):
        call_command("transfer", "--connection", "LATAM", stdout=io.StringIO())


def test_a_dry_run_counts_what_a_transfer_then_does_and_writes_nothing_on_either_side(world: World) -> None:
    person = PersonFactory.create()
    accounts = world.add_accounts([person])
    world.add_calls(accounts * 3)
    ActivityFactory.create_batch(4, person=person, site=StudySiteFactory.create())
    ActivityFactory.create(person=PersonFactory.create(external_id="P-UNKNOWN"))
    tables = (TransferLink, AccountMatch, IntegrationRun, JobRun, ExceptionItem, AuditEntry)
    before = [table.objects.count() for table in tables]

    previews = {preview.integration.kind: preview.counts for preview in preview_transfer(world.connection)}
    with pytest.raises(CommandError):
        call_command("transfer", "--dry-run", stdout=io.StringIO())

    assert [table.objects.count() for table in tables] == before
    assert (world.list_studies(), world.list_sites(), world.list_interactions()) == ([], [], [])
    run = world.transfer()
    for part in IntegrationRun.objects.filter(run=run):
        preview = previews[part.integration.kind]
        for column in ("selected", "sent", "received", "created", "updated", "unchanged", "failed", "blocked"):
            assert getattr(preview, column) == getattr(part, column), (part.integration.kind, column)
