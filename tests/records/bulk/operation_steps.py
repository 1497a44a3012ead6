"""Steps that the tests of operations share."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import pytest
from django.test import Client

from ctms.audit.models import AuditEntry
from ctms.jobs.models import JobRun
from ctms.records.bulk import runner
from ctms.records.models import BulkOperation
from ctms.records.writing.bulk_write import RowDraft
from tests.records.bulk.steps import confirm, upload

ACTIVITY, STUDY = "crm_activity__v", "study__v"


ROWS = 7


class ProcessDiedError(BaseException):
    """Stands for the death of the worker process; no code handles it."""


class WatchedWork:
    """The work of an operation that calls a function after its n-th plan."""

    def __init__(self, work: Any, act: Callable[[int, Sequence[RowDraft]], None]) -> None:
        self.access, self._work, self._act = work.access, work, act
        self.planned = 0

    def plan(self, start: int, stop: int) -> list[RowDraft]:
        drafts: list[RowDraft] = self._work.plan(start, stop)
        self.planned += 1
        self._act(self.planned, drafts)
        return drafts


def watch(monkeypatch: pytest.MonkeyPatch, act: Callable[[int, Sequence[RowDraft]], None]) -> None:
    open_work = runner.open_work
    monkeypatch.setattr(runner, "open_work", lambda operation: WatchedWork(open_work(operation), act))


def confirm_import(client: Client, *, mode: str = "valid", rows: int = ROWS) -> BulkOperation:
    content = "Study number\n" + "".join(f"S-{number}\n" for number in range(rows))
    operation = upload(client, STUDY, content, key="name__v")
    confirm(client, operation, mode=mode)
    return operation


def get_run(operation: BulkOperation) -> JobRun:
    return JobRun.objects.filter(unit_key=str(operation.uid)).latest("id")


def count_created() -> dict[str, int]:
    """Count the audit entries that created each study, by its number."""
    names = list(AuditEntry.objects.filter(object_name=STUDY, action="created").values_list("record_name", flat=True))
    return {name: names.count(name) for name in names}
