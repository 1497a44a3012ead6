"""The page of a schedule, unsubscribing by the link of an e-mail, and what the Vault itself tells."""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import urlsplit

import pytest
import time_machine
from django.test import Client

from ctms.accounts.mail import send_mail
from ctms.audit.models import AuditEntry
from ctms.audit.users import save_user
from ctms.core.choices import RecordStatus
from ctms.jobs.services import set_job_status
from ctms.records.pages.navigation import Frame
from ctms.reports.choices import DeliveryState, FlashPreference, MailState
from ctms.reports.flash import letters
from ctms.reports.flash.recipients import Recipient
from ctms.reports.flash.services import remove_schedule
from ctms.reports.flash.subscriptions import build_unsubscribe_url
from ctms.reports.flash.units import FLASH_JOB_KEY
from ctms.reports.models import FlashDelivery, FlashMail, FlashReport, Report
from tests.admin_forms import list_messages
from tests.factories.base import build_admin_actor
from tests.factories.reports import ReportFactory, ReportShareFactory
from tests.reports.flash.flashes import DUE, KEEPER, MINUTE, MONDAY, create_reader, schedule, tick, work
from tests.smtp import SmtpSink, read_part

pytestmark = pytest.mark.django_db

EDITOR = (*KEEPER[:-1],)
CHOSEN = {
    "frequency": "weekly",
    "weekday": "4",
    "day": "31",
    "time": "02:30",
    "time_zone": "Europe/Paris",
    "preference": "always",
    "is_active": "on",
}


@pytest.fixture
def report() -> Report:
    owner = create_reader("owner", permissions=EDITOR)
    return ReportFactory.create(owner=owner, name="Doses", columns=["subject__v"])


def open_page(client: Client, report: Report) -> str:
    response = client.get(f"/reports/{report.uid}/schedule/")
    assert response.status_code == 200
    return response.content.decode()


def post(client: Client, report: Report, page: str = "", **values: Any) -> Any:
    return client.post(f"/reports/{report.uid}/schedule/{page}", values, follow=True)


def test_the_owner_sees_the_next_times_before_and_after_saving(client: Client, report: Report) -> None:
    client.force_login(report.owner)
    assert "The report is not scheduled" in open_page(client, report)
    with time_machine.travel(MONDAY, tick=False):
        shown = post(client, report, **CHOSEN, action="preview").content.decode()
        assert re.findall(r'<time datetime="([^"]+)"', shown) == [
            f"2026-06-{day:02}T00:30:00+00:00" for day in (5, 12, 19)
        ]
        assert "Friday, 5 Jun 2026, 00:30" in shown
        assert not FlashReport.objects.exists()
        response = post(client, report, **CHOSEN)
    assert list_messages(response) == ["The schedule was saved: Every Friday at 02:30 (Europe/Paris)."]
    flash = FlashReport.objects.get()
    assert (flash.weekday, flash.day, flash.preference, flash.counted_from) == (4, 31, FlashPreference.ALWAYS, MONDAY)
    # What only says whether it is sent without records leaves planned moments planned.
    post(client, report, **CHOSEN | {"preference": "with_records"}, expected_version=flash.version)
    flash.refresh_from_db()
    assert (flash.preference, flash.counted_from) == (FlashPreference.WITH_RECORDS, MONDAY)
    stale = post(client, report, **CHOSEN, expected_version=1)
    assert "Somebody else changed the schedule meanwhile." in stale.content.decode()


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ({"time": "25:00"}, "Enter a time such as 06:30."),
        ({"time_zone": "Mars/Base"}, "Select a valid choice."),
        ({"day": "32"}, "Ensure this value is less than or equal to 31."),
        ({"weekday": "9"}, "Select a valid choice."),
    ],
)
def test_what_is_wrong_is_said_beside_its_field(
    client: Client, report: Report, wrong: dict[str, str], told: str
) -> None:
    client.force_login(report.owner)
    page = post(client, report, **CHOSEN | wrong).content.decode()
    assert told in page
    assert not FlashReport.objects.exists()


def test_who_may_not_schedule_it_sees_when_it_comes_and_changes_nothing(client: Client, report: Report) -> None:
    reader, stranger = create_reader("reader"), create_reader("stranger")
    ReportShareFactory.create(report=report, user=reader)
    flash = schedule(report)
    delivery = FlashDelivery.objects.create(flash=flash, moment=DUE, state=DeliveryState.FAILED)
    client.force_login(reader)
    page = open_page(client, report)
    assert "Every day at 06:00 (UTC)." in page
    assert not {"owner@example.org", "Remove schedule", "History"} & set(re.findall(r"[\w@. ]+", page))
    for page in ("", "remove/"):
        assert post(client, report, page, **CHOSEN).status_code == 403
    assert client.post(f"/reports/deliveries/{delivery.uid}/retry/").status_code == 403
    client.force_login(stranger)
    for page in ("", "remove/", "send/", "subscription/", "take-over/"):
        assert post(client, report, page, **CHOSEN).status_code == 404
    flash.refresh_from_db()
    assert flash.version == 1


def test_the_page_says_who_gets_it_what_became_of_it_and_that_the_job_is_inactive(
    client: Client, report: Report, sink: SmtpSink
) -> None:
    ReportShareFactory.create(report=report, user=create_reader("blind", permissions=("report__sys:read",)))
    flash = schedule(report, preference=FlashPreference.ALWAYS)
    sink.refused = {"owner@example.org"}
    tick(DUE)
    set_job_status(key=FLASH_JOB_KEY, status=RecordStatus.INACTIVE, actor=build_admin_actor())
    client.force_login(report.owner)
    page = open_page(client, report)
    for text in (
        "(owner@example.org)",
        "does not allow to read what the",
        "1 e-mail of 1 could not be sent.",
        "It is tried again at",
        "1 Jun 2026, 06:05",
        "The job Flash Reports is Inactive",
    ):
        assert text in page
    sink.refused = set()
    delivery = flash.deliveries.get()
    with time_machine.travel(DUE + MINUTE, tick=False):
        client.force_login(report.owner)
        response = client.post(f"/reports/deliveries/{delivery.uid}/retry/", follow=True)
        assert list_messages(response)[0].startswith("It is being sent again.")
        work()
    delivery.refresh_from_db()
    assert (delivery.state, len(sink.take())) == (DeliveryState.DELIVERED, 1)
    client.force_login(report.owner)
    response = client.post(f"/reports/deliveries/{delivery.uid}/retry/", follow=True)
    assert list_messages(response) == ["Nothing was sent again: it has not failed (any more)."]
    remove_schedule(report=report, actor=build_admin_actor())
    assert not FlashDelivery.objects.exists()


def test_a_reader_sends_it_to_themselves_alone(client: Client, report: Report, sink: SmtpSink) -> None:
    reader = create_reader("reader")
    ReportShareFactory.create(report=report, user=reader)
    client.force_login(reader)
    response = post(client, report, "send/")
    assert list_messages(response) == ["The report was sent to reader@example.org."]
    [(to, message)] = sink.take()
    assert (to, "It was planned for" in read_part(message, "plain")) == ("reader@example.org", False)
    assert AuditEntry.objects.filter(action="exported", record_uid=report.uid).count() == 1
    sink.refused = {"reader@example.org"}
    assert list_messages(post(client, report, "send/"))[0].startswith("The e-mail was not sent")


def test_a_link_of_the_e_mail_unsubscribes_without_a_log_in_and_only_when_it_is_meant(
    report: Report, sink: SmtpSink
) -> None:
    flash = schedule(report, preference=FlashPreference.ALWAYS)
    tick(DUE)
    [(_, message)] = sink.take()
    address = urlsplit(message["List-Unsubscribe"].strip().strip("<>")).path
    visitor = Client(enforce_csrf_checks=True)
    page = visitor.get(address).content.decode()
    assert "owner@example.org will get no more e-mails of the report <strong>Doses</strong>" in page
    assert not flash.unsubscriptions.exists()
    # As mail programs post it, by RFC 8058.
    for _ in range(2):
        answer = visitor.post(address, {"List-Unsubscribe": "One-Click"})
        assert (answer.status_code, "You are unsubscribed" in answer.content.decode()) == (200, True)
    assert [each.user for each in flash.unsubscriptions.all()] == [report.owner]
    entry = AuditEntry.objects.filter(action="created").latest("id")
    assert (entry.actor_name, entry.source) == (str(report.owner), "page")
    assert visitor.get(address[:-3] + "xx/").status_code == 404
    [run] = tick(DUE + 24 * 60 * MINUTE)
    assert (run.message.startswith("Nobody gets it."), sink.take()) == (True, [])
    remove_schedule(report=report, actor=build_admin_actor())
    assert visitor.post(address).status_code == 404


def test_a_user_unsubscribes_and_subscribes_again_on_the_page(client: Client, report: Report) -> None:
    flash = schedule(report)
    client.force_login(report.owner)
    post(client, report, "subscription/", action="unsubscribe")
    assert "You are unsubscribed: you do not get" in open_page(client, report)
    assert "Unsubscribed." in open_page(client, report)
    post(client, report, "subscription/", action="subscribe")
    assert not flash.unsubscriptions.exists()


def test_a_report_whose_owner_left_is_taken_over_on_the_page(client: Client, report: Report) -> None:
    schedule(report)
    keeper = create_reader("keeper", permissions=KEEPER)
    report.owner.is_active = False
    save_user(user=report.owner, actor=build_admin_actor(), fields=["is_active"])
    client.force_login(keeper)
    assert "Take it over" in open_page(client, report)
    assert list_messages(post(client, report, "take-over/")) == ["The report is yours now."]
    assert "Take it over" not in open_page(client, report)
    assert list_messages(post(client, report, "take-over/"))[0].endswith("there is nothing to take over.")


def test_the_vault_tells_that_a_report_came_until_it_is_opened(
    client: Client, report: Report, sink: SmtpSink, rf: Any
) -> None:
    schedule(report, preference=FlashPreference.ALWAYS)
    tick(DUE)
    request = rf.get("/")
    request.user = report.owner
    with time_machine.travel(DUE + MINUTE, tick=False):
        [told] = Frame(request=request, user=report.owner).notifications
        assert (told.label, told.text) == ("Report: Doses", "0 records; an e-mail was sent to you.")
        client.force_login(create_reader("other"))
        assert client.get(told.url).status_code == 404
        client.force_login(report.owner)
        assert client.get(told.url).headers["Location"] == f"/reports/{report.uid}/"
        assert Frame(request=request, user=report.owner).notifications == []
    FlashMail.objects.update(state=MailState.FAILED, reason="Refused.", seen_at=None)
    with time_machine.travel(DUE + MINUTE, tick=False):
        [told] = Frame(request=request, user=report.owner).notifications
        assert (told.text, told.is_warning) == ("Refused.", True)
        assert client.get(told.url).headers["Location"] == f"/reports/{report.uid}/schedule/"


def test_names_that_would_be_headers_or_html_are_harmless_in_an_e_mail(report: Report, sink: SmtpSink) -> None:
    # Such a name is tidied when it is saved; here it is as if one had come in by another way.
    hostile = "Doses\r\nBcc: thief@example.org\r\n\r\n<script>alert(1)</script> =1+1 \u202e"
    flash = schedule(report, preference=FlashPreference.ALWAYS)
    flash.report.name = hostile
    recipient = Recipient(user=report.owner, runner=report.owner)
    content = letters.read_content(flash=flash, recipient=recipient, renew=lambda: None)
    letter = letters.write_letter(flash=flash, recipient=recipient, occasion=letters.Occasion(now=DUE), content=content)
    send_mail(subject=letter.subject, text=letter.text, to=["owner@example.org"], html=letter.html)
    [(_, message)] = sink.take()
    assert message["Bcc"] is None
    assert message["Subject"].startswith("[CTMS Vault] Doses Bcc: thief@example.org <script>")
    assert "<script>" not in read_part(message, "html")
    assert build_unsubscribe_url(flash=flash, user=report.owner) in read_part(message, "plain")
