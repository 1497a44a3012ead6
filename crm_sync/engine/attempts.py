"""Write the attempts of a batch in one statement, which takes them all as one JSON text.

With a parameter for each value of each row, as `bulk_create` makes it, a statement costs several times as much.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from django.core.serializers.json import DjangoJSONEncoder
from django.db import connection

from crm_sync.models import TransferAttempt
from ctms.core.clock import get_now

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from connections.models import Integration
    from ctms.jobs.models import JobRun

# How each database reads the JSON text as rows, in the order of the columns. SQLite stores a UUID without hyphens.
_ROWS = {
    "postgresql": (
        'record_uid, crm_id, outcome, error_code, "values" FROM jsonb_to_recordset(%s) '
        'AS noted (record_uid uuid, crm_id text, outcome text, error_code text, "values" jsonb)'
    ),
    "sqlite": (
        "replace(json_extract(value, '$.record_uid'), '-', ''), json_extract(value, '$.crm_id'), "
        "json_extract(value, '$.outcome'), json_extract(value, '$.error_code'), json_extract(value, '$.values') "
        "FROM json_each(%s)"
    ),
}


def write_attempts(*, run: JobRun | None, integration: Integration, noted: Sequence[Mapping[str, Any]]) -> None:
    """Write attempts, each given as `record_uid`, `crm_id`, `outcome`, `error_code` and `values`.

    The database refuses attempts of no run.
    """
    if not noted:
        return
    run_id = run.pk if run is not None else None
    at = connection.ops.adapt_datetimefield_value(get_now())
    with connection.cursor() as cursor:
        cursor.execute(
            f"INSERT INTO {TransferAttempt._meta.db_table} "
            '(at, run_id, integration_id, record_uid, crm_id, outcome, error_code, "values") '
            f"SELECT %s, %s, %s, {_ROWS[connection.vendor]}",
            [at, run_id, integration.pk, json.dumps(noted, cls=DjangoJSONEncoder)],
        )
