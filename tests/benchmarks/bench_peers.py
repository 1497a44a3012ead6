"""The transfer beside other ways to bring the same records into the same organisation."""

from __future__ import annotations

import json
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest
import requests
from simple_salesforce.api import Salesforce

from tests.benchmarks.bench_transfer import (
    KEY,
    OBJECT,
    BareSession,
    PlainAdapter,
    build_bench_world,
    build_bodies,
    send_all,
    transfer,
)
from tests.benchmarks.figures import PEERS
from tests.factories.bulk import create_activities

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.benchmarks.conftest import StartSandbox

pytestmark = [pytest.mark.postgresql, pytest.mark.django_db(transaction=True), pytest.mark.timeout(1800)]
COUNT, SINGLES = 10_000, 200


@pytest.mark.parametrize("latency_ms", [0, 20, 50])
def bench_peers(start_sandbox: StartSandbox, report_figure: Callable[..., None], latency_ms: int) -> None:
    """simple-salesforce sends fewer records, since it takes so much longer; rates compare."""
    with start_sandbox() as sandbox:
        world, people = build_bench_world(sandbox, people=200)
        create_activities(COUNT, people=people)
        sandbox.set_latency(milliseconds=latency_ms)
        threads = world.connection.concurrency
        ours, _ = transfer(world, expected=COUNT)
        bare = BareSession(sandbox, concurrency=threads)
        bodies = build_bodies(world, count=COUNT)
        loop = send_all(bare, bodies, concurrency=threads)
        session = requests.Session()
        session.mount("https://", PlainAdapter(pool_maxsize=threads))
        client = Salesforce(instance_url=sandbox.base_url, session_id=bare.token, version="60.0", session=session)

        def upsert(row: dict[str, Any]) -> None:
            values = {name: value for name, value in row.items() if name not in ("attributes", KEY)}
            getattr(client, OBJECT).upsert(f"{KEY}/{row[KEY]}", values)

        rows = [row for body in bodies for row in json.loads(body)["records"]]
        begun = time.perf_counter()
        for row in rows[:SINGLES]:
            upsert(row)
        single = time.perf_counter() - begun
        begun = time.perf_counter()
        with ThreadPoolExecutor(max_workers=threads) as pool:
            list(pool.map(upsert, rows[: SINGLES * threads]))
        threaded = time.perf_counter() - begun
    for what, rate in (
        ("the Vault's transfer: reads, maps, sends, notes links and attempts", COUNT / ours),
        (f"bare loop, ready-made batches of 200, {threads} at once: stores nothing", COUNT / loop),
        (
            f"simple-salesforce, upsert record by record in {threads} threads: stores nothing",
            SINGLES * threads / threaded,
        ),
        ("simple-salesforce, upsert record by record: stores nothing", SINGLES / single),
    ):
        report_figure(row=PEERS, what=f"records a second, {latency_ms} ms: {what}", figure=f"{rate:,.0f}", bar="—")
