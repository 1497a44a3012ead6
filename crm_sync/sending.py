"""What goes out in one call, and writing down what became of it: shared by records and deletions."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from django.db import transaction

from crm_sync.failures import build_failure, describe_row_error
from crm_sync.mapping import Problem
from crm_sync.models import TransferLink
from crm_sync.soql import build_select, chunk_values_by_url, is_in
from exceptions_log.choices import ErrorType

if TYPE_CHECKING:
    from collections.abc import Sequence

    from crm_sync.context import IntegrationSession
    from crm_sync.errors import RowResult

_LINK_FIELDS = ("crm_id", "version", "dependency_version", "digest", "deletion_base", "state", "pending")


@dataclass(slots=True, kw_only=True)
class Item:
    """One record on its way, or a deletion (`record` is None)."""

    link: TransferLink
    payload: dict[str, Any]
    record: Any = None


@dataclass(slots=True, kw_only=True)
class Batch:
    """What goes out in one call, and the links that are settled without one."""

    items: list[Item] = field(default_factory=list)
    settled: list[TransferLink] = field(default_factory=list)
    is_update: bool


def call_crm(session: IntegrationSession, batch: Batch) -> list[RowResult] | None:
    """Send a batch; None if there was nothing to send, or nothing may be. Runs in a thread: no database here."""
    if session.run.dry_run or not batch.items:
        return None
    # What a run read before it lost its lease is perhaps older than what its successor has sent.
    session.run.stop_if_lease_ran_out()
    client, plan = session.run.client, session.plan
    if batch.is_update:
        records = [{"Id": item.link.crm_id, **item.payload} for item in batch.items]
        return client.update(object_name=plan.crm_object, records=records)
    key = plan.external_id_field
    records = [{key: str(item.link.record_uid), **item.payload} for item in batch.items]
    return client.upsert(object_name=plan.crm_object, external_id_field=key, records=records)


def write_links(session: IntegrationSession, links: Sequence[TransferLink]) -> None:
    """Write links and progress in one transaction under the lease."""
    session.show_progress()
    if session.run.dry_run or not links:
        return
    with transaction.atomic():
        session.run.renew_lease()
        TransferLink.objects.bulk_create(
            links, update_conflicts=True, unique_fields=["integration", "record_uid"], update_fields=_LINK_FIELDS
        )


def find_gone(session: IntegrationSession, results: Sequence[tuple[Item, RowResult]]) -> set[str]:
    """CRM ids of refused updates whose record is really deleted.

    The CRM's answer may mean the record itself as well as one that it refers to, so the CRM is asked. A record that it
    neither has nor remembers as deleted is not gone: the CRM user may not see it, or the organisation is another one.
    """
    suspects = [item.link.crm_id for item, result in results if item.link.crm_id and _speaks_of_a_deletion(result)]
    deleted: set[str] = set()
    for ids in chunk_values_by_url(suspects):
        soql = build_select(session.plan.crm_object, ["Id", "IsDeleted"], where=is_in("Id", ids))
        pages = session.run.query(soql, include_deleted=True)
        deleted |= {str(row["Id"]) for page in pages for row in page if row["IsDeleted"]}
    return deleted


def describe_refusal(session: IntegrationSession, *, item: Item, result: RowResult, prefix: str = "") -> list[Problem]:
    """What the CRM said of a record, as problems."""
    name = session.integration.connection.name
    return [
        Problem(
            error_type=ErrorType.REJECTED,
            message=prefix + describe_row_error(error=error, payload=item.payload, crm_name=name),
        )
        for error in result.errors
    ]


def fail_item(
    session: IntegrationSession, *, link: TransferLink, record: Any, problems: list[Problem], payload: dict[str, Any]
) -> None:
    """Count a record as failed and log why."""
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


def _speaks_of_a_deletion(result: RowResult) -> bool:
    codes = {"ENTITY_IS_DELETED", "NOT_FOUND", "INVALID_CROSS_REFERENCE_KEY"}
    return any(error.code in codes and not error.fields for error in result.errors)
