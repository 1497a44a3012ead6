"""What each user looked at or changed through the API, newest first, and no more of it than the CRM keeps."""

# ruff: noqa: S608  names in SQL come from the schema alone; every value is a parameter

import json
from collections.abc import Sequence

from crm_sync.sandbox.data.fields import SObject
from crm_sync.sandbox.data.organisation import Organisation
from crm_sync.sandbox.data.visibility import NOT_HIDDEN

MOST_RECENT = 200


def note_recent(organisation: Organisation, *, user_id: str, record_ids: Sequence[str]) -> None:
    """Make records the most recent ones of a user, the last of them first."""
    newest = [(user_id, identifier) for identifier in record_ids[-MOST_RECENT:]]
    if not newest:
        return
    with organisation.database.transaction():
        # A row that is replaced gets a new rowid, which is the order in which rows are listed.
        organisation.database.execute_many(
            "INSERT OR REPLACE INTO sandbox_recent (user_id, record_id) VALUES (?, ?)", newest
        )
        organisation.database.execute(
            "DELETE FROM sandbox_recent WHERE user_id = ? AND rowid NOT IN "
            "(SELECT rowid FROM sandbox_recent WHERE user_id = ? ORDER BY rowid DESC LIMIT ?)",
            (user_id, user_id, MOST_RECENT),
        )


def list_recent_ids(organisation: Organisation, *, user_id: str) -> list[str]:
    """Return the ids of what a user used most recently, newest first. Some may be deleted by now."""
    rows = organisation.database.fetch_all(
        "SELECT record_id FROM sandbox_recent WHERE user_id = ? ORDER BY rowid DESC", (user_id,)
    )
    return [row[0] for row in rows]


def list_recent(
    organisation: Organisation, *, user_id: str, sobject: SObject | None = None
) -> list[tuple[SObject, str, str | None]]:
    """Return object, id and name of the records that a user used most recently, newest first.

    Deleted and hidden records are left out. `sobject`: of this object alone.
    """
    identifiers = list_recent_ids(organisation, user_id=user_id)
    found: dict[str, tuple[SObject, str, str | None]] = {}
    for each in [sobject] if sobject else organisation.schema.objects:
        own = [identifier for identifier in identifiers if identifier.startswith(each.key_prefix)]
        live = ' AND "IsDeleted" = 0' if each.find_field("IsDeleted") else ""
        rows = organisation.database.fetch_all(
            f'SELECT "Id", "{each.name_field.name}" FROM "{each.name}" '
            f'WHERE "Id" IN (SELECT value FROM json_each(?)) AND "Id" {NOT_HIDDEN}{live}',
            (json.dumps(own),),
        )
        found.update({row[0]: (each, row[0], row[1]) for row in rows})
    return [found[identifier] for identifier in identifiers if identifier in found]
