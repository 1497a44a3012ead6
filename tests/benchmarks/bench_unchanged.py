"""P8: a run with nothing to transfer, over a million records that are in the CRM or came from there, on PostgreSQL."""

from __future__ import annotations

import time
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any, cast

import pytest
from django.db import connection as database

from activities.choices import ActivityType
from activities.models import Activity
from connections.choices import IntegrationKind
from crm_sync.engine.outbound.dependencies import annotate_dependencies
from crm_sync.engine.rules.compiled import CompiledIntegration
from crm_sync.engine.rules.compiling import compile_integration
from crm_sync.engine.rules.identifiers import get_identifier_mapping
from crm_sync.models import AccountMatch, IntegrationRun, TransferAttempt
from ctms.clinical.models import Person
from ctms.core.clock import get_now
from tests.benchmarks.bench_generator import count_statements
from tests.benchmarks.million import create_world, grow_to
from tests.crm_sync.world import World, build_world
from tests.factories.base import get_admin_user

if TYPE_CHECKING:
    from collections.abc import Callable

    from crm_sync.sandbox.serving.running import RunningOrganisation
    from tests.benchmarks.conftest import StartSandbox

pytestmark = [pytest.mark.postgresql, pytest.mark.django_db(transaction=True)]
RECORDS, RECEIVED = 1_000_000, 100_000
OUT, INTO = IntegrationKind.CALL_OUTBOUND, IntegrationKind.CALL_INBOUND

_RECEIVE = """
UPDATE activities_activity SET object_type = %(type)s, connection_id = %(connection)s,
    crm_id = 'a04' || lpad(id::text, 12, '0') || 'AAA'
WHERE id IN (SELECT id FROM activities_activity ORDER BY id DESC LIMIT %(received)s)
"""
_LINK_SENT = """
INSERT INTO crm_sync_transferlink (
    integration_id, record_uid, crm_id, version, dependency_version, digest, deletion_base, account_id, crm_modstamp,
    state, pending
)
SELECT %s, uid, 'a1' || lpad(id::text, 13, '0') || 'AAA', version, dependency_sum, md5(id::text), '', '', NULL,
    'live', FALSE
FROM ({records}) AS record
"""
_LINK_RECEIVED = """
INSERT INTO crm_sync_transferlink (
    integration_id, record_uid, crm_id, version, dependency_version, digest, deletion_base, account_id, crm_modstamp,
    state, pending
)
SELECT %(integration)s, activity.uid, activity.crm_id, 0, 0, md5(activity.id::text), '', match.account_id, now(),
    'live', FALSE
FROM activities_activity AS activity JOIN crm_sync_accountmatch AS match USING (person_id)
WHERE activity.connection_id = %(connection)s
"""
_AUDIT = """
INSERT INTO audit_auditentry (
    at, actor_id, actor_name, source, reference, action, object_name, record_uid, record_name, changes, reason
)
SELECT now(), %(user)s, 'Ada Admin', 'page', '', 'created', 'crm_activity__v', uid, name, '{}', ''
FROM activities_activity
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """A run with its seconds, SQL statements, and API calls by integration (the log-in is one more)."""

    seconds: float
    statements: int
    calls: dict[str, int]


def transfer_nothing(world: World) -> Measured:
    attempts = TransferAttempt.objects.count()
    with count_statements() as counted:
        begun = time.perf_counter()
        run = world.transfer()
        seconds = time.perf_counter() - begun
    parts = IntegrationRun.objects.filter(run=run).select_related("integration")
    moved = [(part.sent, part.received, part.failed, part.blocked) for part in parts]
    assert moved == [(0, 0, 0, 0)] * len(IntegrationKind), run.log
    assert TransferAttempt.objects.count() == attempts
    calls = {part.integration.kind: part.api_calls for part in parts}
    return Measured(seconds=seconds, statements=counted[0], calls=calls)


def build_unchanged_world(world: World) -> None:
    """Fill the Vault with records as they are after they were transferred, by statements in the database."""
    create_world()
    people = list(Person.objects.order_by("pk"))
    organisation = world.crm.organisation
    organisation.clock_skew = timedelta(days=-1)  # what changed lately in the CRM is read in every run
    accounts = world.add_accounts(people)
    organisation.clock_skew = timedelta(0)
    world.transfer()
    grow_to(RECORDS)
    mapping = get_identifier_mapping(world.connection)
    AccountMatch.objects.bulk_create(
        AccountMatch(
            connection=world.connection,
            person=person,
            identifier=mapping.key,
            value=str(person.external_id),
            account_id=account,
            checked_at=get_now(),
        )
        for person, account in zip(people, accounts, strict=True)
    )
    sending, receiving = (world.connection.integrations.get(kind=kind) for kind in (OUT, INTO))
    names = {"connection": world.connection.pk, "integration": receiving.pk}
    with database.cursor() as cursor:
        cursor.execute(_RECEIVE, names | {"type": ActivityType.MEDICAL, "received": RECEIVED})
        cursor.execute(_LINK_RECEIVED, names)
        link_all(cursor, compile_integration(integration=sending))
        cursor.execute(_AUDIT, {"user": get_admin_user().pk})
        cursor.execute("VACUUM ANALYZE")


def link_all(cursor: Any, plan: CompiledIntegration) -> None:
    """Link every record of an outbound integration, as it is now."""
    records = (
        annotate_dependencies(plan)
        .filter(object_type=plan.object_type)
        .values("id", "uid", "version", "dependency_sum")
    )
    statement, values = records.query.sql_with_params()
    cursor.execute(_LINK_SENT.format(records=statement), [plan.integration.pk, *values])


@pytest.mark.timeout(1800)
def bench_a_run_over_a_million_unchanged_records(
    start_sandbox: StartSandbox, report_figure: Callable[..., None]
) -> None:
    assert database.vendor == "postgresql"
    with start_sandbox() as sandbox:
        world = build_world(crm=cast("RunningOrganisation", sandbox))
        build_unchanged_world(world)
        everything = transfer_nothing(world)
        measured = [transfer_nothing(world) for _ in range(3)]
    assert Activity.objects.count() == RECORDS
    best = min(measured, key=lambda each: each.seconds)
    report_figure(
        row="P8",
        what=f"seconds of a run with nothing changed, {RECORDS:,} records ({best.statements} statements)",
        figure=f"{best.seconds:.2f}",
        bar="≤ 2",
    )
    report_figure(row="P8", what="its API calls to send", figure=str(best.calls[OUT]), bar="≤ 1")
    report_figure(
        row="P8",
        what="its API calls to receive (what changed, and what was deleted for good)",
        figure=str(best.calls[INTO]),
        bar="≤ 1",
    )
    report_figure(
        row="P8",
        what=f"seconds of a run that compares every record, as after a restore ({everything.statements} statements)",
        figure=f"{everything.seconds:.1f}",
        bar="—",
    )
