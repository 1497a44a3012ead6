"""P14: seconds from a commit to the CRM, as it happens. P15: the wait of a small connection beside a large first load.

With workers of Celery, Redis and PostgreSQL, as an installation has them. P14 takes a minute and a half of edits by
default; BENCHMARK_MINUTES asks for more, and BENCHMARK_LARGE for fewer records of P15.
"""

from __future__ import annotations

import itertools
import os
import statistics
import time
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Any

import pytest
from django.conf import settings
from django.db import transaction

from activities.models import Activity
from connections.choices import IntegrationKind, Pace
from connections.models import Connection
from crm_sync.choices import AttemptOutcome
from crm_sync.jobs import TRANSFER_JOB_KEY, build_unit
from crm_sync.live import waking
from crm_sync.models import IntegrationRun, TransferAttempt
from ctms.audit.services import save_record
from ctms.core.choices import RecordStatus
from ctms.core.clock import get_now
from ctms.jobs import queue
from ctms.jobs.choices import UNFINISHED_STATES, RunState
from ctms.jobs.models import JobDefinition, JobRun
from ctms.jobs.services import start_unit
from tests.benchmarks.bench_transfer import connect_bench_world
from tests.factories.base import build_admin_actor
from tests.factories.bulk import create_activities, create_people
from tests.reliability.conftest import build_database_url, send_through
from tests.reliability.processes import Installation

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from datetime import datetime
    from pathlib import Path
    from uuid import UUID

    from tests.benchmarks.conftest import SandboxProcess, StartSandbox
    from tests.crm_sync.world import World

pytestmark = [pytest.mark.postgresql, pytest.mark.django_db(transaction=True), pytest.mark.timeout(1800)]
OUT = IntegrationKind.CALL_OUTBOUND
CONNECTIONS, EDITS_A_MINUTE = 10, 1000
MINUTES = float(os.environ.get("BENCHMARK_MINUTES", "1.5"))
LATENCY_MS = 50
LARGE, STEP, PROBES = int(os.environ.get("BENCHMARK_LARGE", "200_000")), 10_000, 20
PATIENCE_SECONDS = 120


@contextmanager
def install(redis_url: str, directory: Path) -> Iterator[Installation]:
    """Yield an installation on the database of this test, whose workers reach the sandboxes that there are now."""
    with pytest.MonkeyPatch.context() as patch:
        send_through(redis_url, monkeypatch=patch)
        patch.setattr(waking, "current_app", vars(queue)["current_app"])
        installation = Installation(
            broker_url=redis_url,
            environment={
                "DATABASE_URL": build_database_url(),
                "SECRET_KEY": settings.SECRET_KEY,
                "FIELD_ENCRYPTION_KEYS": ",".join(settings.FIELD_ENCRYPTION_KEYS),
                "ALLOWED_HOSTS": "localhost,vault.example.org",
                "VAULT_BASE_URL": "https://vault.example.org",
                "RELIABILITY_SANDBOX_ORIGINS": ",".join(
                    f"{host}={url}" for host, url in settings.CRM_SANDBOX_ORIGINS.items()
                ),
            },
            directory=directory,
        )
        try:
            yield installation
        finally:
            installation.kill_all()


def wait_until(what: str, condition: Callable[[], bool], *, seconds: float = PATIENCE_SECONDS) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"Waited {seconds:.0f} seconds in vain for {what}."
        time.sleep(0.2)


def find_p95(values: list[float]) -> float:
    return statistics.quantiles(values, n=20)[-1]


# -- P14 -----------------------------------------------------------------------------------------------


def bench_from_commit_to_crm(
    start_sandbox: StartSandbox, report_figure: Callable[..., None], redis_url: str, tmp_path: Path
) -> None:
    """Each edit is of another record, and goes to every connection. It counts until its attempt is written.

    The attempt is written after the CRM has answered, so that the figure is a little more than it should be.
    """
    edits = int(EDITS_A_MINUTE * MINUTES)
    people = create_people(20)
    create_activities(edits, people=people)
    with ExitStack() as stack:
        for number in range(CONNECTIONS):
            sandbox = stack.enter_context(start_sandbox(name=f"c{number}"))
            world = connect_bench_world(sandbox, people=people, name=f"C{number}")
            world.transfer()  # what was just created counts as unseen until a later run
            sandbox.set_latency(milliseconds=LATENCY_MS)
        for connection in Connection.objects.all():
            connection.pace = Pace.AS_IT_HAPPENS
            save_record(record=connection, actor=build_admin_actor())
        installation = stack.enter_context(install(redis_url, tmp_path))
        for workers, queues in ((1, "ticks"), (4, "live"), (1, "transfers")):
            installation.start(workers=workers, queues=queues)
        committed = edit_steadily(edits)
        wait_until("the last edits in the CRM", lambda: count_arrived(committed) == len(committed) * CONNECTIONS)
        seconds = list_seconds(committed)
    report_figure(
        row="P14",
        what=f"seconds from commit to CRM, p95 of {len(seconds):,} ({edits:,} edits at {EDITS_A_MINUTE:,} a minute, "
        f"{CONNECTIONS} connections, {LATENCY_MS} ms; median {statistics.median(seconds):.1f})",
        figure=f"{find_p95(seconds):.1f}",
        bar="≤ 5",
    )


def edit_steadily(edits: int) -> dict[UUID, datetime]:
    """Edit this many records, each in a transaction of its own, and return when each was committed."""
    committed: dict[UUID, datetime] = {}
    begun = time.monotonic()
    for number, activity in enumerate(Activity.objects.order_by("pk")[:edits]):
        time.sleep(max(begun + number * 60 / EDITS_A_MINUTE - time.monotonic(), 0))
        activity.subject = f"Edit {number}"
        with transaction.atomic():
            save_record(record=activity, actor=build_admin_actor())
        committed[activity.uid] = get_now()
    return committed


def list_arrived(committed: dict[UUID, datetime]) -> list[tuple[UUID, datetime]]:
    """Return record and time of each edit that a connection has sent."""
    sent = TransferAttempt.objects.filter(outcome=AttemptOutcome.UPDATED, record_uid__in=committed)
    first: dict[tuple[int, Any], datetime] = {}
    for integration, uid, at in sent.order_by("id").values_list("integration", "record_uid", "at"):
        first.setdefault((integration, uid), at)
    return [(uid, at) for (_, uid), at in first.items()]


def count_arrived(committed: dict[UUID, datetime]) -> int:
    return len(list_arrived(committed))


def list_seconds(committed: dict[UUID, datetime]) -> list[float]:
    return [max((at - committed[uid]).total_seconds(), 0.0) for uid, at in list_arrived(committed)]


# -- P15 -----------------------------------------------------------------------------------------------


def bench_small_beside_large(
    start_sandbox: StartSandbox, report_figure: Callable[..., None], redis_url: str, tmp_path: Path
) -> None:
    """Two processes of the worker: the small connection has a place beside the large load."""
    people = create_people(20)
    with ExitStack() as stack:
        sandboxes = {name: stack.enter_context(start_sandbox(name=name)) for name in ("small", "large")}
        small = connect_bench_world(sandboxes["small"], people=people, name="SMALL")
        for _ in range(LARGE // STEP):
            create_activities(STEP, people=people)
        small.transfer()
        small.transfer()  # what was just created counts as unseen until a later run
        large = connect_large(sandboxes["large"], people=people, name="LARGE")
        for sandbox in sandboxes.values():
            sandbox.set_latency(milliseconds=LATENCY_MS)
        with install(redis_url, tmp_path) as installation:
            installation.start(workers=2, queues="transfers")
            alone, beside, load = probe(small=small, large=large)
    took = (load.finished_at - load.started_at).total_seconds() if load.finished_at and load.started_at else 0
    report_figure(
        row="P15",
        what=f"wait of a small connection, p95 of {len(beside)} beside a first load of {LARGE:,} ({took:.0f} s) ÷ "
        f"p95 of {len(alone)} alone ({find_p95(alone):.2f} s), two places for transfers, {LATENCY_MS} ms",
        figure=f"{find_p95(beside) / find_p95(alone):.2f}",
        bar="≤ 2",
    )


def probe(*, small: World, large: World) -> tuple[list[float], list[float], JobRun]:
    """Return the seconds that the small transfers took alone, and beside the large one, and the run of that."""
    number = itertools.count()
    run_small(small, number=next(number))  # the workers import what they need
    alone = [run_small(small, number=next(number)) for _ in range(PROBES)]
    load = start(large)
    wait_until("the first records of the large load", lambda: has_begun(load))
    beside = []
    while is_unfinished(load):
        beside.append(run_small(small, number=next(number)))
    load.refresh_from_db()
    assert load.state == RunState.SUCCEEDED, load.message
    assert IntegrationRun.objects.get(run=load, integration__kind=OUT).created == LARGE, load.log
    return alone, beside, load


def connect_large(sandbox: SandboxProcess, *, people: list[Any], name: str) -> World:
    """Connect an organisation that has the accounts and nothing else; its first load is still to come."""
    world = connect_bench_world(sandbox, people=people, name=name, transfers=False)
    assert not TransferAttempt.objects.filter(integration__connection=world.connection).exists()
    return world


def start(world: World) -> JobRun:
    definition = JobDefinition.objects.get(key=TRANSFER_JOB_KEY)
    return start_unit(definition=definition, unit=build_unit(world.connection), user=None)


def has_begun(load: JobRun) -> bool:
    return TransferAttempt.objects.filter(run=load).exists()


def is_unfinished(run: JobRun) -> bool:
    return JobRun.objects.filter(pk=run.pk, state__in=UNFINISHED_STATES).exists()


def run_small(world: World, *, number: int) -> float:
    """Edit 20 records, start the transfer of the small connection, and return the seconds until it has ended."""
    for activity in Activity.objects.order_by("pk")[:20]:
        activity.subject = f"Probe {number}"
        save_record(record=activity, actor=build_admin_actor())
    run = start(world)
    begun = time.monotonic()
    deadline = begun + PATIENCE_SECONDS
    while is_unfinished(run):
        assert time.monotonic() < deadline, "The small transfer did not end."
        time.sleep(0.01)
    took = time.monotonic() - begun
    part = IntegrationRun.objects.get(run=run, integration__kind=OUT)
    assert (part.updated, part.integration.status) == (20, RecordStatus.ACTIVE), part.run.message
    return took
