"""P10: applying received calls, compared with set-based SQL that stores the same rows."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Any, cast

import pytest
from django.db import connection as database
from django.db import transaction

from activities.models import Activity
from connections.choices import IntegrationKind
from crm_sync.engine.inbound.run import InboundRun
from crm_sync.models import IntegrationRun, TransferAttempt, TransferLink
from ctms.audit.models import AuditEntry
from ctms.audit.services import save_record
from ctms.core.choices import RecordStatus
from tests.crm_sync.world import build_world
from tests.factories.base import build_admin_actor
from tests.factories.bulk import create_people

if TYPE_CHECKING:
    from collections.abc import Callable

    from crm_sync.sandbox.serving.running import RunningOrganisation
    from tests.benchmarks.conftest import StartSandbox

pytestmark = [pytest.mark.postgresql, pytest.mark.django_db(transaction=True), pytest.mark.timeout(1800)]
CALLS, TOGETHER, ROUNDS = 10_000, 1000, 3
IN = IntegrationKind.CALL_INBOUND
_STORED = (Activity, AuditEntry, TransferLink, TransferAttempt)


def read_stored(since: dict[str, int]) -> dict[str, list[dict[str, Any]]]:
    """Return the rows that a transfer stored in each table, as the database writes them in JSON."""
    rows = {}
    with database.cursor() as cursor:
        for model in _STORED:
            table = model._meta.db_table
            cursor.execute(f"SELECT to_jsonb(t) FROM {table} t WHERE id > %s ORDER BY id", [since[table]])  # noqa: S608  names of our own
            rows[table] = [json.loads(value) if isinstance(value, str) else value for (value,) in cursor.fetchall()]
    return rows


def find_last() -> dict[str, int]:
    with database.cursor() as cursor:
        last = {}
        for model in _STORED:
            cursor.execute(f"SELECT coalesce(max(id), 0) FROM {model._meta.db_table}")  # noqa: S608  names of our own
            last[model._meta.db_table] = cursor.fetchone()[0]
    return last


def store_bare(rows: dict[str, list[dict[str, Any]]]) -> float:
    """Store the same rows under new keys, 1,000 calls in a transaction, with one statement a table; return seconds."""
    texts: list[list[tuple[str, str]]] = []
    for start in range(0, CALLS, TOGETHER):
        part = []
        for table, all_rows in rows.items():
            of_a_call = len(all_rows) // CALLS
            part.append((table, json.dumps(all_rows[start * of_a_call : (start + TOGETHER) * of_a_call])))
        texts.append(part)
    begun = time.perf_counter()
    for part in texts:
        with transaction.atomic(), database.cursor() as cursor:
            for table, text in part:
                columns = [name for name in rows[table][0] if name != "id"]
                listed = ", ".join(f'"{name}"' for name in columns)
                cursor.execute(
                    f"INSERT INTO {table} ({listed}) SELECT {listed} FROM json_populate_recordset(null::{table}, %s)",  # noqa: S608  names of our own
                    [text],
                )
    return time.perf_counter() - begun


def make_new(rows: dict[str, list[dict[str, Any]]], number: int) -> None:
    """Give the rows uids and CRM ids that are not taken."""
    for of_table in rows.values():
        for row in of_table:
            for name in ("uid", "record_uid"):
                if row.get(name):
                    row[name] = f"{number:08x}{row[name][8:]}"
            if row.get("crm_id"):
                row["crm_id"] = f"b{number:02d}{row['crm_id'][3:]}"


def bench_applying_calls(start_sandbox: StartSandbox, report_figure: Callable[..., None]) -> None:
    ours, theirs = [], []
    with start_sandbox() as sandbox:
        world = build_world(crm=cast("RunningOrganisation", sandbox))
        for integration in world.connection.integrations.exclude(kind=IN):
            integration.status = RecordStatus.INACTIVE
            save_record(record=integration, actor=build_admin_actor())
        accounts = world.add_accounts(create_people(1000))
        world.transfer()
        for number in range(1, ROUNDS + 1):
            world.add_calls(accounts * (CALLS // 1000))
            since = find_last()
            spent = [0.0]
            with pytest.MonkeyPatch.context() as patch:
                patch.setattr(InboundRun, "execute", _count(InboundRun.execute, spent))
                run = world.transfer()
            assert IntegrationRun.objects.get(run=run, integration__kind=IN).created == CALLS, run.log
            ours.append(spent[0])
            rows = read_stored(since)
            make_new(rows, number)
            theirs.append(store_bare(rows))
    report_figure(
        row="P10",
        what=f"rate of receiving and applying {CALLS:,} calls ({CALLS / min(ours):,.0f}/s) ÷ SQL that stores the rows",
        figure=f"{min(theirs) / min(ours):.2f}",
        bar="≥ 0.5",
    )


def _count(function: Callable[..., Any], spent: list[float]) -> Callable[..., Any]:
    def counted(*args: Any, **options: Any) -> Any:
        begun = time.perf_counter()
        try:
            return function(*args, **options)
        finally:
            spent[0] += time.perf_counter() - begun

    return counted
