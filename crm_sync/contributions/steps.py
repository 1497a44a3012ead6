"""Register the last steps of the setup: enabling the transfer job, and a test transfer."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.db.models import Max
from django.urls import reverse

from connections.models import Connection
from connections.steps import ENABLEMENT
from crm_sync.diagnostics.states import list_connection_states
from crm_sync.jobs import TRANSFER_JOB_KEY
from ctms.configuration.step_kinds import StepText
from ctms.configuration.steps import ConfigurationStep, StepState, register_step
from ctms.core.choices import RecordStatus
from ctms.jobs.choices import UNFINISHED_STATES
from ctms.jobs.models import JobDefinition, JobRun
from ctms.jobs.services import start_now
from ctms.jobs.steps import build_job_step

if TYPE_CHECKING:
    from ctms.audit.actors import Actor

TRANSFER_JOB_STEP = "transfer_job"


def register_transfer_steps() -> None:
    """Register the steps; called once, when the app is ready."""
    register_step(
        build_job_step(
            text=StepText(
                key=TRANSFER_JOB_STEP,
                title="CRM/Clinical Operations Transfer job",
                why="Runs every active connection once an hour.",
                section=ENABLEMENT,
                position=440,
            ),
            job_key=TRANSFER_JOB_KEY,
        )
    )
    register_step(_TEST_TRANSFER)


# -- The test transfer ----------------------------------------------------------------------------
def _check_test_transfer() -> StepState:
    """Return the state from the last run and the state of each active connection."""
    connections = list(Connection.objects.filter(status=RecordStatus.ACTIVE).select_related("authorization"))
    if not connections:
        return StepState.to_do("No connection is active yet: finish the step Connection with its Authorization first.")
    runs = JobRun.objects.filter(definition__key=TRANSFER_JOB_KEY, unit_key__in=[str(each.uid) for each in connections])
    newest = runs.order_by().values("unit_key").annotate(newest=Max("pk")).values("newest")
    last = {run.unit_key: run for run in JobRun.objects.filter(pk__in=newest)}
    waiting = [each.name for each in connections if str(each.uid) not in last]
    if waiting:
        return StepState.to_do(f"Not transferred yet: {', '.join(waiting)}.")
    if any(run.state in UNFINISHED_STATES for run in last.values()):
        return StepState.to_do("A transfer is at work; load this page again in a moment.")
    states = list_connection_states(connections)
    if broken := [f"{each.name}: {states[each.pk].sentence}" for each in connections if not states[each.pk].is_ok]:
        return StepState.broken(" ".join(broken))
    return StepState.done("The last transfer of every active connection reached its CRM, and no record fails.")


def _start_test_transfer(*, actor: Actor) -> None:
    start_now(definition=JobDefinition.objects.get(key=TRANSFER_JOB_KEY), user=actor.user)


_TEST_TRANSFER = ConfigurationStep(
    key="test_transfer",
    title="Test transfer",
    why="Shows, before anybody relies on it, that both sides agree. What cannot go is listed under User Exceptions.",
    section="Test transfer",
    position=900,
    check=_check_test_transfer,
    apply=_start_test_transfer,
    url=lambda: reverse("admin:jobs_jobrun_changelist"),
    permission="admin:jobs",
    verb="Start Now",
    short_verb="Start Now",
    is_in_all=False,
)
