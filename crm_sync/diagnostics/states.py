"""Say of connections how they are: OK, with exceptions, failing, silent, paused, unfinished or inactive.

The first of these that holds is said:

- *Inactive*: an admin made it so. Without URL or Authorization it is *Unfinished* instead.
- *Paused*.
- *Unfinished*: URL, Authorization or a secret is missing, every integration is Inactive, or no run has ended yet.
- *Silent*: no run has ended for longer than the schedule allows; see `ctms.jobs.silence`.
- *Failing*: the last run failed, an integration did, or one will, because a required field rule is Inactive.
- *With exceptions*: there are open exceptions of records.
- *OK*: none of these.

The number of statements is the same for one connection and for ten.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from django.db.models import Count, IntegerField, Max, Min, OuterRef, Q, Subquery, prefetch_related_objects
from django.db.models.functions import Coalesce

from connections.choices import Pace
from connections.models import Connection, FieldRule, Integration
from connections.secret_origins import list_lacking_secrets
from crm_sync.choices import ConnectionStateKey, LinkState
from crm_sync.jobs import TRANSFER_JOB_KEY, build_scheduled_unit
from crm_sync.live.words import describe_delay
from crm_sync.models import TransferLink
from crm_sync.units import TRANSFER_JOB_KEYS
from ctms.core.choices import RecordStatus
from ctms.core.clock import format_time
from ctms.jobs.choices import SUCCESS_STATES, RunState
from ctms.jobs.models import JobRun
from ctms.jobs.silence import ENDED, find_silences
from exceptions_log.models import INTEGRATION_KEY, ExceptionItem

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence
    from datetime import datetime

    from ctms.jobs.silence import Silence

# More records of a connection are not counted for its state: "3 of 10,000+".
MOST_COUNTED = 10_000


@dataclass(frozen=True, slots=True, kw_only=True)
class ConnectionState:
    """The state of one connection.

    `since` is when it began, None if that is not known. `failed` counts records with an open exception; `of` counts the
    records that the connection knows, up to 10,001, and is 0 if none fails. `sentence` says why. `last_ended_at` and
    `last_run_id` are of the last transfer that ended.
    """

    key: ConnectionStateKey
    since: datetime | None
    failed: int
    of: int
    sentence: str
    last_ended_at: datetime | None = None
    last_run_id: int | None = None

    @property
    def label(self) -> str:
        """The state in words, such as `With exceptions (162 of 167)`."""
        if self.key == ConnectionStateKey.WITH_EXCEPTIONS:
            return f"{self.key.label} ({self.failed:,} of {describe_count(self.of)})"
        return str(self.key.label)

    @property
    def is_ok(self) -> bool:
        return self.key == ConnectionStateKey.OK

    @property
    def failed_percent(self) -> float:
        """The share of records that fail; 0 if none does."""
        return 100 * self.failed / self.of if self.of else 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class _Facts:
    """What was read for all connections, by their keys and, for runs, by their UIDs."""

    runs: dict[str, JobRun]
    bad_since: dict[str, datetime]
    silences: dict[str, Silence]
    exceptions: dict[int, dict[str, Any]]
    known: dict[int, int]
    working: Collection[int]
    broken_rules: dict[int, FieldRule]


@dataclass(frozen=True, slots=True)
class _Verdict:
    key: ConnectionStateKey
    sentence: str
    since: datetime | None = None


def list_connection_states(connections: Sequence[Connection]) -> dict[int, ConnectionState]:
    """Return the state of each of these connections by its key."""
    chosen = list(connections)
    if not chosen:
        return {}
    prefetch_related_objects(chosen, "authorization", "schedule")
    if live := [each for each in chosen if each.pace == Pace.AS_IT_HAPPENS]:
        prefetch_related_objects(live, "live_progress")
    facts = _Facts(
        runs=_read_last_runs(chosen),
        bad_since=_find_bad_since(chosen),
        silences=find_silences(key=TRANSFER_JOB_KEY, units=[build_scheduled_unit(each) for each in chosen]),
        exceptions=_count_exceptions(chosen),
        known=_count_known(chosen),
        working=set(
            Integration.objects.filter(
                connection__in=chosen, status=RecordStatus.ACTIVE, rule__status=RecordStatus.ACTIVE
            ).values_list("connection", flat=True)
        ),
        broken_rules=_find_broken_rules(chosen),
    )
    return {connection.pk: _judge(connection, facts) for connection in chosen}


def describe_count(number: int) -> str:
    """Return a number of records that was counted up to 10,001 in words, such as `10,000+`."""
    return f"{MOST_COUNTED:,}+" if number > MOST_COUNTED else f"{number:,}"


def _judge(connection: Connection, facts: _Facts) -> ConnectionState:
    failed = facts.exceptions.get(connection.pk, {}).get("open", 0)
    known = max(failed, facts.known.get(connection.pk, 0)) if failed else 0
    verdict = (
        _judge_set_up(connection, facts)
        or _judge_runs(connection, facts)
        or _judge_records(connection, facts, failed=failed, known=known)
    )
    run = facts.runs.get(str(connection.uid))
    return ConnectionState(
        key=verdict.key,
        since=verdict.since,
        failed=failed,
        of=known,
        sentence=verdict.sentence,
        last_ended_at=run.finished_at if run else None,
        last_run_id=run.pk if run else None,
    )


def _judge_set_up(connection: Connection, facts: _Facts) -> _Verdict | None:
    """Say why nothing can be transferred, or is meant to be; None if nothing is in the way."""
    lacking = _find_lacking(connection)
    if connection.status != RecordStatus.ACTIVE:
        if not connection.url or connection.authorization is None:
            return _Verdict(ConnectionStateKey.UNFINISHED, lacking)
        return _Verdict(ConnectionStateKey.INACTIVE, "It is Inactive: nothing is transferred.")
    if (paused_at := getattr(connection, "paused_at", None)) is not None:
        return _Verdict(ConnectionStateKey.PAUSED, _describe_pause(connection), paused_at)
    if not lacking and connection.pk not in facts.working:
        lacking = "Every integration is Inactive, so that nothing is transferred."
    return _Verdict(ConnectionStateKey.UNFINISHED, lacking) if lacking else None


def _judge_runs(connection: Connection, facts: _Facts) -> _Verdict | None:
    """Say what is wrong with the runs; None if the last one worked."""
    unit_key = str(connection.uid)
    if silence := facts.silences.get(unit_key):
        return _Verdict(ConnectionStateKey.SILENT, silence.sentence, silence.since)
    run, exceptions = facts.runs.get(unit_key), facts.exceptions.get(connection.pk, {})
    if failing := _find_failure(connection=connection, run=run, exceptions=exceptions, facts=facts):
        since = min((each for each in (facts.bad_since.get(unit_key), failing[1]) if each), default=None)
        return _Verdict(ConnectionStateKey.FAILING, failing[0], since)
    if run is None:
        sentence = "No transfer has run yet. Start Now shows whether both sides agree."
        return _Verdict(ConnectionStateKey.UNFINISHED, sentence)
    return None


def _judge_records(connection: Connection, facts: _Facts, *, failed: int, known: int) -> _Verdict:
    if failed:
        fails = "record fails" if failed == 1 else "records fail"
        sentence = f"{failed:,} of {describe_count(known)} {fails}; see the exceptions."
        return _Verdict(ConnectionStateKey.WITH_EXCEPTIONS, sentence, facts.exceptions[connection.pk]["first"])
    run = facts.runs[str(connection.uid)]
    sentence = f"The last transfer ended at {format_time(run.finished_at)}. {run.message}"
    return _Verdict(ConnectionStateKey.OK, f"{sentence} {describe_delay(connection)}".strip())


def _find_lacking(connection: Connection) -> str:
    """Return what is missing before anything can be transferred; empty if nothing is."""
    if not connection.url:
        return "It has no URL yet. Edit it and enter that of the CRM organisation."
    authorization = connection.authorization
    if authorization is None:
        return "No Authorization is chosen. Edit it and choose one."
    if authorization.status != RecordStatus.ACTIVE:
        return f"The Authorization {authorization.name} is Inactive. Make it Active."
    secrets = list_lacking_secrets(authorization=authorization, url=connection.url)
    if secrets:
        return f"{authorization.name} {secrets[0].reason}. Use {' and '.join(each.action for each in secrets)}."
    return ""


def _describe_pause(connection: Any) -> str:
    by = f" by {connection.paused_by}" if getattr(connection, "paused_by_id", None) else ""
    reason = getattr(connection, "pause_reason", "")
    return f"Paused{by}: nothing is transferred until it is resumed." + (f" Reason: {reason}" if reason else "")


def _find_failure(
    *, connection: Connection, run: JobRun | None, exceptions: dict[str, Any], facts: _Facts
) -> tuple[str, datetime | None] | None:
    """Return why it fails, and since when as far as an integration tells; None if it does not fail."""
    if exceptions.get("failed_integrations"):
        return exceptions["failure"], exceptions["failing_since"]
    if run is not None and run.state in (RunState.FAILED, RunState.INTERRUPTED):
        return run.message or f"The last transfer {run.get_state_display().lower()}.", None
    if rule := facts.broken_rules.get(connection.pk):
        integration = rule.rule.integration
        sentence = (
            f"The field rule “{rule.name}” of {integration.name} is required and Inactive, so that the integration "
            "transfers nothing. Make it Active."
        )
        return sentence, rule.modified_at
    return None


def _read_last_runs(connections: list[Connection]) -> dict[str, JobRun]:
    """Return the last ended run by UID of the connection, in one statement."""
    runs = JobRun.objects.filter(definition__key__in=TRANSFER_JOB_KEYS, state__in=ENDED)
    last = Q()
    for connection in connections:
        latest = runs.filter(unit_key=str(connection.uid)).order_by("-pk").values("pk")[:1]
        last |= Q(pk=Subquery(latest))
    return {run.unit_key: run for run in JobRun.objects.filter(last).order_by().defer("log", "result")}


def _find_bad_since(connections: list[Connection]) -> dict[str, datetime]:
    """Return by UID when the first of the failed runs ended that no successful one followed."""
    runs = JobRun.objects.filter(
        definition__key__in=TRANSFER_JOB_KEYS, unit_key__in=[str(connection.uid) for connection in connections]
    )
    good = (
        JobRun.objects.filter(
            definition__key__in=TRANSFER_JOB_KEYS, unit_key=OuterRef("unit_key"), state__in=SUCCESS_STATES
        )
        .order_by()
        .values("unit_key")
        .annotate(newest=Max("pk"))
        .values("newest")
    )
    rows = (
        runs.filter(state__in=(RunState.FAILED, RunState.INTERRUPTED))
        .filter(pk__gt=Coalesce(Subquery(good), 0))
        .order_by()
        .values_list("unit_key")
        .annotate(first=Min("finished_at"))
    )
    return {unit_key: first for unit_key, first in rows if first is not None}


def _count_exceptions(connections: list[Connection]) -> dict[int, dict[str, Any]]:
    of_integration = Q(key__startswith=INTEGRATION_KEY)
    is_open = Q(dismissed_at=None) & ~of_integration
    rows = (
        ExceptionItem.objects.filter(message__connection__in=connections, resolved_at=None)
        .order_by()
        .values("message__connection")
        .annotate(
            open=Count("pk", filter=is_open),
            first=Min("first_failed_at", filter=is_open),
            # Dismissed ones are counted too, because the integration still fails.
            failed_integrations=Count("pk", filter=of_integration),
            failing_since=Min("first_failed_at", filter=of_integration),
            failure=Min("error_message", filter=of_integration),
        )
    )
    return {row["message__connection"]: dict(row) for row in rows}


class _CappedCount(Subquery):
    """Counts the rows of a query that ends with a limit."""

    template = "(SELECT COUNT(*) FROM (%(subquery)s) capped)"
    output_field = IntegerField()


def _count_known(connections: list[Connection]) -> dict[int, int]:
    """Return how many records the Active integrations of each connection know, up to 10,001."""
    links = (
        TransferLink.objects.filter(
            integration__connection=OuterRef("pk"), integration__status=RecordStatus.ACTIVE, state=LinkState.LIVE
        )
        .order_by()
        .values("pk")[: MOST_COUNTED + 1]
    )
    rows = Connection.objects.filter(pk__in=[each.pk for each in connections]).annotate(known=_CappedCount(links))
    return dict(rows.values_list("pk", "known"))


def _find_broken_rules(connections: list[Connection]) -> dict[int, FieldRule]:
    """Return one required and Inactive field rule of an Active integration by connection."""
    rules = (
        FieldRule.objects.filter(
            is_required=True,
            status=RecordStatus.INACTIVE,
            rule__status=RecordStatus.ACTIVE,
            rule__integration__status=RecordStatus.ACTIVE,
            rule__integration__connection__in=connections,
        )
        .select_related("rule__integration")
        .order_by("-modified_at")
    )
    return {rule.rule.integration.connection_id: rule for rule in rules}
