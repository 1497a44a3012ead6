"""The daily e-mail of user exceptions: its step, what it sends, and the job of earlier versions that it replaces."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest
from django.core import mail

from connections.choices import IntegrationKind
from ctms.accounts.models import User
from ctms.audit.actors import build_system_actor
from ctms.audit.services import delete_record, save_record
from ctms.configuration.steps import NotApplicableError, StepStatus, apply_step, get_step
from ctms.core.choices import RecordStatus
from ctms.core.clock import get_now
from ctms.jobs.choices import Frequency, Weekday
from ctms.jobs.models import JobDefinition
from ctms.jobs.services import set_job_status
from ctms.reports.choices import FlashFrequency, FlashPreference
from ctms.reports.definition import TypeDefinition
from ctms.reports.delivered import find_delivered_report
from ctms.reports.flash.services import is_job_active
from ctms.reports.flash.units import FLASH_JOB_KEY
from ctms.reports.models import FlashReport, Report
from exceptions_log.flash_report import OLD_JOB_KEY, take_place_of_old_job
from exceptions_log.models import ExceptionItem, ExceptionMessage
from tests.admin_rows import create_exception_item, create_exception_message
from tests.factories.accounts import SecurityProfileFactory, UserFactory
from tests.factories.activities import ActivityFactory
from tests.factories.base import build_admin_actor, get_admin_user
from tests.factories.clinical import StudyAssignmentFactory, StudySiteFactory
from tests.factories.connections import ConnectionFactory
from tests.factories.reports import ReportFactory, ReportTypeFactory
from tests.reports.flash.flashes import DAY, schedule, tick

pytestmark = [pytest.mark.django_db, pytest.mark.both_databases]

STEP = "user_exception_report"
PERMISSIONS = ("admin:integrations", "exception_message__sys:read", "exception_item__sys:read")


@pytest.fixture(autouse=True)
def _nobody_to_tell() -> None:
    user = get_admin_user()
    user.email = ""
    user.save()


def get_report() -> Report:
    report = find_delivered_report("user_exceptions")
    assert report is not None
    return report


def create_reader(name: str, **values: Any) -> User:
    values.setdefault("security_profile", SecurityProfileFactory.create(permissions=list(PERMISSIONS)))
    return UserFactory.create(email=f"{name}@example.org", last_name=name, **values)


def create_message(**values: Any) -> ExceptionMessage:
    integration = ConnectionFactory.create().integrations.get(kind=IntegrationKind.CALL_INBOUND)
    return create_exception_message(integration=integration, connection=integration.connection, **values)


def test_everybody_gets_the_items_of_the_studies_that_they_see_and_nothing_once_all_are_settled() -> None:
    profile = SecurityProfileFactory.create(permissions=list(PERMISSIONS))
    readers = {name: create_reader(name, security_profile=profile) for name in ("a", "b", "c")}
    message = create_message()
    for name in ("a", "b"):
        activity = ActivityFactory.create(site=StudySiteFactory.create())
        StudyAssignmentFactory.create(user=readers[name], study=activity.study)
        create_exception_item(
            message=message, record_uid=activity.uid, item=f"Item {name}", error_message=f"No account for {name}."
        )
    schedule(get_report(), at=get_now() - 2 * DAY)
    apply_step(step=get_step(STEP), actor=build_admin_actor())
    [run] = tick(get_now())
    sent = {each.to[0]: each.body for each in mail.outbox if "Item " in each.body}
    assert (run.state, sorted(sent)) == ("succeeded", ["a@example.org", "b@example.org"])
    for mine, other in (("a", "b"), ("b", "a")):
        body = sent[f"{mine}@example.org"]
        assert f"No account for {mine}." in body
        assert (f"Item {mine}" in body, f"Item {other}" in body) == (True, False)
        assert "Channel_vod__c: Phone_vod" in body
    mail.outbox.clear()
    ExceptionMessage.objects.update(status=RecordStatus.INACTIVE)
    [run] = tick(get_now() + DAY)
    assert (run.message, mail.outbox) == ("No record was returned.", [])


def test_its_step_schedules_the_delivered_report_and_says_who_gets_it() -> None:
    step = get_step(STEP)
    assert step.read_state().status == StepStatus.TO_DO
    apply_step(step=step, actor=build_admin_actor())
    state = step.read_state()
    assert (state.status, "Nobody gets it." in state.reason) == (StepStatus.BROKEN, True)
    assert "Not to Ada Admin: There is no e-mail address." in state.reason
    profile = get_report().shares.exclude(profile=None).first()
    assert profile is not None
    create_reader("it", security_profile=profile.profile)
    state = step.read_state()
    assert state.status == StepStatus.DONE
    assert state.reason.startswith("User Exceptions: Every day at 06:00 (UTC). It goes to it@example.org.")
    flash = FlashReport.objects.get()
    assert (flash.preference, flash.status, is_job_active()) == (FlashPreference.WITH_RECORDS, "active__v", True)
    version = flash.version
    apply_step(step=step, actor=build_admin_actor())
    flash.refresh_from_db()
    assert flash.version == version
    set_job_status(key=FLASH_JOB_KEY, status=RecordStatus.INACTIVE, actor=build_admin_actor())
    assert step.read_state().status == StepStatus.BROKEN
    delete_record(record=flash, actor=build_admin_actor())
    report = get_report()
    for each in report.shares.all():
        delete_record(record=each, actor=build_admin_actor())
    delete_record(record=report, actor=build_admin_actor())
    with pytest.raises(NotApplicableError, match="was deleted"):
        apply_step(step=step, actor=build_admin_actor())


def test_a_report_that_an_admin_built_by_hand_will_do() -> None:
    relation = TypeDefinition(
        primary=ExceptionMessage.object_name, related=ExceptionItem.object_name, reference="exception_message__sys"
    ).stored_relation
    by_hand = ReportTypeFactory.create(primary_object=ExceptionMessage.object_name, related_objects=[relation])
    owner = create_reader("owner")
    schedule(ReportFactory.create(name="Mine", report_type=by_hand, owner=owner))
    state = get_step(STEP).read_state()
    assert state.status == StepStatus.DONE
    assert state.reason == "Mine: Every day at 06:00 (UTC). It goes to owner@example.org."


def create_old_job(**values: Any) -> JobDefinition:
    definition = JobDefinition(
        key=OLD_JOB_KEY, name="User Exception Report", status=RecordStatus.ACTIVE, frequency=Frequency.DAILY, hour=6
    )
    for name, value in values.items():
        setattr(definition, name, value)
    save_record(record=definition, actor=build_admin_actor())
    return definition


def test_the_job_of_earlier_versions_becomes_a_flash_report_of_the_same_owner_at_the_same_hour() -> None:
    owner = create_reader("owner")
    create_old_job(owner=owner, hour=4, minute=30)
    for _ in range(2):
        take_place_of_old_job(actor=build_system_actor(source="command"))
    flash = FlashReport.objects.get()
    assert (flash.report, flash.report.owner) == (get_report(), owner)
    assert (flash.frequency, flash.time, flash.time_zone) == (FlashFrequency.DAILY, dt.time(4, 30), "UTC")
    assert not JobDefinition.objects.filter(key=OLD_JOB_KEY).exists()
    assert get_step(STEP).read_state().status == StepStatus.DONE


def test_without_an_owner_it_goes_to_those_who_got_it_and_its_runs_are_kept() -> None:
    reader = create_reader("it")
    old = create_old_job(frequency=Frequency.WEEKLY, weekday=Weekday.FRIDAY)
    old.runs.create(slot=get_now(), queued_at=get_now(), state="succeeded")
    take_place_of_old_job(actor=build_system_actor(source="command"))
    flash = FlashReport.objects.get()
    assert (flash.frequency, flash.weekday) == (FlashFrequency.WEEKLY, Weekday.FRIDAY)
    assert reader.email in get_step(STEP).read_state().reason
    old.refresh_from_db()
    assert old.status == RecordStatus.INACTIVE


def test_a_job_that_was_inactive_schedules_nothing() -> None:
    create_old_job(status=RecordStatus.INACTIVE)
    take_place_of_old_job(actor=build_system_actor(source="command"))
    assert (FlashReport.objects.count(), JobDefinition.objects.filter(key=OLD_JOB_KEY).count()) == (0, 0)
