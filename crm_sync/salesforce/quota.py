"""The API calls that an organisation allows, and those that were used."""

from __future__ import annotations

from typing import TYPE_CHECKING

from crm_sync.crm.errors import ConfigurationError

if TYPE_CHECKING:
    from crm_sync.salesforce.client import CrmClient


def read_usage(client: CrmClient) -> tuple[int, int] | None:
    """Return the calls used and allowed in 24 hours; None if the CRM does not say. Raises CrmError.

    If the CRM user may not read the limits, the figures come from a header of the last answer.
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
