"""The reports on activities that the Vault delivers."""

from __future__ import annotations

from activities.models import Activity
from ctms.clinical.contacts import DAYS, LAST, NEXT, OVERDUE
from ctms.clinical.models import StudyPerson, StudySite
from ctms.core.choices import RecordStatus
from ctms.records.conditions.mine import OWNER
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
_OPEN = {"field": "complete__v", "operator": "is", "values": ["false"]}
SITES = DeliveredType(
    key="sites",
    name="Study Site",
    description="Sites of studies, with the dates of the last and the next contact.",
    definition=TypeDefinition(primary=StudySite.object_name),
)
STUDY_PEOPLE = DeliveredType(
    key="study_people",
    name="Study Person",
    description="Persons in their studies and at their sites, with the dates of the last and the next contact.",
    definition=TypeDefinition(primary=StudyPerson.object_name),
)
_ASK = (
    "Ask for those whose last contact is not within the last days of your choice; whoever was never contacted is "
    "among them."
)


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
    _register_contact_reports()


def _register_contact_reports() -> None:
    register_delivered_report(
        DeliveredReport(
            key="open_by_owner",
            name="Planned and Overdue by Owner",
            description="Activities that are not complete, by owner: how many, and when the first of them is, or "
            "was, due. Ask for dates before today to see what is overdue.",
            report_type=ACTIVITIES,
            definition=ReportDefinition(
                type=ACTIVITIES.definition,
                filters=(_ACTIVE, _OPEN),
                prompts=(OWNER, "study__v", "site__v", "date__v"),
                columns=(*_COLUMNS, OWNER),
                sort=("date__v",),
                groups=(GroupDefinition(column=OWNER),),
                measures=(_COUNT, MeasureDefinition(function=Aggregate.LEAST, column="date__v")),
                chart={"kind": "bar", "measure": 0},
            ),
        )
    )
    register_delivered_report(
        DeliveredReport(
            key="sites_without_contact",
            name="Sites without Contact",
            description=f"Active sites with the last contact, those contacted longest ago first. {_ASK}",
            report_type=SITES,
            definition=ReportDefinition(
                type=SITES.definition,
                filters=(_ACTIVE,),
                prompts=(LAST, "study__v", OWNER),
                columns=("name__v", "site_name__v", "study__v", OWNER, LAST, DAYS, NEXT, OVERDUE),
                sort=(LAST,),
            ),
        )
    )
    register_delivered_report(
        DeliveredReport(
            key="people_without_contact",
            name="Persons without Contact",
            description=f"Active persons of studies with the last contact, those contacted longest ago first. {_ASK}",
            report_type=STUDY_PEOPLE,
            definition=ReportDefinition(
                type=STUDY_PEOPLE.definition,
                filters=(_ACTIVE,),
                prompts=(LAST, "study__clin", "site__clin", "team_role__v"),
                columns=("person__clin", "team_role__v", "study__clin", "site__clin", LAST, DAYS, NEXT, OVERDUE),
                sort=(LAST,),
            ),
        )
    )
