"""D2: sealing and verifying an audit trail of a million entries, on the database of the run; memory stays flat."""

from __future__ import annotations

import time
import tracemalloc
from collections.abc import Callable

import pytest
from django.db import connection

from ctms.audit.chain import Head
from ctms.audit.models import AuditEntry, AuditSeal
from ctms.audit.sealing import seal_entries
from ctms.audit.verification import verify_trail

pytestmark = [pytest.mark.both_databases, pytest.mark.django_db(transaction=True)]
ENTRIES, TRACED = 1_000_000, 100_000

_NUMBERS = {
    "postgresql": "SELECT generate_series(1, %s)",
    "sqlite": "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < %s) SELECT i FROM n",
}
_NOW = {"postgresql": "now()", "sqlite": "strftime('%%Y-%%m-%%d %%H:%%M:%%f', 'now')"}
_INSERT = """
INSERT INTO audit_auditentry (
    at, written_at, transaction_number, actor_name, source, reference, action, object_name, record_name, changes, reason
)
SELECT {now}, {now}, 0, 'Ada Admin', 'page', '', 'changed', 'clinical_activity__v', 'ACT-12345678',
    '{{"subject": ["Visit one", "Visit two"], "complete": [false, true], "channel": ["video__v", "phone__v"]}}', ''
FROM ({numbers}) AS n
"""


def write_entries(count: int) -> None:
    with connection.cursor() as cursor:
        statement = _INSERT.format(now=_NOW[connection.vendor], numbers=_NUMBERS[connection.vendor])
        cursor.execute(statement, [count])
        if connection.vendor == "postgresql":
            cursor.execute("VACUUM ANALYZE audit_auditentry")


@pytest.mark.timeout(1800)
def bench_sealing_and_verifying_a_million_entries(report_figure: Callable[..., None]) -> None:
    write_entries(ENTRIES)
    begun = time.perf_counter()
    seal_entries()
    sealed = time.perf_counter() - begun
    assert AuditSeal.objects.count() == AuditEntry.objects.count() > ENTRIES
    begun = time.perf_counter()
    result = verify_trail()
    verified = time.perf_counter() - begun
    assert result.holds, result.findings[:3]
    begun = time.perf_counter()
    assert seal_entries() == 0
    nothing = time.perf_counter() - begun
    seal = AuditSeal.objects.get(position=ENTRIES - TRACED)
    tracemalloc.start()
    verify_trail(since=Head(position=seal.position, hash=bytes(seal.hash)))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    name = f"{connection.vendor}, {ENTRIES:,} entries"
    report_figure(row="D2", what=f"seconds to verify ({name})", figure=f"{verified:.1f}", bar="≤ 60")
    report_figure(row="D2", what=f"seconds to seal at first ({name})", figure=f"{sealed:.1f}", bar="—")
    report_figure(row="D2", what=f"seconds of a tick that finds nothing ({name})", figure=f"{nothing:.2f}", bar="≤ 1")
    report_figure(row="D2", what="MB that verifying takes at most", figure=f"{peak / 1e6:.0f}", bar="≤ 50")
