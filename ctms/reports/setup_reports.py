"""The delivered reports on users, the audit trail and runs of jobs."""

from __future__ import annotations

from ctms.records.fields.kinds.base import Aggregate
from ctms.reports.choices import Period
from ctms.reports.definition import GroupDefinition, MeasureDefinition, ReportDefinition, TypeDefinition
from ctms.reports.delivered import DeliveredReport, DeliveredType, register_delivered_report
from ctms.reports.setup_sources import ENTRIES, RUNS, USERS

AUDIT_TRAIL = DeliveredType(
    key="audit_trail",
    name="Audit Trail",
    description="Who changed, deleted or exported what, and when.",
    definition=TypeDefinition(primary=ENTRIES),
)
USER_LIST = DeliveredType(
    key="users",
    name="User",
    description="Who may log in, with which security profile.",
    definition=TypeDefinition(primary=USERS),
)
JOB_RUNS = DeliveredType(
    key="job_runs",
    name="Job Run",
    description="When jobs ran, and how they ended.",
    definition=TypeDefinition(primary=RUNS),
)
_LAST_MONTH = ["last_30_days"]


def register_setup_reports() -> None:
    """Register the reports; called once, when the app is ready."""
    register_delivered_report(
        DeliveredReport(
            key="audit_trail_by_user",
            name="Audit Trail by User and Action",
            description="How often each user created, changed, deleted or exported something in the last 30 days.",
            report_type=AUDIT_TRAIL,
            definition=ReportDefinition(
                type=AUDIT_TRAIL.definition,
                filters=({"field": "time__sys", "operator": "within", "values": _LAST_MONTH},),
                prompts=("time__sys", "user__sys", "object_name__sys"),
                columns=(
                    "time__sys",
                    "user_name__sys",
                    "role__sys",
                    "action__sys",
                    "object__sys",
                    "record__sys",
                    "study__sys",
                    "reason__sys",
                    "source__sys",
                ),
                sort=("-time__sys",),
                groups=(GroupDefinition(column="user__sys"),),
                across=GroupDefinition(column="action__sys"),
                measures=(MeasureDefinition(),),
                chart={"kind": "stacked", "measure": 0},
            ),
        )
    )
    register_delivered_report(
        DeliveredReport(
            key="users_and_profiles",
            name="Users and Security Profiles",
            description="Active users by security profile, and when somebody with the profile last logged in.",
            report_type=USER_LIST,
            definition=ReportDefinition(
                type=USER_LIST.definition,
                filters=({"field": "active__sys", "operator": "is", "values": ["true"]},),
                prompts=("security_profile__sys", "last_log_in__sys"),
                columns=(
                    "username__sys",
                    "first_name__sys",
                    "last_name__sys",
                    "email__sys",
                    "security_profile__sys",
                    "profile_status__sys",
                    "sees_all_studies__sys",
                    "superuser__sys",
                    "last_log_in__sys",
                    "valid_until__sys",
                ),
                sort=("username__sys",),
                groups=(GroupDefinition(column="security_profile__sys"),),
                measures=(
                    MeasureDefinition(),
                    MeasureDefinition(function=Aggregate.GREATEST, column="last_log_in__sys"),
                ),
                chart={"kind": "donut", "measure": 0},
            ),
        )
    )
    register_delivered_report(
        DeliveredReport(
            key="job_runs_by_state",
            name="Job Runs by State",
            description="How the runs of each job ended in the last 30 days, by day.",
            report_type=JOB_RUNS,
            definition=ReportDefinition(
                type=JOB_RUNS.definition,
                filters=({"field": "due_date__sys", "operator": "within", "values": _LAST_MONTH},),
                prompts=("job__sys", "due_date__sys"),
                columns=(
                    "job__sys",
                    "unit__sys",
                    "state__sys",
                    "due_date__sys",
                    "started_date__sys",
                    "finished_date__sys",
                    "message__sys",
                ),
                sort=("-due_date__sys",),
                groups=(
                    GroupDefinition(column="job__sys"),
                    GroupDefinition(column="due_date__sys", period=Period.DAY, descending=True),
                ),
                across=GroupDefinition(column="state__sys"),
                measures=(MeasureDefinition(),),
                chart={"kind": "stacked", "measure": 0},
            ),
        )
    )
