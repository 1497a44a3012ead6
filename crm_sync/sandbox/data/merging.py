"""Merging accounts, as the SOAP call `merge()` and the button Merge Accounts do it."""

# ruff: noqa: S608  names in SQL come from the schema alone; every value is a parameter

import json
from collections.abc import Mapping, Sequence
from typing import Any

from crm_sync.sandbox.data.fields import Field, SObject
from crm_sync.sandbox.data.organisation import Organisation
from crm_sync.sandbox.data.records import PlannedRow, read_record
from crm_sync.sandbox.data.row_checks import check_targets
from crm_sync.sandbox.data.visibility import NOT_HIDDEN
from crm_sync.sandbox.data.writes import write_rows
from crm_sync.sandbox.errors import ApiError

MAX_LOSERS = 2


def merge_accounts(
    organisation: Organisation,
    *,
    master_id: str,
    loser_ids: Sequence[str],
    user_id: str,
    values: Mapping[str, Any] | None = None,
    include_hidden: bool = True,
) -> list[str]:
    """Merge one or two accounts (`loser_ids`) into a third.

    The losers go into the recycle bin with the master's id as their `MasterRecordId`; what referred to them refers to
    the master, with new stamps. `values` are fields of the master to be set, as in an update: a loser's external id
    may be among them. `include_hidden`: whether hidden accounts may be merged, which the API's users may not.

    Returns the ids of the records that refer to the master now, without hidden and deleted ones. Raises ApiError and
    changes nothing when an account is missing or a value is refused.
    """
    losers = list(dict.fromkeys(loser_ids))
    if not 1 <= len(losers) <= MAX_LOSERS or master_id in losers:
        raise ApiError("INVALID_INPUT", "Name the master and one or two other accounts to merge into it.", [])
    account = organisation.schema["Account"]
    with organisation.database.transaction():
        targets = [PlannedRow(account, {}, id=identifier) for identifier in (master_id, *losers)]
        check_targets(organisation, targets, include_hidden=include_hidden)
        for target in targets:
            if target.error is not None:
                raise target.error
        stamp = organisation.stamp()
        encoded = json.dumps(losers)
        organisation.database.execute(
            'UPDATE "Account" SET "IsDeleted" = 1, "MasterRecordId" = ?, "LastModifiedDate" = ?, '
            '"LastModifiedById" = ?, "SystemModstamp" = ? WHERE "Id" IN (SELECT value FROM json_each(?))',
            (master_id, stamp, user_id, stamp, encoded),
        )
        moved: list[str] = []
        for child, field in organisation.schema.list_references_to(account):
            moved += list_children(organisation, child, field, parents=encoded)
            # The time of deletion of a deleted child is its stamp, which therefore stays.
            organisation.database.execute(
                f'UPDATE "{child.name}" SET "{field.name}" = ? WHERE "IsDeleted" = 1 '
                f'AND "{field.name}" IN (SELECT value FROM json_each(?))',
                (master_id, encoded),
            )
            organisation.database.execute(
                f'UPDATE "{child.name}" SET "{field.name}" = ?, "LastModifiedDate" = ?, "LastModifiedById" = ?, '
                f'"SystemModstamp" = ? WHERE "{field.name}" IN (SELECT value FROM json_each(?))',
                (master_id, stamp, user_id, stamp, encoded),
            )
        master = read_record(account, values or {})
        master.id = master_id
        write_rows(organisation, [master], user_id=user_id, include_hidden=include_hidden)
        if master.error is not None:
            raise master.error
    return list(dict.fromkeys(moved))


def list_children(organisation: Organisation, child: SObject, field: Field, *, parents: str) -> list[str]:
    """Return the ids of the visible records that refer to `parents`, a JSON array of ids, without deleted ones."""
    rows = organisation.database.fetch_all(
        f'SELECT "Id" FROM "{child.name}" WHERE "IsDeleted" = 0 AND "Id" {NOT_HIDDEN} '
        f'AND "{field.name}" IN (SELECT value FROM json_each(?)) ORDER BY "Id"',
        (parents,),
    )
    return [row[0] for row in rows]
