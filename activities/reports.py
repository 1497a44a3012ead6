"""The reports on activities that the Vault delivers."""

from __future__ import annotations

from activities.models import Activity
from ctms.core.choices import RecordStatus
from ctms.records.fields.kinds.base import Aggregate
from ctms.reports.choices import Period
from ctms.reports.definition import GroupDefinition, MeasureDefinition, ReportDefinition, TypeDefinition
from ctms.reports.delivered import DeliveredReport, DeliveredType, register_delivered_report

ACTIVITIES = DeliveredType(
    key="activities",
    name="Activity",
    description="Contacts with persons of studies, planned and done, of study teams and of medical teams.",
    definition=TypeDefinition(primary=Activity.object_name),
)
_ACTIVE = {"field": "status__v", "operator": "is", "values": [RecordStatus.ACTIVE.value]}
_COMPLETE = {"field": "complete__v", "operator": "is", "values": ["true"]}
_COUNT = MeasureDefinition()
_PERSONS = MeasureDefinition(function=Aggregate.DISTINCT, column="person__v")
_LAST = MeasureDefinition(function=Aggregate.GREATEST, column="date__v")
_COLUMNS = ("subject__v", "date__v", "person__v", "channel__v", "complete__v", "study__v", "site__v")


def register_activity_reports() -> None:
    """Register the reports; called once, when the app is ready."""
    register_delivered_report(
        DeliveredReport(
            key="activities_by_channel",
            name="Activities by Channel, Study and Month",
            description="How many activities of the last twelve months went through which channel, by study and month.",
            report_type=ACTIVITIES,
            definition=ReportDefinition(
                type=ACTIVITIES.definition,
                filters=(_ACTIVE, {"field": "date__v", "operator": "within", "values": ["last_12_months"]}),
                prompts=("study__v", "date__v", "complete__v"),
                columns=_COLUMNS,
                sort=("-date__v",),
                groups=(GroupDefinition(column="study__v"), GroupDefinition(column="date__v", period=Period.MONTH)),
                across=GroupDefinition(column="channel__v"),
                measures=(_COUNT,),
                chart={"kind": "stacked", "measure": 0},
            ),
        )
    )
    register_delivered_report(
        DeliveredReport(
            key="contacts_per_site",
            name="Contacts per Site",
            description="Completed activities of each site: how many, with how many persons, and when the last was.",
            report_type=ACTIVITIES,
            definition=ReportDefinition(
                type=ACTIVITIES.definition,
                filters=(_ACTIVE, _COMPLETE, {"field": "site__v", "operator": "not_empty"}),
                prompts=("study__v", "date__v"),
                columns=_COLUMNS,
                sort=("-date__v",),
                groups=(GroupDefinition(column="study__v"), GroupDefinition(column="site__v")),
                measures=(_COUNT, _PERSONS, _LAST),
            ),
        )
    )
    register_delivered_report(
        DeliveredReport(
            key="contacts_per_person",
            name="Contacts per Person",
            description="Completed activities with each person: how many, and when the last one was. Those with most "
            "contacts come first.",
            report_type=ACTIVITIES,
            definition=ReportDefinition(
                type=ACTIVITIES.definition,
                filters=(_ACTIVE, _COMPLETE),
                prompts=("study__v", "site__v", "date__v"),
                columns=_COLUMNS,
                sort=("-date__v",),
                groups=(GroupDefinition(column="person__v", by_measure=0, descending=True),),
                measures=(_COUNT, _LAST),
                chart={"kind": "bar", "measure": 0},
            ),
        )
    )
