"""Read how one record stands in each integration that transfers records of its object.

The word of a record is that of a reconciliation as far as the Vault knows it: no CRM is asked. The number of statements
depends neither on the number of connections nor on that of records.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from django.db.models import Max, Q, prefetch_related_objects

from connections.models import Integration
from crm_sync.choices import AttemptOutcome, LinkState, RecordWord
from crm_sync.crm.errors import ConfigurationError
from crm_sync.engine.outbound.parents import judge_parents, read_facts
from crm_sync.engine.outbound.selection import read_standing
from crm_sync.engine.rules.compiled import CompiledIntegration
from crm_sync.engine.rules.compiling import compile_integration
from crm_sync.models import TransferAttempt, TransferLink
from crm_sync.reconciliation.outbound import is_link_pending
from crm_sync.reconciliation.verdicts import build_difference
from ctms.configuration.selectors import get_application_settings
from ctms.core.choices import RecordStatus
from exceptions_log.choices import ErrorType
from exceptions_log.models import INTEGRATION_KEY
from exceptions_log.selectors import list_unresolved_items

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from connections.models import Connection
    from exceptions_log.models import ExceptionItem

# Failures of a whole connection; see docs/decisions/0004.
_OF_CONNECTIONS = (ErrorType.AUTHENTICATION, ErrorType.CONNECTIVITY, ErrorType.LIMIT)


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """How a record stands in one integration.

    `word` is None where nothing is to be said: no call of the CRM became this record. `since` is when the other side
    got it, None if that is not known any more. `failure` is the item of the record in its present state, or in an
    earlier one (`is_changed_since`); `outage` that of the whole integration. The record `is_unmarked` if the Yes/No
    field by which the rule chooses is No. `rules_error` says why no record of the integration is sent. `waits_for` is
    the label of the reference to a record that has to arrive first.
    """

    integration: Integration
    word: RecordWord | None
    link: TransferLink | None = None
    plan: CompiledIntegration | None = None
    since: datetime | None = None
    failure: ExceptionItem | None = None
    outage: ExceptionItem | None = None
    is_changed_since: bool = False
    is_unmarked: bool = False
    rules_error: str = ""
    waits_for: str = ""

    @property
    def is_there(self) -> bool:
        """Whether the CRM has the record, as far as the Vault knows."""
        return self.link is not None and bool(self.link.crm_id) and self.link.state != LinkState.DELETED_IN_CRM

    @property
    def is_at_work(self) -> bool:
        """Whether the transfer runs the integration."""
        return is_at_work(self.integration)


@dataclass(slots=True, kw_only=True)
class _Known:
    """What was read for all integrations of a record at once, by key of the integration."""

    links: Mapping[int, TransferLink]
    since: Mapping[int, datetime]
    failures: dict[int, ExceptionItem] = field(default_factory=dict)
    outages: dict[int, ExceptionItem] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Standings:
    """How a record stands in the integrations of its object and type, by connection.

    `unserved` are the active connections that send records of its object, but none of its type.
    """

    of_type: tuple[Standing, ...] = ()
    unserved: tuple[Connection, ...] = ()


def read_standings(record: Any) -> Standings:
    """Return how a record stands. Takes one statement if no integration transfers records of its type, else seven."""
    by_connection: defaultdict[int, list[Integration]] = defaultdict(list)
    integrations = Integration.objects.select_related(
        "connection", "connection__identifier_mapping", "connection__live_progress", "connection__schedule", "rule"
    )
    for integration in integrations.order_by("connection__name", "kind"):
        by_connection[integration.connection_id].append(integration)
    chosen = [each for group in by_connection.values() for each in group if _is_for(each, record)]
    unserved = tuple(group[0].connection for group in by_connection.values() if _is_unserved(group, record))
    if not chosen:
        return Standings(unserved=unserved)
    prefetch_related_objects(chosen, "rule__field_rules")
    known = _read_known(record=record, integrations=chosen)
    plans, errors = _compile(integrations=chosen, by_connection=by_connection)
    now = read_standing(plans={f"of_{pk}_": plan for pk, plan in plans.items()}, pk=record.pk) if plans else None
    standings = [
        _judge_received(integration=each, known=known)
        if each.is_inbound
        else _judge(
            integration=each,
            record=record,
            known=known,
            plan=plans.get(each.pk),
            now=now,
            error=errors.get(each.pk, ""),
        )
        for each in chosen
    ]
    return Standings(of_type=tuple(standings), unserved=unserved)


def _is_unserved(integrations: Sequence[Integration], record: Any) -> bool:
    sending = [each for each in integrations if not each.is_inbound and each.rule.vault_object == record.object_name]
    at_work = [each for each in sending if is_at_work(each)]
    return bool(at_work) and not any(_is_for(each, record) for each in integrations)


def is_at_work(integration: Integration) -> bool:
    """Whether the integration, its rule and its connection are Active."""
    parts = (integration.status, integration.rule.status, integration.connection.status)
    return all(status == RecordStatus.ACTIVE for status in parts)


def _is_for(integration: Integration, record: Any) -> bool:
    rule = integration.rule
    return rule.vault_object == record.object_name and rule.vault_object_type in (
        "",
        getattr(record, "object_type", ""),
    )


def _read_known(*, record: Any, integrations: Sequence[Integration]) -> _Known:
    """Read links, attempts and items, in three statements."""
    links = TransferLink.objects.filter(integration__in=integrations, record_uid=record.uid)
    attempts = TransferAttempt.objects.filter(
        integration__in=integrations, record_uid=record.uid, outcome=AttemptOutcome.CREATED
    )
    known = _Known(
        links={link.integration_id: link for link in links},
        since=dict(attempts.order_by().values_list("integration_id").annotate(Max("at"))),
    )
    connections = {each.connection_id for each in integrations}
    items = list_unresolved_items().filter(
        Q(record_uid=record.uid) | Q(key__startswith=INTEGRATION_KEY), integration__connection__in=connections
    )
    for item in items.select_related("dismissed_by", "integration").order_by("pk"):
        for each in integrations:
            if _concerns(item, each):
                found = known.outages if item.concerns_integration else known.failures
                found[each.pk] = item
    return known


def _concerns(item: ExceptionItem, integration: Integration) -> bool:
    """Whether the item is of the integration, or of its whole connection, with whose first integration it stands."""
    if item.integration_id == integration.pk or item.integration is None:
        return item.integration is not None
    is_of_connection = item.concerns_integration and item.error_type in _OF_CONNECTIONS
    return is_of_connection and item.integration.connection_id == integration.connection_id


def _compile(
    *, integrations: Sequence[Integration], by_connection: Mapping[int, Sequence[Integration]]
) -> tuple[dict[int, CompiledIntegration], dict[int, str]]:
    """Return the rules of the outbound integrations and the errors of those that cannot be followed, by key."""
    plans: dict[int, CompiledIntegration] = {}
    errors: dict[int, str] = {}
    common = get_application_settings()
    for integration in integrations:
        if integration.is_inbound:
            continue
        siblings = by_connection[integration.connection_id]
        try:
            plans[integration.pk] = compile_integration(integration=integration, siblings=siblings, common=common)
        except ConfigurationError as error:
            errors[integration.pk] = str(error)
    return plans, errors


def _judge_received(*, integration: Integration, known: _Known) -> Standing:
    link, failure = known.links.get(integration.pk), known.failures.get(integration.pk)
    word: RecordWord | None = None
    if link is not None:
        word = RecordWord.DELETED_ON_ONE_SIDE if link.state == LinkState.DELETED_IN_CRM else RecordWord.EQUAL
        if failure is not None:
            word = RecordWord.FAILED
    return Standing(
        integration=integration, word=word, link=link, since=known.since.get(integration.pk), failure=failure
    )


def _judge(
    *, integration: Integration, record: Any, known: _Known, plan: CompiledIntegration | None, now: Any, error: str
) -> Standing:
    link, failure = known.links.get(integration.pk), known.failures.get(integration.pk)
    prefix = f"of_{integration.pk}_"
    dependency_sum = getattr(now, f"{prefix}dependency_sum", 0)
    is_changed = failure is not None and (failure.record_version, failure.dependency_version) != (
        record.version,
        dependency_sum,
    )
    waits_for = ""
    if plan is None or now is None:
        word = RecordWord.EQUAL if link is not None and link.crm_id and not link.pending else RecordWord.PENDING
    elif not getattr(now, f"{prefix}matches"):
        word = RecordWord.FILTERED_OUT
    elif link is not None and link.state == LinkState.DELETED_IN_CRM:
        word = RecordWord.DELETED_ON_ONE_SIDE
    elif record.status == RecordStatus.INACTIVE and (link is None or not link.crm_id):
        word = RecordWord.INACTIVE_HERE
    else:
        is_pending = is_link_pending(record=record, dependency_sum=dependency_sum, link=link)
        # What differs, if anything does, is explained as a reconciliation explains it.
        verdict = build_difference(RecordWord.DIFFERS).excuse(
            failure=failure.error_type if failure is not None else None, is_pending=is_pending
        )
        word = RecordWord.EQUAL if verdict.is_difference else verdict.word
        facts = [read_facts(now, f"{prefix}parent_{number}") for number in range(len(plan.parents))]
        parents = judge_parents(plan=plan, parents=facts, states={}) if word == RecordWord.PENDING else {}
        waiting = (each.field.end for each in plan.parents if _blocks(parents.get(each.field.target)))
        waits_for = next((end.label for end in waiting if end is not None), "")
    return Standing(
        integration=integration,
        word=word,
        link=link,
        plan=plan,
        since=known.since.get(integration.pk),
        failure=failure,
        outage=known.outages.get(integration.pk),
        is_changed_since=is_changed,
        is_unmarked=plan is not None and bool(plan.filter_attribute) and not getattr(record, plan.filter_attribute),
        rules_error=error,
        waits_for=waits_for,
    )


def _blocks(parent: Any) -> bool:
    """Whether the record waits for this one: it is to be sent, and the CRM never had it."""
    return parent is not None and parent.is_eligible and parent.link_state is None
