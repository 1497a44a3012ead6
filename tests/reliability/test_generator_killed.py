"""When the process that generates activities dies at any step, the next one leaves nothing doubled or flagged."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import Any

import pytest
from django.conf import settings as django_settings
from django.db import connection as database

from activities.contacts.writing import rebuild_contacts
from activities.models import Activity
from ctms.jobs.choices import RunState, RunTrigger
from ctms.jobs.models import JobRun
from ctms.jobs.services import dispatch_due, execute_run, start_now
from exceptions_log.models import ExceptionMessage
from tests.reliability.conftest import build_database_url
from tests.reliability.generator_stage import Stage, build_stage, describe_generated, get_definition, let_time_pass
from tests.reliability.mortality import Mortal
from tests.reliability.processes import REPOSITORY, wait_for
from tests.reliability.simultaneous import hold
from tests.reliability.snapshots import take_vault_snapshot

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.both_databases]

BATCH = 2
FEWEST_STEPS = 20
STRIDES = {"sqlite": 1, "postgresql": 7}


@pytest.fixture
def stage(transactional_db: None, monkeypatch: pytest.MonkeyPatch) -> Stage:
    monkeypatch.setattr("activities.generator.BATCH", BATCH)
    return build_stage()


# -- Played in this process: at each step ---------------------------------------------------------
def work(process: Mortal) -> None:
    """Start a run as Start Now does, and execute it as a worker does."""
    start_now(definition=get_definition(), user=None)
    for run_id in process.messages:
        execute_run(run_id)


def heal(messages: list[int]) -> None:
    """Do what happens without users: messages arrive again, the lease expires, a tick comes."""
    continued = [execute_run(run_id) for run_id in messages]
    let_time_pass()
    tick = Mortal()
    with tick.live():
        dispatch_due()
    continued += [execute_run(run_id) for run_id in tick.messages]
    if not any(continued) and JobRun.objects.latest("pk").trigger == RunTrigger.COMMAND:
        press = Mortal()  # nothing had been queued yet
        with press.live():
            work(press)


def test_wherever_the_process_dies_the_end_is_that_of_an_undisturbed_run(stage: Stage) -> None:
    problems: dict[str, Any] = {}
    restore = take_vault_snapshot()
    immortal = Mortal()
    with immortal.live():
        work(immortal)
    undisturbed = describe_generated()
    assert_complete(stage, undisturbed)
    assert len(immortal.steps) >= FEWEST_STEPS
    for number, step in enumerate(immortal.steps, start=1):
        if number % STRIDES[database.vendor]:
            continue
        restore()
        mortal = Mortal(dies_at=number)
        with mortal.live():
            work(mortal)
        assert mortal.steps == immortal.steps[:number]
        heal(mortal.messages)
        found = describe_generated()
        if differences := {name: found[name] for name in found if found[name] != undisturbed[name]}:
            problems[f"{number}, {step}"] = differences
        if any(differing := rebuild_contacts().values()):
            problems[f"{number}, {step}, contacts"] = {"differing": list(differing)}
    assert problems == {}


def assert_complete(stage: Stage, end: dict[str, list[Any]]) -> None:
    """Assert that an undisturbed run followed every change, without which the comparison would prove nothing."""
    assert end["flagged"] == [(stage.faulty.object_name, stage.faulty.pk)]
    assert [len(end[name]) for name in ("drafts", "unfinished runs", "leases", "active exceptions")] == [0, 0, 0, 1]
    assert end["last outcome"] == [RunState.WITH_EXCEPTIONS]
    counts = [Activity.objects.filter(monitoring_event=each).count() for each in (stage.moved, stage.reduced)]
    assert [*counts, Activity.objects.filter(monitoring_event=stage.new).count()] == [2, 2, 1]
    assert list(stage.reduced.activities.order_by("status").values_list("status", flat=True)) == [
        "active__v",
        "inactive__v",
    ]
    assert list(stage.due.activities.values_list("complete", flat=True)) == [True]
    assert stage.changed.activities.filter(subject__contains="Corrected").count() == 2


# -- Real processes -------------------------------------------------------------------------------
_PROCESS = """
import sys
import django
django.setup()
from activities import generator
from ctms.jobs.services import execute_run
generator.BATCH = int(sys.argv[2])
execute_run(int(sys.argv[1]))
"""
# Statements whose locks make the process wait at a point of its run, where it is killed; in the order of the run.
_WHERE_IT_WAITS = {
    "first batch, activities written": "LOCK TABLE audit_auditentry IN SHARE MODE",
    "between batches": "SELECT FROM clinical_monitoringevent WHERE id = {faulty} FOR UPDATE",
    "second batch, about to write": "SELECT FROM clinical_person WHERE id = {newcomer} FOR UPDATE",
    "communications": "SELECT FROM activities_activity WHERE study_communication_id = {changed} FOR UPDATE",
    "all written, nothing published": "SELECT FROM exceptions_log_exceptionmessage WHERE id = {message} FOR UPDATE",
}


def start_process(run_id: int) -> subprocess.Popen[bytes]:
    environment = {
        "DATABASE_URL": build_database_url(),
        "REDIS_URL": "redis://127.0.0.1:1/0",
        "SECRET_KEY": django_settings.SECRET_KEY,
        "FIELD_ENCRYPTION_KEYS": ",".join(django_settings.FIELD_ENCRYPTION_KEYS),
        "ALLOWED_HOSTS": "localhost,vault.example.org",
        "VAULT_BASE_URL": "https://vault.example.org",
        "RELIABILITY_SANDBOX_ORIGINS": "",
        "RELIABILITY_LEASE_SECONDS": "60",
        "DJANGO_SETTINGS_MODULE": "tests.reliability.settings",
    }
    return subprocess.Popen(
        [sys.executable, "-c", _PROCESS, str(run_id), str(BATCH)],
        cwd=REPOSITORY,
        env=os.environ | environment,
    )


def read_others() -> dict[int, str]:
    """Return, for each other connection to the database, what kind of event it waits for."""
    with database.cursor() as cursor:
        cursor.execute(
            "SELECT pid, coalesce(wait_event_type, '') FROM pg_stat_activity WHERE datname = current_database() "
            "AND pid <> pg_backend_pid() AND backend_type = 'client backend'"
        )
        return dict(cursor.fetchall())


def kill_there(run_id: int, statement: str) -> None:
    with hold(statement):
        before = read_others().keys()  # perhaps with connections that other tests have left open

        def list_waits() -> list[str]:
            return [waits_for for pid, waits_for in read_others().items() if pid not in before]

        process = start_process(run_id)
        try:
            wait_for("the process at its point", lambda: "Lock" in list_waits() or process.poll() is not None)
            assert process.poll() is None, "The process came to its end."
        finally:
            process.kill()
            process.wait()
    wait_for("the server to notice", lambda: not list_waits())


@pytest.mark.postgresql
def test_processes_killed_one_after_the_other_end_as_one_that_lives(stage: Stage) -> None:
    keys = {
        "faulty": stage.faulty.pk,
        "newcomer": stage.new.participants.get().person_id,
        "changed": stage.changed.pk,
        "message": ExceptionMessage.objects.get(status="active__v").pk,
    }
    restore = take_vault_snapshot()
    living = Mortal()
    with living.live():
        work(living)
    undisturbed = describe_generated()
    restore()

    queue = Mortal()
    written = []
    with queue.live():
        start_now(definition=get_definition(), user=None)
        for statement in _WHERE_IT_WAITS.values():
            kill_there(queue.messages[-1], statement.format(**keys))
            written.append(Activity.objects.filter(version__gt=1).count())
            let_time_pass()
            dispatch_due()
        execute_run(queue.messages[-1])

    assert describe_generated() == undisturbed
    assert set(rebuild_contacts().values()) == {0}
    assert written == sorted(written)
    assert written[0] == 0 < written[1]
    runs = JobRun.objects.exclude(trigger=RunTrigger.COMMAND).order_by("pk")
    assert list(runs.values_list("state", flat=True)) == [
        *[RunState.INTERRUPTED] * len(_WHERE_IT_WAITS),
        RunState.WITH_EXCEPTIONS,
    ]
