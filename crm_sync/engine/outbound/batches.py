"""Send a batch of records or deletions in one call, and write links and failures for its results."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from django.db import DataError, IntegrityError, transaction

from crm_sync.choices import AttemptOutcome
from crm_sync.engine.exception_items import build_failure, build_unwritten, describe_row_error, name_row_cause
from crm_sync.engine.links import store_links
from crm_sync.engine.mapping import MappingProblem
from crm_sync.models import TransferLink
from exceptions_log.choices import ErrorType

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from uuid import UUID

    from crm_sync.crm.errors import RowResult
    from crm_sync.engine.links import AnyLink
    from crm_sync.engine.run_session import IntegrationSession

# Errors of the database that are about a row and not about the database itself.
_ROW_ERRORS = (IntegrityError, DataError)
_LINK_FIELDS = (
    "crm_id",
    "version",
    "dependency_version",
    "digest",
    "deletion_base",
    "state",
    "pending",
    "crm_modstamp",
)


@dataclass(slots=True, kw_only=True)
class Item:
    """One record to send, or a deletion to show (`record` is None)."""

    link: AnyLink
    payload: dict[str, Any]
    record: Any = None
    before: dict[str, Any] | None = None  # what the CRM has in these fields, which a dry run reads


@dataclass(slots=True, kw_only=True)
class Batch:
    """The items of one call, and the links that are written without a call."""

    items: list[Item] = field(default_factory=list)
    settled: list[AnyLink] = field(default_factory=list)
    is_update: bool
    # What is sent with each record beside its payload: the CRM field for the call-back session, if a rule names one.
    handed: dict[str, str] = field(default_factory=dict, repr=False)


def call_crm(session: IntegrationSession, batch: Batch) -> list[RowResult] | None:
    """Send a batch and return a result per item; None if it is empty.

    Runs in a thread of the pipeline, so it must not use the database. Raises LeaseLostError and CrmError.
    """
    if not batch.items:
        return None
    # After this run lost its lease, another run may have sent newer values than those read here.
    session.run.stop_if_lease_ran_out()
    crm, plan, handed = session.run.crm, session.plan, batch.handed  # not in payloads, which are kept
    key = plan.external_id_field
    if batch.is_update:
        # With its external id, so that a record whose external id was changed in the CRM gets it back.
        changes = {item.link.crm_id: {key: str(item.link.record_uid), **item.payload, **handed} for item in batch.items}
        return crm.update(object_name=plan.crm_object, records=changes, allow_duplicates=plan.allow_duplicates)
    records = [{key: str(item.link.record_uid), **item.payload, **handed} for item in batch.items]
    return crm.upsert(
        object_name=plan.crm_object, external_id_field=key, records=records, allow_duplicates=plan.allow_duplicates
    )


def write_links(session: IntegrationSession, links: Sequence[AnyLink], *, counted: Mapping[UUID | None, str]) -> None:
    """Write links and progress in one transaction that renews the lease.

    If the database refuses a link, the others are written, its record gets an exception item and the next run takes it
    again. `counted` names, by UID, the column of `Counts` in which a record was counted that did not fail or wait.
    """
    session.show_progress()
    if session.run.dry_run or not links:
        return
    try:
        with transaction.atomic():
            session.run.renew_lease()
            store_links(links, columns=_LINK_FIELDS)
            session.write_attempts()
    except _ROW_ERRORS:
        refused = _write_acceptable(session, links)
    else:
        refused = []
    session.forget_attempts()
    for link, error in refused:
        if link.pending:
            continue  # counted and reported as failed, or waiting for a parent
        if column := counted.get(link.record_uid):
            session.counts.recount_as_failed(column)
        if session.recorder is not None:
            session.recorder.add(build_unwritten(plan=session.plan, link=link, error=error))


def store_acceptable(links: Sequence[AnyLink], *, columns: Sequence[str]) -> list[tuple[AnyLink, Exception]]:
    """Write links in the caller's transaction; return those that the database refuses, each with its error.

    What is refused is found by halves, each in a savepoint: one bad link among 200 takes some 16 statements more.
    """
    try:
        with transaction.atomic():
            store_links(links, columns=columns)
    except _ROW_ERRORS as error:
        if len(links) == 1:
            return [(links[0], error)]
        middle = len(links) // 2
        return [
            *store_acceptable(links[:middle], columns=columns),
            *store_acceptable(links[middle:], columns=columns),
        ]
    return []


def _write_acceptable(session: IntegrationSession, links: Sequence[AnyLink]) -> list[tuple[AnyLink, Exception]]:
    """Write the links that the database takes; mark those that it refuses as pending, and return them.

    A record whose CRM record was answered for another one is sent again too, because it was overwritten there.
    """
    with transaction.atomic():
        session.run.renew_lease()
        refused = store_acceptable(links, columns=_LINK_FIELDS)
        store_links(
            [
                TransferLink(integration=session.integration, record_uid=link.record_uid, pending=True)
                for link, _ in refused
            ],
            columns=("version", "pending"),
        )
        overwritten = TransferLink.objects.filter(
            integration=session.integration, crm_id__in=[link.crm_id for link, _ in refused if link.crm_id]
        )
        overwritten.update(pending=True, version=0, digest="")
        session.write_attempts()
    return refused


def describe_refusal(
    session: IntegrationSession, *, item: Item, result: RowResult, prefix: str = ""
) -> list[MappingProblem]:
    """Return the CRM's errors for a record as problems; each message begins with `prefix`."""
    name = session.integration.connection.name
    return [
        MappingProblem(
            error_type=ErrorType.REJECTED,
            message=prefix + describe_row_error(error=error, payload=item.payload, crm_name=name),
            cause=prefix + name_row_cause(error),
        )
        for error in result.errors
    ]


def note_refusal(session: IntegrationSession, *, item: Item, result: RowResult) -> None:
    """Note that the CRM refused a record; its values stand in the exception item."""
    codes = ", ".join(dict.fromkeys(error.code for error in result.errors))
    session.note_attempt(link=item.link, outcome=AttemptOutcome.REFUSED, values={}, error_code=codes)


def fail_item(
    session: IntegrationSession,
    *,
    link: AnyLink,
    record: Any,
    problems: list[MappingProblem],
    payload: dict[str, Any],
) -> None:
    """Count a record as failed and add its problems to the User Exceptions."""
    session.fail(
        build_failure(
            vault_object=session.plan.vault_object,
            record=record,
            record_uid=link.record_uid,
            problems=problems,
            payload=payload,
            crm_id=link.crm_id,
        )
    )
