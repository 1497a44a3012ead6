"""Write the attempts of a batch in one statement."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.db import connection

from crm_sync.engine.json_rows import insert_rows
from crm_sync.models import TransferAttempt
from ctms.core.clock import get_now

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from connections.models import Integration
    from ctms.jobs.models import JobRun

_COLUMNS = ("record_uid", "crm_id", "outcome", "error_code", "values")


def write_attempts(*, run: JobRun | None, integration: Integration, noted: Sequence[Mapping[str, Any]]) -> None:
    """Write attempts, each given as `record_uid`, `crm_id`, `outcome`, `error_code` and `values`.

    The database refuses attempts of no run.
    """
    insert_rows(
        model=TransferAttempt,
        common={
            "at": connection.ops.adapt_datetimefield_value(get_now()),
            "run_id": run.pk if run is not None else None,
            "integration_id": integration.pk,
        },
        columns=_COLUMNS,
        rows=noted,
    )
