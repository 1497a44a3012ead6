"""Figures of connections for Prometheus and the doctor: open exceptions, API calls of the CRMs, and their clocks."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db.models import Count

from crm_sync.crm.clocks import CLOCK_REMEDY, describe_offset, is_notable
from crm_sync.models import OrganisationProgress
from ctms.core.choices import RecordStatus
from ctms.core.clock import get_now
from ctms.machine.health.doctor import Finding, fine, problem, skipped
from ctms.machine.health.metrics import Metric
from exceptions_log.models import OPEN, ExceptionItem


@dataclass(frozen=True, slots=True, kw_only=True)
class Quota:
    """API calls of an organisation within 24 hours, as it said at `read_at`; transfers stop at `percent` of them."""

    connection: str
    used: int
    allowed: int
    percent: int
    read_at: datetime

    @property
    def is_spent(self) -> bool:
        """Whether a transfer would be refused for it."""
        return self.used * 100 >= self.allowed * self.percent


def list_connection_metrics() -> Iterable[Metric]:
    """Return open user exceptions, and API calls used and allowed within 24 hours, by connection."""
    rows = (
        ExceptionItem.objects.filter(OPEN, integration__isnull=False)
        .order_by()
        .values_list("integration__connection__name")
        .annotate(count=Count("pk"))
    )
    yield Metric(
        name="vault_exceptions_open",
        help="User exceptions that are open.",
        samples=[({"connection": name}, count) for name, count in rows],
    )
    quotas = list_quotas()
    yield Metric(
        name="vault_crm_calls_used",
        help="API calls of the organisation within 24 hours, by whomever, as its CRM last said.",
        samples=[({"connection": each.connection}, each.used) for each in quotas],
    )
    yield Metric(
        name="vault_crm_calls_allowed",
        help="API calls that the organisation may make within 24 hours.",
        samples=[({"connection": each.connection}, each.allowed) for each in quotas],
    )


def check_quotas() -> Finding:
    """Whether the CRMs have API calls left for transfers, as they said within the last day."""
    since = get_now() - timedelta(days=1)
    quotas = [each for each in list_quotas() if each.read_at > since]
    told = "; ".join(f"{each.connection}: {each.used:,} of {each.allowed:,} calls used" for each in quotas)
    spent = [each for each in quotas if each.is_spent]
    if spent:
        share = ", ".join(f"{each.connection} {each.percent} %" for each in spent)
        return problem(
            f"{told}.",
            remedy=f"Transfers wait at their share ({share}). Find out who else calls these organisations, or raise "
            "Stop at % of the API limit of the connection.",
        )
    return fine(f"{told}.") if quotas else skipped("No CRM has said within a day how many API calls are used.")


def check_clocks() -> Finding:
    """How far this Vault's clock is from that of each active connection's CRM, by its last answer to a transfer."""
    rows = (
        OrganisationProgress.objects.filter(connection__status=RecordStatus.ACTIVE, clock_offset__isnull=False)
        .order_by("connection__name")
        .values_list("connection__name", "clock_offset")
    )
    offsets = {name: offset for name, offset in rows if offset is not None}
    wrong = [name for name, offset in offsets.items() if is_notable(offset)]
    if wrong:
        told = "; ".join(f"{describe_offset(offsets[name])} the CRM of {name}" for name in wrong)
        return problem(
            f"At the last transfer the Vault's clock was {told}.",
            remedy=f"{CLOCK_REMEDY} Log-ins by certificate are refused if it is minutes wrong. The next transfer "
            "measures anew.",
        )
    return fine(f"{len(offsets)} CRMs showed the Vault's time.") if offsets else skipped("No CRM has shown its clock.")


def list_quotas() -> list[Quota]:
    """Return the API calls of each connection's organisation, as its CRM's last answer to a transfer had them."""
    rows = (
        OrganisationProgress.objects.filter(calls_used__isnull=False, calls_allowed__gt=0)
        .order_by("connection__name")
        .values_list("connection__name", "calls_used", "calls_allowed", "connection__quota_percent", "calls_read_at")
    )
    return [
        Quota(connection=name, used=used, allowed=allowed, percent=percent, read_at=read_at)
        for name, used, allowed, percent, read_at in rows
        if used is not None and allowed and read_at
    ]
