"""Start a preview of a connection's transfer, and tell how the last one that was started ended."""

from __future__ import annotations

from typing import TYPE_CHECKING

from crm_sync.jobs import PREVIEW_JOB_KEY, build_unit
from ctms.jobs.models import JobDefinition, JobRun
from ctms.jobs.services import start_unit

if TYPE_CHECKING:
    from connections.models import Connection
    from ctms.accounts.models import User


def preview_now(*, connection: Connection, user: User | None) -> JobRun:
    """Queue a preview of a connection. Raises JobAlreadyRunningError."""
    definition = JobDefinition.objects.get(key=PREVIEW_JOB_KEY)
    return start_unit(definition=definition, unit=build_unit(connection), user=user)


def find_last_run(connection: Connection) -> JobRun | None:
    """Return the run of the preview that was queued last for a connection, finished or not."""
    runs = JobRun.objects.filter(definition__key=PREVIEW_JOB_KEY, unit_key=build_unit(connection).key)
    return runs.order_by("-pk").first()
