"""Plants 1,000 corruptions among 100,000 records: all found, none false, in flat memory and few calls."""

from __future__ import annotations

import math
import time
from random import Random
from typing import TYPE_CHECKING, cast

import pytest

from tests.benchmarks.bench_transfer import measure_peak
from tests.crm_sync.reconciliation.conftest import list_words, reconcile_world, repair_all
from tests.crm_sync.reconciliation.corruptions import CALL, OBJECT, Corruptor
from tests.crm_sync.world import build_world

if TYPE_CHECKING:
    from collections.abc import Callable

    from crm_sync.sandbox.serving.running import RunningOrganisation
    from tests.benchmarks.conftest import StartSandbox

pytestmark = [pytest.mark.django_db, pytest.mark.both_databases, pytest.mark.timeout(1800)]
RECORDS, CORRUPTIONS, PAGE = 100_000, 1000, 2000


def bench_corruptions(start_sandbox: StartSandbox, report_figure: Callable[..., None]) -> None:
    with start_sandbox() as sandbox:
        world = build_world(crm=cast("RunningOrganisation", sandbox))
        corruptor = Corruptor(world=world, random=Random(10))  # noqa: S311  repeatable, not secret
        corruptor.transfer_records(records=RECORDS, deleted=60)
        corruptor.plant(CORRUPTIONS)
        rows = [
            len(sandbox.organisation.database.fetch_all(f'SELECT 1 FROM "{name}"'))  # noqa: S608  names of the sandbox
            for name in (OBJECT, CALL)
        ]
        before = measure_peak()
        begun = time.perf_counter()
        found = reconcile_world(world)
        seconds = time.perf_counter() - begun
        after = measure_peak()
        words = list_words(found)
        false = sum(corruptor.expected.get(key) != word for key, word in words.items())
        repair_all(world, found)
        left = reconcile_world(world).unexplained
    # The log-in, studies and sites; each difference is looked at once more, up to 200 a call and by two keys.
    least = 3 + sum(math.ceil(number / PAGE) for number in rows)
    report_figure(row="R10", what=f"corruptions found of {CORRUPTIONS:,}", figure=str(len(words)), bar="= planted")
    report_figure(row="R10", what=f"false among {RECORDS:,}", figure=str(false), bar="0")
    report_figure(row="R10", what="unexplained after one repair", figure=str(left), bar="0")
    report_figure(
        row="R10",
        what=f"API calls beyond ⌈n/2000⌉ ({found.api_calls})",
        figure=str(found.api_calls - least),
        bar="≤ 25",
    )
    report_figure(
        row="R10",
        what=f"peak memory ÷ before ({before} MB; {seconds:.0f} s, {sum(rows) / seconds:,.0f} rows/s)",
        figure=f"{after / before:.2f}",
        bar="≤ 1.2",
    )
