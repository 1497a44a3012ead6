"""A run whose lease was taken over writes nothing more, neither here nor in the CRM: it stops before it does so."""

from __future__ import annotations

import importlib
import re
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from django.db import connection as database
from django.test.utils import CaptureQueriesContext

from activities.models import Activity
from connections.models import IntegrationProgress
from crm_sync.engine.outbound import foresight
from crm_sync.engine.outbound.batches import call_crm
from crm_sync.models import AccountMatch, IntegrationRun, OrganisationProgress, TransferAttempt, TransferLink
from ctms.audit.models import AuditEntry
from ctms.audit.services import delete_record, save_record
from ctms.core.clock import get_uptime
from ctms.jobs import leases
from ctms.jobs.choices import RunState
from ctms.jobs.leases import fence_dead
from ctms.jobs.models import JobRun, Lease
from exceptions_log.models import ExceptionItem, ExceptionMessage, Failure
from tests.factories.activities import ActivityFactory
from tests.factories.base import build_admin_actor
from tests.factories.clinical import PersonFactory, StudySiteFactory
from tests.jobs.handlers import let_leases_run_out

if TYPE_CHECKING:
    from tests.crm_sync.world import World

pytestmark = [pytest.mark.django_db, pytest.mark.both_databases]

MODELS: tuple[Any, ...] = (
    *(TransferLink, TransferAttempt, AccountMatch, OrganisationProgress, IntegrationProgress, IntegrationRun),
    *(Activity, AuditEntry, ExceptionItem, Failure),
)
WRITING = re.compile(r'(?:INSERT INTO|UPDATE|DELETE FROM) "?(\w+)', re.ASCII)
TABLES = {model._meta.db_table for model in (*MODELS, ExceptionMessage)}
# What a run calls when it is about to write.
WRITERS = (
    "engine.run.claim_organisation",
    "engine.identity.changes._Refresh._write",
    "engine.outbound.adoption._adopt",
    "engine.outbound.deletions.write_links",
    "engine.identity.account_matching.AccountDirectory._remember",
    "engine.outbound.run.write_links",
    "engine.inbound.applying.write_changes",
    "engine.inbound.place.Place._keep",
    "engine.run.judge_part",
)


def describe_everything(world: World) -> dict[str, list[Any]]:
    """Return the rows that a run writes in the Vault, and what calls did to records of the CRM."""
    rows: dict[str, list[Any]] = {model.__name__: list(model.objects.order_by("pk").values()) for model in MODELS}
    return rows | {"CRM": world.crm.request_log.list_written()}


@pytest.fixture
def busy_world(world: World) -> World:
    """Return a world in which a run has something to write at each place, after one that lost its answers."""
    deleted = ActivityFactory.create()
    (account,) = world.add_accounts([deleted.person])
    world.transfer()
    person = PersonFactory.create()
    lost = ActivityFactory.create(person=person, site=StudySiteFactory.create())
    world.add_accounts([person])
    world.misbehave(match={"method": "PATCH", "object": "Vault_Clinical_Interaction_vod__c"}, effect={"drop": "after"})
    world.transfer()
    world.crm.misbehaviour.clear()
    delete_record(record=deleted, actor=build_admin_actor())
    lost.subject = "Corrected"
    save_record(record=lost, actor=build_admin_actor())
    ActivityFactory.create()  # its person has no account
    newcomer = PersonFactory.create()
    world.add_accounts([newcomer])
    ActivityFactory.create(person=newcomer)
    world.add_calls([account])
    OrganisationProgress.objects.all().delete()  # as before the first claim of an organisation
    return world


@pytest.mark.parametrize("writer", WRITERS)
def test_a_run_that_was_taken_over_stops_before_it_writes(
    busy_world: World, monkeypatch: pytest.MonkeyPatch, writer: str
) -> None:
    owner, name = find_owner(writer)
    original = getattr(owner, name)
    before: list[dict[str, list[Any]]] = []

    def write(*args: Any, **named: Any) -> Any:
        if not before and is_writing(args, named):
            let_leases_run_out()
            assert all(fence_dead(lease) for lease in Lease.objects.filter(is_held=True))
            before.append(describe_everything(busy_world))
        return original(*args, **named)

    with monkeypatch.context() as patched:
        patched.setattr(owner, name, write)
        run = busy_world.transfer()
    assert before, "the run did not come to this place"
    assert describe_everything(busy_world) == before[0]
    run.refresh_from_db()
    assert run.state == RunState.RUNNING  # it may not even say how it ended: who takes over does
    JobRun.objects.filter(pk=run.pk).update(state=RunState.INTERRUPTED)
    after = busy_world.transfer()
    assert after.state == RunState.WITH_EXCEPTIONS, after.message
    shown = busy_world.list_interactions()
    assert len(shown) == len({row["Vault_External_ID_vod__c"] for row in shown}) == 3
    assert [row["Subject_vod__c"] for row in shown].count("Corrected") == 1


@pytest.mark.django_db(transaction=True)
def test_each_transaction_in_which_a_run_writes_renews_its_lease(busy_world: World) -> None:
    with CaptureQueriesContext(database) as captured:
        run = busy_world.transfer()
    assert run.state == RunState.WITH_EXCEPTIONS, run.message
    transactions = split_transactions([each["sql"] for each in captured])
    writing = [each for each in transactions if {find_table_written(sql) for sql in each} & TABLES]
    assert len(writing) >= len(WRITERS)
    renewed = Lease._meta.db_table
    assert [each for each in writing if renewed not in {find_table_written(sql) for sql in each}] == []


def test_a_thread_that_slept_through_the_lease_sends_nothing(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    person = PersonFactory.create()
    world.add_accounts([person])
    activity = ActivityFactory.create(person=person, subject="Sent before")
    world.transfer()
    activity.subject = "Read before the sleep"
    save_record(record=activity, actor=build_admin_actor())
    woken_at = get_uptime() + timedelta(hours=1).total_seconds()

    def sleep_and_call(*args: Any) -> Any:
        monkeypatch.setattr(leases, "get_uptime", lambda: woken_at)
        return call_crm(*args)

    monkeypatch.setattr(foresight, "call_crm", sleep_and_call)
    run = world.transfer()
    assert [row["Subject_vod__c"] for row in world.list_interactions()] == ["Sent before"]
    run.refresh_from_db()
    assert run.state == RunState.INTERRUPTED


def split_transactions(statements: list[str]) -> list[list[str]]:
    """Return the statements of each transaction; one outside of any is a transaction of its own."""
    transactions: list[list[str]] = []
    is_open = False
    for sql in statements:
        if sql.startswith(("BEGIN", "COMMIT")) or sql == "ROLLBACK":
            is_open = sql.startswith("BEGIN")
            if is_open:
                transactions.append([])
        elif is_open:
            transactions[-1].append(sql)
        else:
            transactions.append([sql])
    return transactions


def find_table_written(sql: str) -> str:
    """Return the table that a statement writes; empty if it only reads."""
    found = WRITING.match(sql)
    return found[1] if found else ""


def find_owner(writer: str) -> tuple[Any, str]:
    """Return the module or class that holds a writer, and its name there."""
    path, _, name = f"crm_sync.{writer}".rpartition(".")
    module, _, last = path.rpartition(".")
    if last.strip("_")[0].isupper():
        return getattr(importlib.import_module(module), last), name
    return importlib.import_module(path), name


def is_writing(args: tuple[Any, ...], named: dict[str, Any]) -> bool:
    """Whether there is something to write: no argument is an empty list."""
    return all(value or not isinstance(value, list) for value in (*args, *named.values()))
