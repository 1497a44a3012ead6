"""The daily report of user exceptions: one e-mail, and none if there are no open items."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.core import mail

from ctms.audit.models import AuditEntry
from ctms.audit.services import save_record
from ctms.configuration.steps import StepState, StepStatus, apply_step, get_step
from ctms.core.choices import RecordStatus
from ctms.core.clock import get_now
from ctms.jobs.choices import Frequency, RunState
from ctms.jobs.models import JobDefinition, JobRun
from ctms.jobs.registry import JobUnit
from ctms.jobs.services import create_run, execute_run
from exceptions_log.dismissals import dismiss_items
from exceptions_log.models import ExceptionMessage
from exceptions_log.report import REPORT_JOB_KEY
from tests.admin_rows import create_exception_item, create_exception_message
from tests.factories.accounts import SecurityProfileFactory, UserFactory
from tests.factories.activities import ActivityFactory
from tests.factories.base import build_admin_actor, get_admin_user
from tests.factories.clinical import StudyAssignmentFactory, StudySiteFactory

pytestmark = [pytest.mark.django_db, pytest.mark.both_databases]


@pytest.fixture(autouse=True)
def _nobody_to_tell() -> None:
    user = get_admin_user()
    user.email = ""
    user.save()


@pytest.fixture
def _reader() -> None:
    permissions = ["admin:integrations", "exception_item__sys:read"]
    UserFactory.create(
        email="it@example.org",
        security_profile=SecurityProfileFactory.create(permissions=permissions, sees_all_studies=True),
    )


def report() -> JobRun:
    definition = JobDefinition.objects.get(key=REPORT_JOB_KEY)
    run = create_run(definition=definition, unit=JobUnit(key="all", label=""), user=None)
    finished = execute_run(run.pk)
    assert finished is not None
    return finished


@pytest.mark.usefixtures("_reader")
def test_what_fails_is_sent_to_who_manages_integrations_and_may_read_it() -> None:
    UserFactory.create(
        email="other@example.org", security_profile=SecurityProfileFactory.create(permissions=["admin:integrations"])
    )
    message = create_exception_message(status=RecordStatus.ACTIVE)
    create_exception_item(message=message, item="Activity ACT-1", error_message="No account for this.", cause="Other")
    run = report()
    [sent] = mail.outbox
    assert (sent.to, sent.subject) == (["it@example.org"], "[CTMS Vault] User exceptions: 2 open")
    item = message.items.get(item="Activity ACT-1")
    address = f"http://127.0.0.1:8000/admin/exceptions_log/exceptionitem/{item.pk}/change/"
    for text in ("(2 items)", "Matching: Activity ACT-1", "No account for this.", address):
        assert text in sent.body
    assert (run.state, run.message) == (RunState.SUCCEEDED, "2 open items were sent to 1 recipient.")
    assert run.result == {"report": {"selected": 2, "sent": 2, "recipients": 1}}
    entry = AuditEntry.objects.latest("id")
    assert (entry.action, entry.reason, entry.reference) == ("exported", "User Exception Report", f"run {run.pk}")
    assert entry.changes == {"items": [None, 2], "recipients": [None, ["it@example.org"]]}


@pytest.mark.usefixtures("_reader")
def test_nothing_is_sent_when_nothing_fails_any_more() -> None:
    settled = create_exception_message(status=RecordStatus.INACTIVE)
    dismissed = create_exception_message(status=RecordStatus.ACTIVE)
    old = create_exception_message(status=RecordStatus.ACTIVE)
    ExceptionMessage.objects.filter(pk=old.pk).update(created_at=get_now() - timedelta(hours=25))
    dismiss_items(keys=[dismissed.items.get().pk], reason="Known", actor=build_admin_actor())
    assert (report().state, mail.outbox, settled.items.count()) == (RunState.SUCCEEDED, [], 1)


@pytest.mark.usefixtures("_reader")
def test_an_owner_gets_it_alone() -> None:
    create_exception_message(status=RecordStatus.ACTIVE)
    profile = SecurityProfileFactory.create(permissions=["exception_item__sys:read"], sees_all_studies=True)
    definition = JobDefinition.objects.get(key=REPORT_JOB_KEY)
    definition.owner = UserFactory.create(email="owner@example.org", security_profile=profile)
    save_record(record=definition, actor=build_admin_actor())
    report()
    assert [each.to for each in mail.outbox] == [["owner@example.org"]]


def test_a_report_that_nobody_gets_fails_with_the_remedy() -> None:
    create_exception_message(status=RecordStatus.ACTIVE)
    run = report()
    assert (run.state, "give this job an owner" in run.message) == (RunState.FAILED, True)


@pytest.mark.usefixtures("_reader")
def test_an_e_mail_that_is_not_taken_fails_the_run_so_that_it_is_overdue(settings: pytest.FixtureRequest) -> None:
    settings.EMAIL_BACKEND = "no.such.Backend"  # type: ignore[attr-defined]
    create_exception_message(status=RecordStatus.ACTIVE)
    assert report().state == RunState.FAILED


@pytest.mark.usefixtures("_reader")
def test_a_long_report_leads_to_the_console(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("exceptions_log.report._PROBLEMS_SHOWN", 2)
    message = create_exception_message(status=RecordStatus.ACTIVE)
    for number in range(3):
        create_exception_item(message=message, cause=f"Cause {number}")
    report()
    assert "… and 2 problems more." in mail.outbox[0].body


@pytest.mark.usefixtures("_reader")
def test_equal_causes_are_one_problem_with_its_count_and_an_example() -> None:
    message = create_exception_message(status=RecordStatus.ACTIVE)
    message.items.update(cause="No account has the NPI.", item="Activity ACT-1")
    create_exception_item(message=message, cause="No account has the NPI.")
    create_exception_message(status=RecordStatus.ACTIVE).items.update(cause="No account has the NPI.")
    report()
    body = mail.outbox[0].body
    first = message.items.order_by("pk")[0]
    assert body.count("No account has the NPI.") == 1
    assert "Matching, 2 items: No account has the NPI." in body
    assert "For example Activity ACT-1:" in body
    assert f"http://127.0.0.1:8000/admin/exceptions_log/exceptionitem/?problem={first.pk}" in body


@pytest.mark.usefixtures("_reader")
def test_it_is_delivered_daily_and_inactive_and_its_step_activates_it() -> None:
    definition = JobDefinition.objects.get(key=REPORT_JOB_KEY)
    assert (definition.frequency, definition.hour, definition.status) == (Frequency.DAILY, 6, RecordStatus.INACTIVE)
    step = get_step("user_exception_report")
    assert step.read_state().status == StepStatus.TO_DO
    apply_step(step=step, actor=build_admin_actor())
    definition.refresh_from_db()
    assert definition.status == RecordStatus.ACTIVE
    assert step.read_state() == StepState.done("User Exception Report is Active. It goes to it@example.org.")


def test_its_step_is_broken_while_nobody_gets_it() -> None:
    step = get_step("user_exception_report")
    apply_step(step=step, actor=build_admin_actor())
    state = step.read_state()
    assert (state.status, "Nobody gets the report" in state.reason) == (StepStatus.BROKEN, True)


def test_everybody_gets_the_items_of_the_studies_that_they_see() -> None:
    profile = SecurityProfileFactory.create(permissions=["admin:integrations", "exception_item__sys:read"])
    readers = {
        name: UserFactory.create(email=f"{name}@example.org", security_profile=profile) for name in ("a", "b", "c")
    }
    message = create_exception_message(status=RecordStatus.ACTIVE)
    for name in ("a", "b"):
        activity = ActivityFactory.create(site=StudySiteFactory.create())
        StudyAssignmentFactory.create(user=readers[name], study=activity.study)
        create_exception_item(message=message, record_uid=activity.uid, item=f"Item {name}", cause=f"Cause {name}")
    run = report()
    sent = {each.to[0]: each for each in mail.outbox}
    assert sorted(sent) == ["a@example.org", "b@example.org"]
    assert sent["a@example.org"].subject.endswith("User exceptions: 1 open")
    for mine, other in (("a", "b"), ("b", "a")):
        body = sent[f"{mine}@example.org"].body
        assert (f"Item {mine}" in body, f"Item {other}" in body) == (True, False)
    assert run.message == "2 open items were sent to 2 recipients. 1 more are of studies that no recipient sees."
    assert run.result == {"report": {"selected": 3, "sent": 2, "recipients": 2}}
