"""P7: peak memory of a fresh process. P11: ten connections, on one process and on two."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

import pytest
from django.conf import settings
from django.db import connection

from crm_sync.jobs import TRANSFER_JOB_KEY, build_unit
from ctms.jobs.models import JobDefinition
from ctms.jobs.services import create_run
from tests.benchmarks.bench_transfer import build_bench_world, connect_bench_world
from tests.factories.bulk import create_activities, create_people

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from tests.benchmarks.conftest import StartSandbox
    from tests.crm_sync.world import World

pytestmark = [pytest.mark.postgresql, pytest.mark.django_db(transaction=True), pytest.mark.timeout(3600)]
SMALL, LARGE = 10_000, 200_000
CONNECTIONS, OF_EACH = 10, 2000


def queue_run(world: World) -> int:
    definition = JobDefinition.objects.get(key=TRANSFER_JOB_KEY)
    return create_run(definition=definition, unit=build_unit(world.connection), user=None).pk


def execute(*runs: Sequence[int]) -> list[dict[str, Any]]:
    """Execute each list of runs in a process of its own, all at once, and return what they print."""
    environment = os.environ | {
        "DJANGO_SETTINGS_MODULE": "ctms.settings.test",
        "BENCHMARK_DATABASE": connection.settings_dict["NAME"],
        "CRM_SANDBOX_ORIGINS": ",".join(f"{host}={url}" for host, url in settings.CRM_SANDBOX_ORIGINS.items()),
    }
    started = [
        subprocess.Popen(
            [sys.executable, "-m", "tests.benchmarks.transfer_in_process", *map(str, keys)],
            cwd=settings.BASE_DIR,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )
        for keys in runs
    ]
    answers = [json.loads(process.communicate()[0].splitlines()[-1]) for process in started]
    assert {state for answer in answers for state in answer["states"]} == {"succeeded"}, answers
    return answers


def bench_peak_memory_of_a_fresh_process(start_sandbox: StartSandbox, report_figure: Callable[..., None]) -> None:
    peaks = {}
    with start_sandbox() as sandbox:
        world, people = build_bench_world(sandbox, people=1000)
        for count in (SMALL, LARGE):
            for _ in range(count // SMALL):
                create_activities(SMALL, people=people)
            (answer,) = execute([queue_run(world)])
            peaks[count] = answer["peak_mb"]
    report_figure(
        row="P7",
        what=f"peak memory of a fresh process, {LARGE:,} records ({peaks[LARGE]:.0f} MB) ÷ {SMALL:,} "
        f"({peaks[SMALL]:.0f} MB)",
        figure=f"{peaks[LARGE] / peaks[SMALL]:.2f}",
        bar="≤ 1.2",
    )


def bench_ten_connections_on_two_processes(start_sandbox: StartSandbox, report_figure: Callable[..., None]) -> None:
    """Each process starts as a worker's does, so its start counts in both."""
    seconds = {}
    people = create_people(20)
    create_activities(20, people=people)
    with ExitStack() as stack:
        worlds = []
        for number in range(CONNECTIONS):
            sandbox = stack.enter_context(start_sandbox(name=f"c{number}"))
            worlds.append(connect_bench_world(sandbox, people=people, name=f"C{number}"))
            sandbox.set_latency(milliseconds=50)
        for processes in (1, 2):
            create_activities(OF_EACH, people=people)
            runs = [queue_run(world) for world in worlds]
            begun = time.perf_counter()
            execute(*(runs[start::processes] for start in range(processes)))
            seconds[processes] = time.perf_counter() - begun
    report_figure(
        row="P11",
        what=f"{CONNECTIONS} connections with {OF_EACH:,} records each, 50 ms: 2 processes ({seconds[2]:.1f} s) ÷ 1 "
        f"({seconds[1]:.1f} s)",
        figure=f"{seconds[1] / seconds[2]:.2f}",
        bar="≥ 1.8",
    )
