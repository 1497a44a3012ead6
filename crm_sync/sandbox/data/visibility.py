"""Records that are hidden from the users of the API, as by sharing rules. The pages and `list_records` show them.

A hidden record is absent from queries, retrievals and lists of changes. It still takes part in what holds for the whole
organisation: its unique values are taken, and an upsert by its external id finds it.
"""

import json
from collections.abc import Iterable

from crm_sync.sandbox.data.organisation import Organisation

# A condition on the id column of a table whose hidden records are to be left out.
NOT_HIDDEN = "NOT IN (SELECT record_id FROM sandbox_hidden)"


def hide_records(organisation: Organisation, *, record_ids: Iterable[str]) -> None:
    """Hide records from the users of the API. Hiding leaves the records' stamps as they are."""
    organisation.database.execute_many(
        "INSERT OR IGNORE INTO sandbox_hidden (record_id) VALUES (?)", [(identifier,) for identifier in record_ids]
    )


def show_records(organisation: Organisation, *, record_ids: Iterable[str]) -> None:
    """Show hidden records again, with the stamps that they have."""
    organisation.database.execute(
        "DELETE FROM sandbox_hidden WHERE record_id IN (SELECT value FROM json_each(?))",
        (json.dumps(list(record_ids)),),
    )


def list_hidden(organisation: Organisation, *, record_ids: Iterable[str]) -> set[str]:
    """Return which of the given records are hidden, in one statement."""
    return {
        row[0]
        for row in organisation.database.fetch_all(
            "SELECT record_id FROM sandbox_hidden WHERE record_id IN (SELECT value FROM json_each(?))",
            (json.dumps(list(record_ids)),),
        )
    }
