"""The reports on the transfer that the Vault delivers."""

from __future__ import annotations

from crm_sync.contributions.sources import DIFFERENCES, INTEGRATION_RUNS
from ctms.records.fields.kinds.base import Aggregate
from ctms.reports.choices import Period
from ctms.reports.definition import GroupDefinition, MeasureDefinition, ReportDefinition, TypeDefinition
from ctms.reports.delivered import DeliveredReport, DeliveredType, register_delivered_report

RECONCILIATION = DeliveredType(
    key="reconciliation_differences",
    name="Difference of a Reconciliation",
    description="Records of which the last reconciliation of their connection could not say why both sides differ.",
    definition=TypeDefinition(primary=DIFFERENCES),
)
TRANSFERS = DeliveredType(
    key="integration_runs",
    name="Integration Run",
    description="What each run of each integration sent and received.",
    definition=TypeDefinition(primary=INTEGRATION_RUNS),
)
_PLACE = (GroupDefinition(column="connection__sys"), GroupDefinition(column="integration_kind__sys"))


def register_transfer_reports() -> None:
    """Register the reports; called once, when the app is ready."""
    register_delivered_report(
        DeliveredReport(
            key="transfer_reconciliation",
            name="Transfer Reconciliation",
            description="Records that the last reconciliation of each connection found to differ from the CRM, by what "
            "it says of them. What was repaired since is left out.",
            report_type=RECONCILIATION,
            definition=ReportDefinition(
                type=RECONCILIATION.definition,
                filters=({"field": "repaired__sys", "operator": "is", "values": ["false"]},),
                prompts=("connection__sys", "integration_kind__sys"),
                columns=(
                    "connection__sys",
                    "integration_kind__sys",
                    "record__sys",
                    "word__sys",
                    "crm_id__sys",
                    "reconciled_date__sys",
                ),
                sort=("record__sys",),
                groups=_PLACE,
                across=GroupDefinition(column="word__sys"),
                measures=(MeasureDefinition(),),
                chart={"kind": "stacked", "measure": 0},
            ),
        )
    )
    register_delivered_report(
        DeliveredReport(
            key="transferred_records",
            name="Transferred Records by Integration and Day",
            description="How many records each integration sent, received and could not transfer in the last 30 days.",
            report_type=TRANSFERS,
            definition=ReportDefinition(
                type=TRANSFERS.definition,
                filters=({"field": "started_date__sys", "operator": "within", "values": ["last_30_days"]},),
                prompts=("connection__sys", "started_date__sys"),
                columns=(
                    "connection__sys",
                    "integration_kind__sys",
                    "state__sys",
                    "started_date__sys",
                    "finished_date__sys",
                    "sent__sys",
                    "received__sys",
                    "failed__sys",
                ),
                sort=("-started_date__sys",),
                groups=(
                    *_PLACE,
                    GroupDefinition(column="started_date__sys", period=Period.DAY, descending=True),
                ),
                measures=tuple(
                    MeasureDefinition(function=Aggregate.SUM, column=f"{name}__sys")
                    for name in ("sent", "received", "failed", "blocked", "api_calls")
                ),
            ),
        )
    )
