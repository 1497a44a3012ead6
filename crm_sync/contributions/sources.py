"""What reports can be about of the transfer: its runs, links, attempts and reconciliations."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from connections.models import Connection, Integration
from crm_sync.models import Difference, IntegrationRun, Reconciliation, TransferAttempt, TransferLink
from ctms.accounts.policies import has_limit, list_visible
from ctms.reports.sources import Lookup, SetupSource, SourceObject, register_source

if TYPE_CHECKING:
    from django.db.models import QuerySet

    from ctms.accounts.models import User

INTEGRATION_RUNS, RECONCILIATIONS, DIFFERENCES = "integration_run__sys", "reconciliation__sys", "difference__sys"
LINKS, ATTEMPTS = "transfer_link__sys", "transfer_attempt__sys"
# As the console's pages of them ask.
_READ_INTEGRATIONS = f"{Integration.object_name}:read"
_CHANGE_CONNECTIONS = f"{Connection.object_name}:edit"

_PLACE = {
    "connection__sys": Lookup("integration__connection"),
    "integration__sys": Lookup("integration"),
    "integration_kind__sys": Lookup("integration__kind", "Integration kind"),
}
_COUNTS = ("selected", "sent", "received", "created", "updated", "deleted", "unchanged", "failed", "blocked")


def register_transfer_sources() -> None:
    """Register the sources; called once, when the app is ready."""
    register_source(
        SetupSource(
            vault_object=SourceObject(model=IntegrationRun, source_name=INTEGRATION_RUNS),
            columns={
                **_PLACE,
                "state__sys": Lookup("state"),
                "started_date__sys": Lookup("started_at", "Started"),
                "finished_date__sys": Lookup("finished_at", "Finished"),
                **{f"{name}__sys": Lookup(name) for name in _COUNTS},
                "api_calls__sys": Lookup("api_calls", "API calls"),
            },
            permission=_READ_INTEGRATIONS,
            limit=_limit,
        )
    )
    register_source(
        SetupSource(
            vault_object=SourceObject(model=TransferLink, source_name=LINKS),
            columns={
                **_PLACE,
                "crm_id__sys": Lookup("crm_id"),
                "account_id__sys": Lookup("account_id", "Account id"),
                "state__sys": Lookup("state"),
                "pending__sys": Lookup("pending"),
                "crm_modified_date__sys": Lookup("crm_modstamp", "Last change in the CRM"),
            },
            permission=_READ_INTEGRATIONS,
            limit=_limit,
        )
    )
    register_source(
        SetupSource(
            vault_object=SourceObject(model=TransferAttempt, source_name=ATTEMPTS),
            # Not the values: they can name records that the reader does not see.
            columns={
                **_PLACE,
                "time__sys": Lookup("at", "Time"),
                "outcome__sys": Lookup("outcome"),
                "crm_id__sys": Lookup("crm_id"),
                "error_code__sys": Lookup("error_code"),
            },
            permission=_READ_INTEGRATIONS,
            limit=_limit,
        )
    )
    register_source(
        SetupSource(
            vault_object=SourceObject(model=Reconciliation, source_name=RECONCILIATIONS),
            columns={
                "connection__sys": Lookup("connection"),
                "started_date__sys": Lookup("started_at", "Started"),
                "finished_date__sys": Lookup("finished_at", "Finished"),
                "unexplained__sys": Lookup("unexplained"),
                "api_calls__sys": Lookup("api_calls"),
            },
            permission=_READ_INTEGRATIONS,
            limit=_limit,
        )
    )
    register_source(
        SetupSource(
            vault_object=SourceObject(
                model=Difference,
                source_name=DIFFERENCES,
                words=("difference of a reconciliation", "differences of reconciliations"),
            ),
            columns={
                **_PLACE,
                "reconciled_date__sys": Lookup("reconciliation__finished_at", "Reconciled"),
                "record__sys": Lookup("name", "Record"),
                "word__sys": Lookup("word", "Difference"),
                "crm_id__sys": Lookup("crm_id"),
                "repaired__sys": Lookup("is_repaired", "Repaired"),
            },
            permission=_CHANGE_CONNECTIONS,
            limit=_limit,
        )
    )


def _limit(rows: QuerySet[Any], user: User) -> QuerySet[Any]:
    """Return the rows about records that the user sees; runs are of no record. What is not finished is not shown."""
    if rows.model is Reconciliation:
        return rows.filter(finished_at__isnull=False)
    if rows.model is Difference:
        rows = rows.filter(reconciliation__finished_at__isnull=False)
    return list_visible(rows, user) if has_limit(rows.model) else rows
