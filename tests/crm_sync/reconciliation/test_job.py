"""The job *Reconcile CRM*: how it is delivered, and how it and the transfer of a connection keep apart."""

from __future__ import annotations

import pytest

from crm_sync.jobs import RECONCILIATION_JOB_KEY, TRANSFER_JOB_KEY, build_lease_key, build_unit
from crm_sync.models import Difference, Reconciliation
from ctms.audit.services import save_record
from ctms.core.choices import RecordStatus
from ctms.jobs.choices import Frequency, RunState
from ctms.jobs.leases import acquire_lease
from ctms.jobs.models import JobDefinition, JobRun
from ctms.jobs.queue import take_over_interrupted
from ctms.jobs.services import create_run, execute_run
from tests.crm_sync.reconciliation.conftest import Reconcile
from tests.crm_sync.world import World
from tests.factories.base import build_admin_actor
from tests.factories.bulk import create_activities, create_people
from tests.jobs.handlers import let_leases_run_out

pytestmark = [pytest.mark.django_db, pytest.mark.both_databases]


def queue(world: World, key: str) -> JobRun:
    return create_run(definition=JobDefinition.objects.get(key=key), unit=build_unit(world.connection), user=None)


def test_the_job_is_delivered_inactive_and_daily() -> None:
    definition = JobDefinition.objects.get(key=RECONCILIATION_JOB_KEY)

    assert (definition.name, definition.status, definition.frequency) == (
        "Reconcile CRM",
        RecordStatus.INACTIVE,
        Frequency.DAILY,
    )


@pytest.mark.every_dialect
@pytest.mark.parametrize(
    ("running", "waiting"),
    [(TRANSFER_JOB_KEY, RECONCILIATION_JOB_KEY), (RECONCILIATION_JOB_KEY, TRANSFER_JOB_KEY)],
)
def test_a_run_waits_in_the_queue_while_the_other_job_works_on_the_connection(
    world: World, running: str, waiting: str
) -> None:
    holder = queue(world, running)
    lease = acquire_lease(key=build_lease_key(world.connection), run=holder)
    assert lease is not None
    run = queue(world, waiting)

    assert execute_run(run.pk) is None
    run.refresh_from_db()
    assert (run.state, run.started_at) == (RunState.QUEUED, None)

    lease.release()
    finished = execute_run(run.pk)
    assert finished is not None
    assert finished.state == RunState.SUCCEEDED


@pytest.mark.every_dialect
@pytest.mark.parametrize(
    ("dead", "next_key"),
    [(TRANSFER_JOB_KEY, RECONCILIATION_JOB_KEY), (RECONCILIATION_JOB_KEY, TRANSFER_JOB_KEY)],
)
def test_a_run_that_died_is_taken_over_before_the_other_job_begins(world: World, dead: str, next_key: str) -> None:
    holder = queue(world, dead)
    waiting = queue(world, next_key)
    JobRun.objects.filter(pk=holder.pk).update(state=RunState.RUNNING)
    acquire_lease(key=build_lease_key(world.connection), run=holder)
    let_leases_run_out()

    assert execute_run(waiting.pk) is None
    assert take_over_interrupted() == 1
    finished = execute_run(waiting.pk)

    holder.refresh_from_db()
    assert holder.state == RunState.INTERRUPTED
    assert finished is not None
    assert finished.state == RunState.SUCCEEDED
    successor = JobRun.objects.get(definition=holder.definition, state=RunState.QUEUED)
    assert successor.attempt == 2


@pytest.mark.every_dialect
def test_a_command_goes_on_after_a_run_of_the_other_job_that_died(world: World) -> None:
    holder = queue(world, RECONCILIATION_JOB_KEY)
    JobRun.objects.filter(pk=holder.pk).update(state=RunState.RUNNING)
    acquire_lease(key=build_lease_key(world.connection), run=holder)
    let_leases_run_out()

    run = world.transfer()

    holder.refresh_from_db()
    assert (holder.state, run.state) == (RunState.INTERRUPTED, RunState.SUCCEEDED)


def test_the_next_reconciliation_replaces_the_differences_and_keeps_the_counts(
    world: World, reconcile: Reconcile
) -> None:
    people = create_people(2)
    world.add_accounts(people)
    create_activities(2, people=people)
    world.transfer()
    world.crm.organisation.database.execute('DELETE FROM "Vault_Clinical_Interaction_vod__c"')
    world.empty_deletion_log()

    first, second = reconcile(world), reconcile(world)

    assert [first.unexplained, second.unexplained] == [2, 2]
    assert set(Difference.objects.values_list("reconciliation", flat=True)) == {second.pk}
    assert Reconciliation.objects.count() == 2


def test_rules_that_are_wrong_keep_one_integration_from_being_compared_and_say_so(world: World) -> None:
    rule = world.connection.integrations.get(kind="clinical_study_outbound__v").rule
    field_rule = rule.field_rules.get(target="Name")
    field_rule.target = "Nonsense__c"

    save_record(record=field_rule, actor=build_admin_actor())
    run = execute_run(queue(world, RECONCILIATION_JOB_KEY).pk)

    found = Reconciliation.objects.get()
    assert run is not None
    assert (run.state, found.is_proof) == (RunState.WITH_EXCEPTIONS, False)
    assert list(found.errors) == ["clinical_study_outbound__v"]
    assert "Nonsense__c" in run.message
    assert set(found.counts) == {"clinical_site_outbound__v", "crm_call_outbound__v", "crm_call_inbound__v"}
