"""Flash reports reach each recipient once, over real SMTP, whoever else tries and whatever fails."""

from __future__ import annotations

import datetime as dt
import io
from typing import Any
from unittest.mock import patch

import openpyxl
import pytest
import time_machine
from django.core.mail import EmailMultiAlternatives

from ctms.audit.models import AuditEntry
from ctms.audit.services import delete_record, save_record
from ctms.core.choices import RecordStatus
from ctms.jobs.choices import RunState
from ctms.jobs.models import JobDefinition, JobRun
from ctms.jobs.services import create_run, execute_run
from ctms.reports.choices import DeliveryState, FlashPreference, MailState
from ctms.reports.engine.opening import OpenReport
from ctms.reports.engine.rows import count_rows
from ctms.reports.flash import letters
from ctms.reports.flash.delivery import WAITS
from ctms.reports.flash.services import retry_delivery
from ctms.reports.flash.units import FLASH_JOB_KEY, build_unit, list_due_units
from ctms.reports.models import FlashDelivery, FlashMail, Report
from tests.factories.activities import ActivityFactory
from tests.factories.base import build_admin_actor, get_admin_user
from tests.factories.clinical import StudyFactory
from tests.factories.reports import ReportFactory, ReportShareFactory
from tests.jobs.handlers import let_lease_run_out
from tests.reports.flash.flashes import DAY, DUE, MINUTE, create_reader, schedule, tick, work
from tests.smtp import SmtpSink, read_part

pytestmark = [pytest.mark.django_db, pytest.mark.both_databases]


def list_addresses(sink: SmtpSink) -> list[str]:
    return [to for to, _ in sink.take()]


def create_shared(*readers: Any, owner: Any, **values: Any) -> Report:
    values.setdefault("columns", ["subject__v", "study__v"])
    report = ReportFactory.create(owner=owner, **values)
    for each in readers:
        ReportShareFactory.create(report=report, user=each)
    return report


def test_each_recipient_gets_their_own_rows_as_text_html_and_workbook_at_the_planned_time(sink: SmtpSink) -> None:
    # Names that no signature in a link has by chance.
    first, second = StudyFactory.create(name="Northern-1"), StudyFactory.create(name="Southern-2")
    for study in (first, second):
        ActivityFactory.create(study=study, subject=f"Dose <b>{study}</b>")
    report = create_shared(create_reader("reader", second), owner=create_reader("owner", first), name="Doses")
    schedule(report)
    assert (tick(DUE - MINUTE), sink.take()) == ([], [])
    [run] = tick(DUE)
    assert (run.state, run.message, run.unit_label) == (RunState.SUCCEEDED, "Sent to 2 recipients.", "Doses")
    assert run.result == {"recipients": {"selected": 2, "sent": 2, "failed": 0}}
    sent = dict(sink.take())
    assert sorted(sent) == ["owner@example.org", "reader@example.org"]
    for name, mine, other in (("owner", first.name, second.name), ("reader", second.name, first.name)):
        message = sent[f"{name}@example.org"]
        assert message["Subject"] == "[CTMS Vault] Doses: 1 record"
        assert (message["To"], message["Cc"], message["Bcc"]) == (f"{name}@example.org", None, None)
        text, html = read_part(message, "plain"), read_part(message, "html")
        assert f"Dose <b>{mine}</b>" in text
        assert f"Dose &lt;b&gt;{mine}&lt;/b&gt;" in html
        assert other not in message.as_string()
        for link in (f"/reports/{report.uid}/", f"/reports/{report.uid}/schedule/", "/reports/unsubscribe/"):
            assert f"http://127.0.0.1:8000{link}" in text
            assert f"http://127.0.0.1:8000{link}" in html
        assert message["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
        assert "/reports/unsubscribe/" in message["List-Unsubscribe"]
        [attached] = message.iter_attachments()
        rows = list(openpyxl.load_workbook(io.BytesIO(attached.get_content())).active.values)
        assert (attached.get_filename(), rows[1:]) == ("Doses-2026-06-01.xlsx", [(f"Dose <b>{mine}</b>", mine)])
    delivery = FlashDelivery.objects.get()
    assert (delivery.state, delivery.moment, delivery.rows, delivery.recipients) == (DeliveryState.DELIVERED, DUE, 1, 2)
    entries = AuditEntry.objects.filter(action="exported", record_uid=report.uid)
    assert [each.changes["records"] for each in entries] == [[None, 1], [None, 1]]
    assert min(each.changes["recipient"][1] for each in entries).endswith("(owner@example.org)")
    # The same moment comes again to whoever asks, and is done.
    assert [tick(DUE + wait) for wait in (MINUTE, DAY - MINUTE)] == [[], []]
    assert len(tick(DUE + DAY)) == 1
    assert len(sink.take()) == 2


def test_nothing_is_sent_without_records_unless_always_is_chosen(sink: SmtpSink) -> None:
    flash = schedule(create_shared(owner=create_reader("owner")))
    [run] = tick(DUE)
    assert (run.state, run.message, sink.take()) == (RunState.SUCCEEDED, "No record was returned.", [])
    assert (FlashDelivery.objects.get().state, FlashMail.objects.count()) == (DeliveryState.NOTHING, 0)
    schedule(flash.report, at=DUE + MINUTE, preference=FlashPreference.ALWAYS)
    tick(DUE + DAY)
    [(_, message)] = sink.take()
    assert message["Subject"].endswith("0 records")
    assert "No record is returned." in read_part(message, "plain")
    assert list(message.iter_attachments()) == []


def test_a_vault_that_was_down_sends_the_newest_missed_one_and_says_so(sink: SmtpSink) -> None:
    flash = schedule(create_shared(owner=create_reader("owner")), preference=FlashPreference.ALWAYS)
    tick(DUE + 4 * DAY + 3 * 60 * MINUTE)
    [(_, message)] = sink.take()
    text = read_part(message, "plain")
    assert "It was planned for 5 Jun 2026, 06:00; the Vault could not send it then." in text
    assert "Before it, 4 were planned and not sent, because the Vault did not run." in text
    delivery = flash.deliveries.get()
    assert (delivery.moment, delivery.missed) == (DUE + 4 * DAY, 4)
    # What was planned before the schedule was set anew is nobody's.
    schedule(flash.report, at=DUE + 6 * DAY + MINUTE, time=dt.time(5))
    assert tick(DUE + 6 * DAY + 2 * MINUTE) == []


@pytest.mark.parametrize("back", [dt.timedelta(hours=1), 3 * DAY])
def test_a_clock_that_is_set_back_sends_nothing_twice(sink: SmtpSink, back: dt.timedelta) -> None:
    schedule(create_shared(owner=create_reader("owner")), preference=FlashPreference.ALWAYS)
    for at in (DUE, DUE - back, DUE, DUE + MINUTE):
        tick(at)
    assert list_addresses(sink) == ["owner@example.org"]


def test_two_workers_send_one_e_mail(sink: SmtpSink) -> None:
    """The second begins while the first has claimed the e-mail and not sent it yet."""
    flash = schedule(create_shared(owner=create_reader("owner")), preference=FlashPreference.ALWAYS)
    definition = JobDefinition.objects.get(key=FLASH_JOB_KEY)
    send = EmailMultiAlternatives.send
    others: list[str] = []

    def send_while_another_begins(message: Any, *args: Any) -> int:
        JobRun.objects.filter(state=RunState.RUNNING).update(state=RunState.INTERRUPTED)
        let_lease_run_out(JobRun.objects.latest("pk").pk)
        run = create_run(definition=definition, unit=build_unit(flash), user=None)
        with patch.object(EmailMultiAlternatives, "send", send):
            finished = execute_run(run.pk)
        others.append(finished.message if finished else "")
        return int(send(message, *args))

    with (
        time_machine.travel(DUE, tick=False),
        patch.object(EmailMultiAlternatives, "send", send_while_another_begins),
    ):
        run = create_run(definition=definition, unit=build_unit(flash), user=None)
        execute_run(run.pk)
    assert list_addresses(sink) == ["owner@example.org"]
    assert others == ["1 e-mail of 1 may not have arrived. Retry sends them again."]


def test_an_e_mail_of_a_worker_that_died_is_not_sent_again_by_itself(sink: SmtpSink) -> None:
    owner, reader = create_reader("owner"), create_reader("reader")
    flash = schedule(create_shared(reader, owner=owner), preference=FlashPreference.ALWAYS)
    delivery = FlashDelivery.objects.create(flash=flash, moment=DUE, attempts=1)
    FlashMail.objects.create(delivery=delivery, user=owner, state=MailState.SENDING, changed_at=DUE)
    [run] = tick(DUE + MINUTE)
    assert (list_addresses(sink), run.state) == (["reader@example.org"], RunState.WITH_EXCEPTIONS)
    delivery.refresh_from_db()
    assert (delivery.state, delivery.next_try_at) == (DeliveryState.FAILED, None)
    assert "1 e-mail of 2 may not have arrived" in delivery.message
    assert AuditEntry.objects.filter(action="exported").count() == 2
    # By hand it is, and to that recipient alone.
    with time_machine.travel(DUE + 2 * MINUTE, tick=False):
        assert retry_delivery(delivery=delivery, user=owner)
        work()
    assert list_addresses(sink) == ["owner@example.org"]
    delivery.refresh_from_db()
    assert (delivery.state, retry_delivery(delivery=delivery, user=owner)) == (DeliveryState.DELIVERED, False)


def test_a_refused_e_mail_is_tried_again_later_and_later_and_the_others_are_not(sink: SmtpSink) -> None:
    owner, reader = create_reader("owner"), create_reader("reader")
    flash = schedule(create_shared(reader, owner=owner), preference=FlashPreference.ALWAYS)
    sink.refused = {"reader@example.org"}
    [run] = tick(DUE)
    assert (list_addresses(sink), run.state) == (["owner@example.org"], RunState.WITH_EXCEPTIONS)
    assert run.message.startswith("1 e-mail of 2 could not be sent. The e-mail was not sent (SMTPRecipientsRefused")
    at = DUE
    for wait in WAITS:
        assert tick(at + wait - MINUTE) == []
        at += wait
        assert len(tick(at)) == 1
    assert flash.deliveries.get().next_try_at is None
    assert tick(at + dt.timedelta(hours=8)) == []
    # The next planned one goes, and what failed before it is left alone.
    sink.refused = set()
    tick(DUE + DAY)
    assert list_addresses(sink) == ["owner@example.org", "reader@example.org"]
    states = list(flash.deliveries.values_list("state", flat=True))
    assert states == [DeliveryState.DELIVERED, DeliveryState.FAILED]


def test_a_server_that_takes_the_e_mail_and_falls_silent_does_not_get_it_twice(sink: SmtpSink) -> None:
    flash = schedule(create_shared(owner=create_reader("owner")), preference=FlashPreference.ALWAYS)
    sink.falls_silent = True
    tick(DUE)
    sink.falls_silent = False
    assert [tick(DUE + wait) for wait in WAITS] == [[]] * len(WAITS)
    assert (list_addresses(sink), flash.deliveries.get().state) == (["owner@example.org"], DeliveryState.FAILED)
    assert flash.deliveries.get().mails.get().state == MailState.UNCLEAR


def test_a_report_that_fails_does_not_stop_others_and_says_why(sink: SmtpSink) -> None:
    owner = create_reader("owner")
    broken = schedule(create_shared(owner=owner, name="A", columns=["gone__c"]), preference=FlashPreference.ALWAYS)
    schedule(create_shared(owner=owner, name="B"), preference=FlashPreference.ALWAYS)
    assert [(each.unit_label, each.state) for each in tick(DUE)] == [("A", RunState.FAILED), ("B", RunState.SUCCEEDED)]
    assert len(sink.take()) == 1
    delivery = broken.deliveries.get()
    assert "has no column gone__c" in delivery.message
    assert delivery.next_try_at == DUE + WAITS[0]


def test_an_unexpected_error_with_the_rows_of_one_keeps_the_report_from_nobody_else(
    sink: SmtpSink, monkeypatch: pytest.MonkeyPatch
) -> None:
    owner, reader = create_reader("owner"), create_reader("reader")
    schedule(create_shared(reader, owner=owner), preference=FlashPreference.ALWAYS)

    def fail_for_owner(opened: OpenReport) -> int:
        if opened.user == owner:
            raise ZeroDivisionError
        return count_rows(opened)

    monkeypatch.setattr(letters, "count_rows", fail_for_owner)
    [run] = tick(DUE)
    assert (list_addresses(sink), run.state) == (["reader@example.org"], RunState.WITH_EXCEPTIONS)
    assert "An unexpected ZeroDivisionError stopped it" in run.message


def test_an_inactive_schedule_or_report_sends_nothing_and_a_removed_one_forgets(sink: SmtpSink) -> None:
    flash = schedule(create_shared(owner=create_reader("owner")), status=RecordStatus.INACTIVE)
    assert tick(DUE) == []
    schedule(flash.report, status=RecordStatus.ACTIVE)
    report = Report.objects.get(pk=flash.report_id)
    report.status = RecordStatus.INACTIVE
    save_record(record=report, actor=build_admin_actor())
    assert tick(DUE) == []
    delete_record(record=flash, actor=build_admin_actor())
    assert sink.take() == []


def test_what_is_due_is_found_with_as_many_statements_for_many_reports(
    django_assert_num_queries: Any,
) -> None:
    for number in range(4):
        schedule(create_shared(owner=get_admin_user(), name=f"R{number}"))
    with time_machine.travel(DUE, tick=False), django_assert_num_queries(3):
        assert [each.label for each in list_due_units()] == ["R0", "R1", "R2", "R3"]


def test_a_run_whose_schedule_was_removed_has_nothing_to_do() -> None:
    flash = schedule(create_shared(owner=get_admin_user()))
    unit = build_unit(flash)
    delete_record(record=flash, actor=build_admin_actor())
    run = create_run(definition=JobDefinition.objects.get(key=FLASH_JOB_KEY), unit=unit, user=None)
    finished = execute_run(run.pk)
    assert finished is not None
    assert (finished.state, finished.message) == (RunState.SUCCEEDED, "The schedule was removed.")
