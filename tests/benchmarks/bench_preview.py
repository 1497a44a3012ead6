"""Previews a first transfer of 100,000 records and 100,000 calls in flat memory."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, cast

import pytest

from tests.benchmarks.bench_transfer import measure_peak
from tests.crm_sync.preview.conftest import preview_world
from tests.crm_sync.world import build_world
from tests.factories.bulk import create_activities, create_people

if TYPE_CHECKING:
    from collections.abc import Callable

    from crm_sync.sandbox.serving.running import RunningOrganisation
    from tests.benchmarks.conftest import StartSandbox

pytestmark = [pytest.mark.django_db, pytest.mark.both_databases, pytest.mark.timeout(1800)]
FEW, MANY, STEP = 10_000, 100_000, 10_000


def bench_a_preview(start_sandbox: StartSandbox, report_figure: Callable[..., None]) -> None:
    """Rows of 10,000 and then 100,000 records each way are foreseen and kept."""
    with start_sandbox() as sandbox:
        world, people = build_world(crm=cast("RunningOrganisation", sandbox)), create_people(1000)
        accounts = world.add_accounts(people)
        peaks = {}
        before, seconds = 0, 0.0
        for total, more in ((FEW, FEW), (MANY, MANY - FEW)):
            for _ in range(more // STEP):
                create_activities(STEP, people=people)
                world.add_calls((accounts * 10)[:STEP])
            before, begun = measure_peak(), time.perf_counter()
            preview = preview_world(world)
            seconds = time.perf_counter() - begun
            peaks[total] = measure_peak()
            assert preview.rows.count() == 2 * total
    report_figure(
        row="P7",
        what=f"preview: peak memory, {2 * MANY:,} rows ({peaks[MANY]} MB) ÷ {2 * FEW:,} ({peaks[FEW]} MB; test data "
        f"took it to {before} MB; {2 * MANY / seconds:,.0f} rows/s)",
        figure=f"{peaks[MANY] / max(before, peaks[FEW]):.2f}",
        bar="≤ 1.2",
    )
