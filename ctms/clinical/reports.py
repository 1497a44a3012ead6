"""The reports on visits that the Vault delivers."""

from __future__ import annotations

from ctms.clinical.choices import MonitoringEventState
from ctms.clinical.models import MonitoringEvent
from ctms.core.choices import RecordStatus
from ctms.records.fields.kinds.base import Aggregate
from ctms.reports.choices import Period
from ctms.reports.definition import GroupDefinition, MeasureDefinition, ReportDefinition, TypeDefinition
from ctms.reports.delivered import DeliveredReport, DeliveredType, register_delivered_report

VISITS = DeliveredType(
    key="monitoring_events",
    name="Monitoring Event",
    description="Visits to sites, planned and done.",
    definition=TypeDefinition(primary=MonitoringEvent.object_name),
)
_ACTIVE = {"field": "status__v", "operator": "is", "values": [RecordStatus.ACTIVE.value]}
_NOT_CANCELLED = {"field": "state__v", "operator": "is_not", "values": [MonitoringEventState.CANCELLED.value]}
_PLANNED = MeasureDefinition(function=Aggregate.COUNT, column="planned_start_date__v")
_DONE = MeasureDefinition(function=Aggregate.COUNT, column="actual_end_date__v")
_COLUMNS = (
    "name__v",
    "study__v",
    "site__v",
    "state__v",
    "planned_start_date__v",
    "actual_start_date__v",
    "actual_end_date__v",
)


def register_clinical_reports() -> None:
    """Register the reports; called once, when the app is ready."""
    register_delivered_report(
        DeliveredReport(
            key="visits_planned_and_done",
            name="Visits Planned against Done",
            description="How many visits of each site were planned, and how many of them have an actual end; when the "
            "first was planned and the last one ended. Cancelled visits do not count.",
            report_type=VISITS,
            definition=ReportDefinition(
                type=VISITS.definition,
                filters=(_ACTIVE, _NOT_CANCELLED, {"field": "planned_start_date__v", "operator": "not_empty"}),
                prompts=("study__v", "object_type__v", "planned_start_date__v"),
                columns=_COLUMNS,
                sort=("planned_start_date__v",),
                groups=(GroupDefinition(column="study__v"), GroupDefinition(column="site__v")),
                measures=(
                    _PLANNED,
                    _DONE,
                    MeasureDefinition(function=Aggregate.LEAST, column="planned_start_date__v"),
                    MeasureDefinition(function=Aggregate.GREATEST, column="actual_end_date__v"),
                ),
            ),
        )
    )
    register_delivered_report(
        DeliveredReport(
            key="visits_by_month",
            name="Visits by Month and State",
            description="How many visits are planned to begin in each month, and how far they have come.",
            report_type=VISITS,
            definition=ReportDefinition(
                type=VISITS.definition,
                filters=(_ACTIVE, {"field": "planned_start_date__v", "operator": "not_empty"}),
                prompts=("study__v", "site__v", "planned_start_date__v"),
                columns=_COLUMNS,
                sort=("planned_start_date__v",),
                groups=(GroupDefinition(column="planned_start_date__v", period=Period.MONTH),),
                across=GroupDefinition(column="state__v"),
                measures=(MeasureDefinition(),),
                chart={"kind": "stacked", "measure": 0},
            ),
        )
    )
