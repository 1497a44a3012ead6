"""Compares the transfer with a bare loop that sends the same batches, and with a client that sends single records."""

from __future__ import annotations

import json
import math
import resource
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any, cast

import pytest
import requests
from django.db import connection as database
from django.test.utils import CaptureQueriesContext
from requests.adapters import HTTPAdapter
from simple_salesforce.api import Salesforce

from connections.choices import IntegrationKind
from crm_sync.engine.outbound import batches, records
from crm_sync.engine.outbound import run as outbound_run
from crm_sync.engine.outbound.run import OutboundRun
from crm_sync.models import IntegrationRun
from crm_sync.sandbox.serving.running import RunningOrganisation
from ctms.audit.services import save_record
from ctms.core.choices import RecordStatus
from tests.benchmarks.conftest import SandboxProcess, StartSandbox
from tests.crm_sync.world import World, build_world
from tests.factories.base import build_admin_actor
from tests.factories.bulk import create_activities, create_people

pytestmark = [pytest.mark.django_db, pytest.mark.both_databases, pytest.mark.timeout(1800)]
OUT = IntegrationKind.CALL_OUTBOUND
OBJECT = "Vault_Clinical_Interaction_vod__c"
KEY = "Vault_External_ID_vod__c"
BATCH = 200
ROUNDS = {0: 3, 50: 2, 200: 2}
"""Rounds by delay: the longer a call takes, the less two rounds differ."""
ReportFigure = Callable[..., None]


def build_bench_world(sandbox: SandboxProcess, *, people: int) -> tuple[World, list[Any]]:
    """Return a world that only sends activities, and people whose accounts an earlier transfer has matched."""
    made = create_people(people)
    create_activities(people, people=made)
    return connect_bench_world(sandbox, people=made), made


def connect_bench_world(
    sandbox: SandboxProcess, *, people: list[Any], name: str = "NA", transfers: bool = True
) -> World:
    """Return a world that only sends activities and, if it `transfers`, has sent those that there are."""
    world = build_world(crm=cast("RunningOrganisation", sandbox), name=name)
    for integration in world.connection.integrations.exclude(kind=OUT):
        integration.status = RecordStatus.INACTIVE
        save_record(record=integration, actor=build_admin_actor())
    world.add_accounts(people)
    if transfers:
        world.transfer()
    return world


def transfer(world: World, *, expected: int) -> tuple[float, IntegrationRun]:
    begun = time.perf_counter()
    run = world.transfer()
    seconds = time.perf_counter() - begun
    part = IntegrationRun.objects.get(run=run, integration__kind=OUT)
    assert part.created == expected, run.log
    return seconds, part


class PlainAdapter(HTTPAdapter):
    """Sends over HTTP what simple-salesforce always addresses to HTTPS, as the sandbox here speaks HTTP only."""

    def send(self, request: requests.PreparedRequest, *args: Any, **kwargs: Any) -> requests.Response:
        request.url = (request.url or "").replace("https://", "http://", 1)
        return super().send(request, *args, **kwargs)


class BareSession:
    """A logged-in HTTP session without any further logic, to compare the transfer with."""

    def __init__(self, sandbox: SandboxProcess, *, concurrency: int = 1) -> None:
        app, user = sandbox.connected_app, sandbox.user
        self.base_url = sandbox.base_url
        self.http = requests.Session()
        self.http.mount("http://", HTTPAdapter(pool_maxsize=concurrency))
        self.token = self.http.post(
            f"{sandbox.base_url}/services/oauth2/token",
            data={
                "grant_type": "password",
                "client_id": app.client_id,
                "client_secret": app.client_secret,
                "username": user.username,
                "password": user.password,
            },
            timeout=10,
        ).json()["access_token"]

    def send(self, body: bytes) -> None:
        answer = self.http.patch(
            f"{self.base_url}/services/data/v60.0/composite/sobjects/{OBJECT}/{KEY}",
            data=body,
            headers={"Authorization": f"Bearer {self.token}", "Content-Type": "application/json"},
            timeout=60,
        )
        answer.raise_for_status()


def build_bodies(world: World, *, count: int, prefix: str = "bare") -> list[bytes]:
    """Return request bodies with `count` records as the transfer sent them, under other external ids."""
    rows = world.list_interactions()[-count:]
    payloads = [
        {"attributes": {"type": OBJECT}}
        | {name: value for name, value in row.items() if name.endswith("_vod__c") and value is not None}
        | {KEY: f"{prefix}-{number}"}
        for number, row in enumerate(rows)
    ]
    return [
        json.dumps({"allOrNone": False, "records": payloads[start : start + BATCH]}).encode()
        for start in range(0, count, BATCH)
    ]


def send_all(bare: BareSession, bodies: list[bytes], *, concurrency: int) -> float:
    """Send the bodies, so many at once, and return the seconds."""
    begun = time.perf_counter()
    with ThreadPoolExecutor(max_workers=concurrency) as pool:
        for _ in pool.map(bare.send, bodies):
            pass
    return time.perf_counter() - begun


@pytest.mark.parametrize(
    ("latency_ms", "count", "bar"), [(0, 20_000, "≥ 0.6"), (50, 20_000, "≥ 0.95"), (200, 20_000, "≥ 0.95")]
)
def bench_against_a_bare_loop(
    start_sandbox: StartSandbox, report_figure: ReportFigure, latency_ms: int, count: int, bar: str
) -> None:
    """Each round has a transfer and a bare loop that sends the same batches, as many at once; the best of each counts.

    The loop sends what is ready: it reads, maps and stores nothing.
    """
    ours, theirs = [], []
    with start_sandbox() as sandbox:
        world, people = build_bench_world(sandbox, people=1000)
        sandbox.set_latency(milliseconds=latency_ms)
        bare = BareSession(sandbox, concurrency=world.connection.concurrency)
        for number in range(ROUNDS[latency_ms]):
            create_activities(count, people=people)
            seconds, _ = transfer(world, expected=count)
            ours.append(seconds)
            bodies = build_bodies(world, count=count, prefix=f"bare-{number}")
            theirs.append(send_all(bare, bodies, concurrency=world.connection.concurrency))
    report_figure(
        row="P1",
        what=f"rate of the transfer ÷ bare loop, {world.connection.concurrency} calls at once, {count:,} records, "
        f"{latency_ms} ms ({count / min(ours):,.0f}/s)",
        figure=f"{min(theirs) / min(ours):.2f}",
        bar=bar,
    )


def bench_processor_time(start_sandbox: StartSandbox, report_figure: ReportFigure) -> None:
    """Processor time of the process that transfers, by stage; the database and the CRM have processes of their own."""
    count = 20_000
    with start_sandbox() as sandbox:
        world, people = build_bench_world(sandbox, people=1000)
        create_activities(count, people=people)
        with count_stages() as spent:
            begun, begun_thread = time.process_time(), time.thread_time()
            transfer(world, expected=count)
            whole, in_thread = time.process_time() - begun, time.thread_time() - begun_thread
    stages = dict(spent) | {
        "network threads: spelling, packing, sending, reading answers": whole - in_thread,
        "the rest: candidates, selection, accounts, counting": in_thread - sum(spent.values()),
    }
    for name, seconds in stages.items():
        what = f"ms of processor per 1,000 records: {name}"
        report_figure(row="P1", what=what, figure=f"{seconds * 1e6 / count:.1f}", bar="—")
    report_figure(
        row="P1", what="ms of processor per 1,000 records, all", figure=f"{whole * 1e6 / count:.1f}", bar="≤ 60"
    )


@contextmanager
def count_stages() -> Iterator[dict[str, float]]:
    """Count the processor time of the job's thread in reading, mapping and writing."""
    spent = {"reading records": 0.0, "mapping and digests": 0.0, "writing links and attempts": 0.0}

    def count(stage: str, function: Callable[..., Any]) -> Callable[..., Any]:
        def counted(*args: Any, **options: Any) -> Any:
            begun = time.thread_time()
            try:
                return function(*args, **options)
            finally:
                spent[stage] += time.thread_time() - begun

        return counted

    def read_records(**options: Any) -> Iterator[Any]:
        rows = original(**options)
        step = count("reading records", lambda: next(rows, None))
        while (found := step()) is not None:
            yield found

    original = records.read_records
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(outbound_run, "read_records", read_records)
        patch.setattr(OutboundRun, "_prepare", count("mapping and digests", OutboundRun._prepare))
        patch.setattr(outbound_run, "write_links", count("writing links and attempts", batches.write_links))
        yield spent


def bench_against_record_by_record(start_sandbox: StartSandbox, report_figure: ReportFigure) -> None:
    singles, count = 200, 4000
    with start_sandbox() as sandbox:
        world, people = build_bench_world(sandbox, people=200)
        create_activities(count, people=people)
        sandbox.set_latency(milliseconds=20)
        ours, _ = transfer(world, expected=count)
        session = requests.Session()
        session.mount("https://", PlainAdapter())
        client = Salesforce(
            instance_url=sandbox.base_url, session_id=BareSession(sandbox).token, version="60.0", session=session
        )
        rows = json.loads(build_bodies(world, count=singles)[0])["records"]
        begun = time.perf_counter()
        for row in rows:
            values = {name: value for name, value in row.items() if name not in ("attributes", KEY)}
            getattr(client, OBJECT).upsert(f"{KEY}/{row[KEY]}", values)
        theirs = time.perf_counter() - begun
    figure = (theirs / singles) / (ours / count)
    report_figure(row="P2", what="rate of the transfer ÷ record by record, 20 ms", figure=f"{figure:.1f}", bar="≥ 15")


def bench_calls_and_statements(start_sandbox: StartSandbox, report_figure: ReportFigure) -> None:
    counts = (200, 2000, 20_000)
    statements, calls = {}, {}
    with start_sandbox() as sandbox:
        world, people = build_bench_world(sandbox, people=200)
        for count in counts:
            create_activities(count, people=people)
            with CaptureQueriesContext(database) as captured:
                _, part = transfer(world, expected=count)
            statements[count], calls[count] = len(captured), part.api_calls
    least = sum(math.ceil(count / BATCH) for count in counts)
    growth = (statements[20_000] - statements[200]) / ((20_000 - 200) / BATCH)
    report_figure(row="P3", what="API calls ÷ least possible", figure=f"{sum(calls.values()) / least:.2f}", bar="1.00")
    report_figure(row="P4", what=f"SQL statements per batch {statements}", figure=f"{growth:.2f}", bar="≤ 6")


def bench_bad_records(start_sandbox: StartSandbox, report_figure: ReportFigure) -> None:
    count = 10_000
    with start_sandbox() as sandbox:
        world, people = build_bench_world(sandbox, people=1000)
        create_activities(count, people=people)
        clean, _ = transfer(world, expected=count)
        create_activities(count * 99 // 100, people=people)
        create_activities(count // 100, people=people, subject="x" * 300)
        dirty, part = transfer(world, expected=count * 99 // 100)
        assert part.failed == count // 100
    report_figure(row="P9", what="1 % bad records ÷ clean run", figure=f"{dirty / clean:.2f}", bar="≤ 1.1")


def bench_a_run_without_changes(start_sandbox: StartSandbox, report_figure: ReportFigure) -> None:
    with start_sandbox() as sandbox:
        world, people = build_bench_world(sandbox, people=1000)
        create_activities(10_000, people=people)
        transfer(world, expected=10_000)
        run = world.transfer()
        part = IntegrationRun.objects.get(run=run, integration__kind=OUT)
        assert (part.sent, part.received) == (0, 0)
    report_figure(row="P8", what="API calls of a run without changes", figure=str(part.api_calls), bar="≤ 1")


def measure_peak() -> int:
    """Return the peak resident memory of this process so far, in MB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
