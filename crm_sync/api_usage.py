"""How many API calls an organisation has left, and how many a transfer takes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.db.models import Sum

from crm_sync.errors import ConfigurationError
from crm_sync.models import IntegrationRun

if TYPE_CHECKING:
    from connections.models import Connection
    from crm_sync.client import CrmClient


def read_usage(client: CrmClient) -> tuple[int, int] | None:
    """Calls used and allowed in 24 hours; None if the CRM does not tell. Raises CrmError.

    Where the CRM user may not read the limits, the head of the last answer says the same.
    """
    try:
        limits = client.get_limits()
    except ConfigurationError:
        return client.api_usage
    daily = limits.get("DailyApiRequests")
    allowed, left = (daily.get("Max"), daily.get("Remaining")) if isinstance(daily, dict) else (None, None)
    if isinstance(allowed, int) and isinstance(left, int):
        return allowed - left, allowed
    return client.api_usage


def count_calls_of_last_run(connection: Connection) -> int:
    """API calls that the last finished transfer of a connection took; 0 before the first one."""
    runs = IntegrationRun.objects.filter(integration__connection=connection)
    last = runs.exclude(finished_at=None).order_by("-started_at").values_list("run_id", flat=True).first()
    return runs.filter(run_id=last).aggregate(calls=Sum("api_calls"))["calls"] or 0
