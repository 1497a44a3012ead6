"""Look up a few persons in every CRM, to see whether the identifiers match."""

from __future__ import annotations

from collections import defaultdict
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from django.db.models import Count

from connections.choices import FieldRuleKind
from connections.descriptions import ACCOUNT
from connections.models import FieldRule
from crm_sync.crm.deadlines import Deadline, OutOfTimeError
from crm_sync.crm.errors import CrmError
from crm_sync.diagnostics.connection_test import CheckState
from crm_sync.diagnostics.identifier_stats import annotate_identifier
from crm_sync.dialects import open_dialect
from crm_sync.engine.identity.account_matching import spell_identifier
from crm_sync.engine.identity.organisation import refuse_other_organisation
from ctms.clinical.models import Person

if TYPE_CHECKING:
    from concurrent.futures import Future

    from django.db.models import QuerySet

    from crm_sync.crm.dialect import CrmDialect
    from crm_sync.diagnostics.identifier_stats import ConnectionMapping
    from ctms.configuration.registry import ObjectField

LOOK_UP_SECONDS = 15.0
SAMPLE = 20
_CALL_SHARE = 0.8

Accounts = dict[str, list[str]]


@dataclass(frozen=True, slots=True, kw_only=True)
class LookUp:
    """The result of the look-up in one CRM as a sentence, and what to do about it."""

    state: CheckState
    message: str
    remedy: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Pending:
    sample: dict[str, str]  # identifier → name of the person
    crm: CrmDialect
    accounts: Future[Accounts]


def look_up_samples(
    *, mappings: list[ConnectionMapping], persons: QuerySet[Person], seconds: float = LOOK_UP_SECONDS
) -> dict[int, LookUp]:
    """Look up the first persons who have an identifier, in all CRMs at once and within `seconds`.

    Returns the results by primary key of the connection, without connections that have no mapping.
    """
    deadline = Deadline(seconds=seconds)
    objects = _find_account_objects()
    samples: dict[str, dict[str, str]] = {}
    found: dict[int, LookUp] = {}
    pending: list[tuple[ConnectionMapping, _Pending]] = []
    with ExitStack() as dialects:
        for mapping in mappings:
            if mapping.identifiers is None:
                continue
            field = mapping.identifiers.person_field
            if field.api_name not in samples:
                samples[field.api_name] = _draw_sample(persons, field=field)
            sample = samples[field.api_name]
            if not sample:
                message = f"None of the first persons has a value of its own in {field.label}: nobody to look up."
                found[mapping.connection.pk] = LookUp(state=CheckState.SKIPPED, message=message)
                continue
            try:
                crm = dialects.enter_context(_open(mapping=mapping, deadline=deadline))
            except CrmError as error:
                found[mapping.connection.pk] = _fail(error)
                continue
            ask = partial(
                _find_accounts,
                crm=crm,
                account_object=objects.get(mapping.connection.pk, ACCOUNT),
                account_field=mapping.identifiers.account_field,
                values=list(sample),
            )
            pending.append((mapping, _Pending(sample=sample, crm=crm, accounts=deadline.start(ask))))
        for mapping, each in pending:
            found[mapping.connection.pk] = _finish(mapping=mapping, pending=each, deadline=deadline)
    return found


def _draw_sample(persons: QuerySet[Person], *, field: ObjectField) -> dict[str, str]:
    """Return names of the first persons by identifier, without values that several persons share."""
    rows = annotate_identifier(persons, field=field).order_by("pk").values_list("identifier", "name")
    sample = dict(rows[:SAMPLE])
    every = annotate_identifier(Person.objects.all(), field=field).filter(identifier__in=list(sample)).order_by()
    shared = every.values_list("identifier").annotate(number=Count("pk")).filter(number__gt=1)
    for identifier, _ in shared:
        sample.pop(identifier)
    return sample


def _open(*, mapping: ConnectionMapping, deadline: Deadline) -> CrmDialect:
    connection, longest = mapping.connection, deadline.seconds * _CALL_SHARE
    return open_dialect(
        connection=connection,
        connect_timeout=min(connection.connect_timeout, longest),
        read_timeout=min(connection.read_timeout, longest),
        max_attempts=1,
        retry_budget_seconds=0,
    )


def _find_account_objects() -> dict[int, str]:
    """Return the account object that the field rules of each connection name, by key of the connection."""
    rules = FieldRule.objects.filter(kind=FieldRuleKind.PERSON_ACCOUNT).exclude(reference_object="").order_by("pk")
    return dict(rules.values_list("rule__integration__connection_id", "reference_object"))


def _find_accounts(*, crm: CrmDialect, account_object: str, account_field: str, values: list[str]) -> Accounts:
    """Return account ids by the identifier value in the CRM; runs in a thread without using the database."""
    crm.log_in()
    found: Accounts = defaultdict(list)
    pages = crm.find_by_external_id(
        object_name=account_object, fields=[account_field], field_name=account_field, values=values
    )
    for page in pages:
        for row in page:
            if not row.is_deleted:
                found[spell_identifier(row.get(account_field))].append(row.crm_id)
    return found


def _finish(*, mapping: ConnectionMapping, pending: _Pending, deadline: Deadline) -> LookUp:
    try:
        accounts = deadline.wait(pending.accounts)
        refuse_other_organisation(connection=mapping.connection, organisation_id=pending.crm.organisation_id)
    except OutOfTimeError:
        return LookUp(
            state=CheckState.FAILED,
            message=f"{mapping.connection} had not answered after {deadline.seconds:g} seconds.",
            remedy="Check that the CRM is available and not slowed down, then look up again.",
        )
    except CrmError as error:
        return _fail(error)
    return _judge(sample=pending.sample, accounts=accounts)


def _judge(*, sample: dict[str, str], accounts: Accounts) -> LookUp:
    """Compare the identifiers of persons and accounts exactly, and describe the result."""
    matched = [value for value in sample if len(accounts.get(value, ())) == 1]
    doubled = [value for value in sample if len(accounts.get(value, ())) > 1]
    folded = {value.casefold(): value for value in accounts if value not in sample}
    near = [(value, folded[value.casefold()]) for value in sample if value.casefold() in folded]
    sentences = []
    if matched:
        value = matched[0]
        sentences.append(
            f"{len(matched)} of the first {len(sample)} persons with a value of their own have one account: "
            f"{sample[value]} ({value}) is the account {accounts[value][0]}."
        )
    else:
        sentences.append(f"None of the first {len(sample)} persons with a value of their own has one account.")
    remedies = []
    if doubled:
        sentences.append(f"{len(accounts[doubled[0]])} accounts have the value {doubled[0]!r}.")
        remedies.append("Correct all but one of the accounts.")
    if near:
        sentences.append(f"{near[0][0]!r} here is {near[0][1]!r} there.")
        remedies.append("Make the values equal letter by letter, case included.")
    if not matched and not remedies:
        remedies.append("Check that both identifiers name the field that holds the same value on both sides.")
    state = CheckState.WARNING if remedies else CheckState.PASSED
    return LookUp(state=state, message=" ".join(sentences), remedy=" ".join(remedies))


def _fail(error: CrmError) -> LookUp:
    return LookUp(state=CheckState.FAILED, message=error.message, remedy=error.remedy)
