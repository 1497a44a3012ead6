"""One more row of any model that the admin shows."""

from __future__ import annotations

import datetime as dt
import itertools
import uuid
from collections.abc import Callable
from typing import Any, cast

from django.db import models

from connections.models import Integration, IntegrationRule
from crm_sync.choices import AttemptOutcome
from crm_sync.models import AccountMatch, IntegrationRun, Reconciliation, TransferAttempt, TransferLink
from ctms.accounts.models import ApiToken, CalendarFeed, FailedLogIn, FeedContents, PageView, SecondFactor
from ctms.audit.actors import Actor
from ctms.audit.api_tokens import create_token
from ctms.audit.calendar_feeds import create_feed
from ctms.audit.models import AuditEntry, AuditRedaction
from ctms.audit.services import save_record
from ctms.configuration.models import ConfiguredObject, CustomField, ObjectType, PageLayout, ReasonRule
from ctms.configuration.services import set_application_settings
from ctms.core.choices import RecordStatus
from ctms.core.clock import get_now
from ctms.core.models import AuditedModel
from ctms.jobs.choices import RunState
from ctms.jobs.models import JobDefinition, JobRun, Lease
from ctms.machine.models import Installation, RestoreDrill
from ctms.reports.models import DigestMail, Report, ReportType
from exceptions_log.choices import ErrorType
from exceptions_log.models import ExceptionItem, ExceptionMessage
from tests.factories.accounts import SecurityProfileFactory, UserFactory
from tests.factories.activities import ActivityFactory
from tests.factories.base import build_admin_actor, get_admin_user
from tests.factories.clinical import (
    PersonFactory,
    StudyAssignmentFactory,
    StudyFactory,
)
from tests.factories.connections import AuthorizationFactory, ConnectionFactory
from tests.subscriptions.following import subscribe

_numbers = itertools.count(100_001)  # of one length, so that texts with them sort as they do


def _save(record: AuditedModel) -> AuditedModel:
    save_record(record=record, actor=build_admin_actor())
    return record


def _create_integration() -> Integration:
    return ConnectionFactory.create().integrations.select_related("rule", "progress", "connection")[0]


def _ask_redaction() -> AuditRedaction:
    entry = _create_audit_entry()
    return cast("AuditRedaction", _save(AuditRedaction(entry_ids=[entry.pk], reason="Asked for by the person")))


def create_job_definition() -> JobDefinition:
    """A job definition, as if a job of that key were registered."""
    number = next(_numbers)
    definition = JobDefinition(key=f"test_job_{number}", name=f"Job {number}")
    save_record(record=definition, actor=build_admin_actor())
    return definition


def create_job_run(**values: Any) -> JobRun:
    """A finished run of a job of its own."""
    now = get_now()
    return JobRun.objects.create(
        **{
            "definition": values.pop("definition", None) or create_job_definition(),
            "unit_key": str(uuid.uuid4()),
            "unit_label": "North America CRM",
            "slot": now,
            "queued_at": now,
            "started_at": now,
            "finished_at": now,
            "state": RunState.WITH_EXCEPTIONS,
            "result": {
                "study__v": {"selected": 1, "failed": 0},
                "site__v": {"selected": 2, "failed": 1, "api_calls": 3},
            },
            "message": "1 record could not be sent.",
            **values,
        }
    )


def create_exception_message(**values: Any) -> ExceptionMessage:
    """A message with one item, which is open if the message is Active."""
    integration = _create_integration()
    message = ExceptionMessage.objects.create(
        **{
            "name": f"{integration.name} of {integration.connection}",
            "connection": integration.connection,
            "integration": integration,
            "run": create_job_run(),
            "status": RecordStatus.ACTIVE,
            "failed_count": 1,
            "created_at": get_now(),
            **values,
        }
    )
    create_exception_item(message=message)
    return message


def get_integration(message: ExceptionMessage) -> Integration:
    """The integration of a message that is of one."""
    if message.integration is None:
        raise AssertionError(f"{message} is of a job.")
    return message.integration


def create_exception_item(**values: Any) -> ExceptionItem:
    """An activity that was not matched."""
    activity = ActivityFactory.create()
    message = values.pop("message", None) or create_exception_message()
    return ExceptionItem.objects.create(
        **{
            "message": message,
            "integration": message.integration,
            "job": message.job,
            "resolved_at": None if message.status == RecordStatus.ACTIVE else get_now(),
            "key": str(activity.uid),
            "name": f"EXC-{next(_numbers):06}",
            "error_type": ErrorType.MATCHING,
            "error_message": "No account has this identifier.",
            "item": str(activity),
            "item_data": {"Channel_vod__c": "Phone_vod"},
            "record_object": activity.object_name,
            "record_uid": activity.uid,
            "record_version": activity.version,
            "dependency_version": 0,
            "first_failed_at": get_now(),
            "last_failed_at": get_now(),
            **values,
        }
    )


def _create_integration_run() -> IntegrationRun:
    return IntegrationRun.objects.create(
        run=create_job_run(), integration=_create_integration(), started_at=get_now(), selected=2, failed=2
    )


def _create_reconciliation() -> Reconciliation:
    return Reconciliation.objects.create(
        connection=ConnectionFactory.create(),
        run=create_job_run(),
        started_at=get_now(),
        finished_at=get_now(),
        counts={"crm_call_outbound__v": {"equal": 7}},
    )


def _create_link() -> TransferLink:
    return TransferLink.objects.create(integration=_create_integration(), record_uid=uuid.uuid4(), crm_id="a0X")


def _create_attempt() -> TransferAttempt:
    return TransferAttempt.objects.create(
        run=create_job_run(), integration=_create_integration(), record_uid=uuid.uuid4(), outcome=AttemptOutcome.CREATED
    )


def _create_match() -> AccountMatch:
    return AccountMatch.objects.create(
        connection=ConnectionFactory.create(),
        person=PersonFactory.create(),
        identifier="external_id__v = External_ID_vod__c",
        value="P-1",
        account_id="001",
    )


def _create_lease() -> Lease:
    return Lease.objects.create(key=f"lease-{next(_numbers)}", run=create_job_run(), is_held=True)


def _create_page_view() -> PageView:
    study = StudyFactory.create()
    return PageView.objects.create(
        user=UserFactory.create(),
        method="GET",
        address=f"/records/study__v/{study.uid}/",
        status=200,
        object_name="study__v",
        record_uid=study.uid,
        record_name=str(study),
    )


def _create_custom_field() -> AuditedModel:
    number = next(_numbers)
    return _save(CustomField(of_object="person__sys", api_name=f"field_{number}__c", label=f"Field {number}"))


def _create_reason_rule() -> AuditedModel:
    return _save(ReasonRule(of_object="study__v", field_name=f"field_{next(_numbers)}__v"))


def _create_layout() -> AuditedModel:
    number = next(_numbers)
    return _save(PageLayout(of_object="study__v", object_type=f"type_{number}__c", name=f"Layout {number}"))


def _create_report_type() -> ReportType:
    report_type = ReportType(name=f"Report type {next(_numbers)}", primary_object="exception_message__sys")
    save_record(record=report_type, actor=build_admin_actor())
    return report_type


def _create_report() -> AuditedModel:
    return _save(Report(name=f"Report {next(_numbers)}", report_type=_create_report_type(), owner=get_admin_user()))


def _set_application_settings() -> AuditedModel:
    return set_application_settings(
        clinical_person_identifier="external_id__v",
        crm_account_identifier="External_ID_vod__c",
        enable_global_crm_mapping=True,
        actor=build_admin_actor(),
    )


def _find_object_type() -> ObjectType:
    return ObjectType.objects.all()[0]


def _create_audit_entry() -> AuditEntry:
    StudyFactory.create()
    return AuditEntry.objects.all()[0]


def _create_rule() -> IntegrationRule:
    return _create_integration().rule


def _create_token() -> ApiToken:
    return create_token(name=f"Token {next(_numbers)}", days=1, actor=Actor(user=UserFactory.create(), source="page"))[
        0
    ]


def _create_feed() -> CalendarFeed:
    return create_feed(contents=FeedContents.MINE, actor=Actor(user=UserFactory.create(), source="page"))[0]


BUILDERS: dict[str, Callable[[], Any]] = {
    "accounts.ApiToken": _create_token,
    "accounts.CalendarFeed": _create_feed,
    "accounts.PageView": _create_page_view,
    "accounts.FailedLogIn": lambda: FailedLogIn.objects.create(
        username=f"user{next(_numbers)}", address="192.0.2.7", at=get_now()
    ),
    "accounts.SecondFactor": lambda: _save(SecondFactor(user=UserFactory.create())),
    "accounts.SecurityProfile": SecurityProfileFactory.create,
    "accounts.User": lambda: UserFactory.create(security_profile=SecurityProfileFactory.create()),
    "audit.AuditEntry": _create_audit_entry,
    "audit.AuditRedaction": _ask_redaction,
    "clinical.Study": StudyFactory.create,
    "clinical.StudyAssignment": StudyAssignmentFactory.create,
    "configuration.ApplicationSettings": _set_application_settings,
    "configuration.ConfiguredObject": lambda: ConfiguredObject(pk="study__v"),
    "configuration.CustomField": _create_custom_field,
    "configuration.ObjectType": _find_object_type,
    "configuration.PageLayout": _create_layout,
    "configuration.ReasonRule": _create_reason_rule,
    "connections.Connection": ConnectionFactory.create,
    "connections.ConnectionAuthorization": AuthorizationFactory.create,
    "connections.FieldRule": lambda: _create_rule().field_rules.all()[0],
    "connections.Integration": _create_integration,
    "connections.IntegrationProgress": lambda: _create_integration().progress,
    "connections.IntegrationRule": _create_rule,
    "crm_sync.AccountMatch": _create_match,
    "crm_sync.IntegrationRun": _create_integration_run,
    "crm_sync.Reconciliation": _create_reconciliation,
    "crm_sync.TransferAttempt": _create_attempt,
    "crm_sync.TransferLink": _create_link,
    "exceptions_log.ExceptionItem": create_exception_item,
    "exceptions_log.ExceptionMessage": create_exception_message,
    "jobs.JobDefinition": create_job_definition,
    "jobs.JobRun": create_job_run,
    "jobs.Lease": _create_lease,
    "machine.Installation": Installation.objects.get,
    "machine.RestoreDrill": lambda: RestoreDrill.objects.create(
        backup=f"vault-{next(_numbers)}", began_at=get_now(), ended_at=get_now(), succeeded=True, report="It holds."
    ),
    "reports.DigestMail": lambda: DigestMail.objects.create(
        user=UserFactory.create(), day=dt.date(2026, 3, 1), changed_at=get_now()
    ),
    "reports.Report": _create_report,
    "reports.ReportType": _create_report_type,
    "subscriptions.RecordSubscription": lambda: subscribe(UserFactory.create(is_superuser=True), "study__v"),
}


def create_row(model: type[models.Model]) -> Any:
    """One more row of the model; for those with a fixed number of rows, one that is there."""
    return BUILDERS[model._meta.label]()
