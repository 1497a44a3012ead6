"""C8: what it costs to keep every attempt, compared with a transfer that keeps none."""

from __future__ import annotations

import math
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest

from crm_sync.engine.run_session import IntegrationSession
from crm_sync.models import TransferAttempt
from tests.benchmarks.bench_generator import count_statements
from tests.benchmarks.bench_transfer import BATCH, build_bench_world, transfer
from tests.factories.bulk import create_activities

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.benchmarks.conftest import StartSandbox

pytestmark = [pytest.mark.postgresql, pytest.mark.django_db(transaction=True), pytest.mark.timeout(1800)]
COUNT, ROUNDS = 10_000, 4


@contextmanager
def keep_no_attempts() -> Iterator[None]:
    """Let transfers neither note nor write attempts."""

    def do_nothing(*_: Any, **__: Any) -> None:
        pass

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(IntegrationSession, "note_attempt", do_nothing)
        patch.setattr(IntegrationSession, "write_attempts", do_nothing)
        yield


def bench_attempts(start_sandbox: StartSandbox, report_figure: Callable[..., None]) -> None:
    """Each round has a transfer with attempts and one without; the best of each count, as other work only delays."""
    seconds: dict[bool, list[float]] = {True: [], False: []}
    statements: dict[bool, list[int]] = {True: [], False: []}
    with start_sandbox() as sandbox:
        world, people = build_bench_world(sandbox, people=1000)
        for number in range(ROUNDS):
            for is_kept in (True, False) if number % 2 else (False, True):
                create_activities(COUNT, people=people)
                before = TransferAttempt.objects.count()
                with count_statements() as counted:
                    if is_kept:
                        took, _ = transfer(world, expected=COUNT)
                    else:
                        with keep_no_attempts():
                            took, _ = transfer(world, expected=COUNT)
                assert TransferAttempt.objects.count() - before == (COUNT if is_kept else 0)
                seconds[is_kept].append(took)
                statements[is_kept].append(counted[0])
    more = (min(statements[True]) - min(statements[False])) / math.ceil(COUNT / BATCH)
    report_figure(
        row="C8",
        what=f"seconds with attempts kept ÷ none, {COUNT:,} records ({COUNT / min(seconds[True]):,.0f}/s)",
        figure=f"{min(seconds[True]) / min(seconds[False]):.2f}",
        bar="≤ 1.15",
    )
    report_figure(row="C8", what="statements more for each batch of 200", figure=f"{more:.2f}", bar="≤ 1")
