"""Keep what the CRM says of its API calls and its clock, and how many calls a connection's transfers made in a day."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final

from crm_sync.models import OrganisationProgress
from ctms.core.clock import get_now

if TYPE_CHECKING:
    from datetime import datetime

    from connections.models import Connection
    from crm_sync.crm.dialect import CrmDialect

_HOURS: Final = 24


def note_calls(*, connection: Connection, crm: CrmDialect, calls: int) -> None:
    """Add the calls of a run, and note what the CRM's last answer said; call it where the run renews its lease.

    Log-ins are no API calls, and not among them. Hours that are over for a day are forgotten, so that the row does not
    grow.
    """
    now = get_now()
    progress, _ = OrganisationProgress.objects.get_or_create(connection=connection)
    own = {hour: number for hour, number in progress.own_calls.items() if hour > _name_hour(now - timedelta(days=1))}
    hour = _name_hour(now)
    own[hour] = own.get(hour, 0) + calls
    changed: dict[str, Any] = {"own_calls": own}
    if crm.clock is not None:
        changed["clock_offset"] = crm.clock.offset
    if crm.usage is not None:
        used, allowed = crm.usage
        changed |= {"calls_used": used, "calls_allowed": allowed, "calls_read_at": now}
    OrganisationProgress.objects.filter(pk=progress.pk).update(**changed)


def count_own_calls(progress: OrganisationProgress) -> int:
    """Return the calls of the connection's transfers in the last 24 hours, those of the hour that began before."""
    first = _name_hour(get_now() - timedelta(hours=_HOURS))
    return sum(number for hour, number in progress.own_calls.items() if hour > first)


def _name_hour(moment: datetime) -> str:
    return f"{moment:%Y-%m-%dT%H}"
