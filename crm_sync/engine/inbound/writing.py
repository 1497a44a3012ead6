"""Write what follows from a chunk of calls; a call that the database refuses costs itself and no other."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import structlog
from django.core.exceptions import ValidationError
from django.db import DataError, IntegrityError, transaction

from crm_sync.choices import AttemptOutcome
from crm_sync.engine.inbound.rows import ROW_ERRORS
from crm_sync.engine.mapping import MappingProblem
from crm_sync.models import TransferLink
from ctms.audit.services import create_records, update_records
from ctms.configuration.field_defaults import put_all_defaults
from ctms.core.errors import StaleRecordError
from exceptions_log.choices import ErrorType

if TYPE_CHECKING:
    from collections.abc import Sequence

    from crm_sync.crm.dialect import CrmRow
    from crm_sync.engine.run_session import IntegrationSession

log = structlog.get_logger(__name__)

_LINK_FIELDS = ["record_uid", "digest", "account_id", "crm_modstamp", "state", "pending"]
_REFUSALS = (IntegrityError, DataError, StaleRecordError, ValidationError, *ROW_ERRORS)


@dataclass(slots=True, kw_only=True)
class Change:
    """What follows from one call: its link as it is to be, and the record to create or change, if any.

    `outcome` is the column of `Counts` in which the call counts; a call with `problems` counts as failed.
    """

    call: CrmRow
    link: TransferLink
    is_new_link: bool
    outcome: str = "unchanged"
    record: Any = None
    values: dict[str, Any] = field(default_factory=dict)
    before: dict[str, Any] | None = None  # what the record had, by attribute
    problems: list[MappingProblem] = field(default_factory=list)


def write_changes(*, session: IntegrationSession, changes: Sequence[Change]) -> None:
    """Write records with their audit entries, and links, in one transaction that renews the lease.

    If the database refuses them, both halves are tried, each in a transaction of its own, and so on. The change that
    remains gets a problem, and its call stays pending, so that the next run reads it again.
    """
    if not changes:
        return
    versions = [change.record.version if change.record is not None else 0 for change in changes]
    try:
        with transaction.atomic():
            session.run.renew_lease()
            _store(session=session, changes=changes)
            session.write_attempts()
    except _REFUSALS as error:
        session.forget_attempts()
        _reset(changes, versions=versions)
        if len(changes) == 1:
            _refuse(session=session, change=changes[0], error=error)
            return
        middle = len(changes) // 2
        write_changes(session=session, changes=changes[:middle])
        write_changes(session=session, changes=changes[middle:])
    else:
        session.forget_attempts()


def _store(*, session: IntegrationSession, changes: Sequence[Change]) -> None:
    actor, reason = session.run.actor, f"Received from {session.integration.connection.name}"
    created = [change.record for change in changes if change.outcome == "created"]
    put_all_defaults(created)
    create_records(records=created, actor=actor, reason=reason)
    changed = [change.record for change in changes if change.record is not None and change.outcome != "created"]
    update_records(records=changed, actor=actor, reason=reason)
    TransferLink.objects.bulk_create([change.link for change in changes if change.is_new_link])
    TransferLink.objects.bulk_create(
        [change.link for change in changes if not change.is_new_link],
        update_conflicts=True,
        unique_fields=["id"],
        update_fields=_LINK_FIELDS,
    )
    note_attempts(session=session, changes=changes)


def note_attempts(*, session: IntegrationSession, changes: Sequence[Change]) -> None:
    """Note the changes of records as attempts."""
    for change in changes:
        if change.outcome != "unchanged":
            session.note_attempt(
                link=change.link,
                outcome=AttemptOutcome(change.outcome),
                values=change.values,
                name=change.call.name if change.outcome == "created" else change.record,
                before=change.before,
            )


def _reset(changes: Sequence[Change], *, versions: Sequence[int]) -> None:
    """Take away what rows got in the transaction that was rolled back: keys of new rows, and higher versions."""
    for change, version in zip(changes, versions, strict=True):
        new: list[Any] = [change.link] if change.is_new_link else []
        if change.record is not None:
            change.record.version = version
        if change.outcome == "created":
            new.append(change.record)
        for row in new:
            row.pk, row._state.adding = None, True  # noqa: SLF001  Django's documented API


def _refuse(*, session: IntegrationSession, change: Change, error: Exception) -> None:
    log.warning("call_refused", crm_id=change.call.crm_id, error=type(error).__name__)
    if not change.problems:
        change.problems.append(_describe_refusal(record=change.record, error=error))
    with transaction.atomic():
        session.run.renew_lease()
        TransferLink.objects.update_or_create(
            integration=session.integration, crm_id=change.call.crm_id, defaults={"pending": True}
        )


def _describe_refusal(*, record: Any, error: Exception) -> MappingProblem:
    """Return why a record was refused: what its own validation says, else the type of the error.

    The text of a database's error is not shown, because it holds values.
    """
    detail = ""
    if record is not None and not isinstance(error, StaleRecordError):
        try:
            record.full_clean()
        except ValidationError as invalid:
            detail = " ".join(invalid.messages)
    if isinstance(error, StaleRecordError):
        message = f"{record} was changed by somebody while its call was received. The next run receives it again."
    elif detail:
        message = (
            f"The Vault refused the call's record: {detail} Correct the call in the CRM, the field rules, or the "
            "record that is in the way; the next run receives the call again."
        )
    else:
        message = (
            f"The Vault could not write the call's record ({type(error).__name__}). The next run tries again; if that "
            "fails, show this text and the worker's log to IT operations."
        )
    return MappingProblem(error_type=ErrorType.MAPPING, message=message)
