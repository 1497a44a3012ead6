"""The daily digest reaches each user once a day, in the morning of their time zone, and only if something is due."""

from __future__ import annotations

import datetime as dt
import re
from typing import Any
from unittest.mock import patch

import pytest
import time_machine
from django.core.mail import EmailMultiAlternatives
from django.test import Client

from ctms.accounts.models import User
from ctms.audit.models import AuditEntry
from ctms.audit.services import save_record
from ctms.audit.users import save_user
from ctms.clinical.choices import MonitoringEventState
from ctms.clinical.models import StudySite
from ctms.core.choices import RecordStatus
from ctms.core.models import allow_record_writes
from ctms.jobs.choices import RunState
from ctms.jobs.models import JobClock, JobDefinition, JobRun
from ctms.jobs.services import create_run, dispatch_due, execute_run
from ctms.records.addresses import get_record_url
from ctms.reports.choices import MailState
from ctms.reports.digest import delivery
from ctms.reports.digest.content import DigestContent, read_content
from ctms.reports.digest.subscriptions import build_stop_url, set_hour
from ctms.reports.digest.units import DIGEST_JOB_KEY, UNIT, list_due_units
from ctms.reports.flash.delivery import WAITS
from ctms.reports.models import DigestMail
from tests.admin_rows import create_exception_item
from tests.factories.accounts import SecurityProfileFactory, UserFactory
from tests.factories.activities import ActivityFactory
from tests.factories.base import build_admin_actor
from tests.factories.clinical import (
    MonitoringEventFactory,
    StudyAssignmentFactory,
    StudyCountryFactory,
    StudyFactory,
    StudySiteFactory,
)
from tests.jobs.handlers import let_lease_run_out
from tests.smtp import SmtpSink, read_part

pytestmark = [pytest.mark.django_db, pytest.mark.both_databases]

READS = ("monitoring_event__ctms", "crm_activity__v", "site__v", "study__v", "person__sys", "exception_item__sys")
TODAY = dt.date(2027, 3, 10)  # a Wednesday
SEVEN = dt.datetime(2027, 3, 10, 7, tzinfo=dt.UTC)
DAY, HOUR, MINUTE = dt.timedelta(days=1), dt.timedelta(hours=1), dt.timedelta(minutes=1)


@pytest.fixture(autouse=True)
def _delivered() -> None:
    """Let the job have been delivered long ago."""
    set_delivered(dt.datetime(2026, 1, 1, tzinfo=dt.UTC))


def set_delivered(at: dt.datetime) -> None:
    with allow_record_writes():
        JobDefinition.objects.filter(key=DIGEST_JOB_KEY).update(created_at=at)


def create_cra(name: str, **values: Any) -> User:
    """Return a user who owns a site of a study that they are assigned to."""
    profile = SecurityProfileFactory.create(permissions=[f"{each}:read" for each in READS])
    user = UserFactory.create(username=name, security_profile=profile, **({"digest_hour": 7} | values))
    study = StudyFactory.create()
    StudyAssignmentFactory.create(user=user, study=study)
    StudySiteFactory.create(study_country=StudyCountryFactory.create(study=study), owner=user)
    return user


def find_site(user: User) -> StudySite:
    return StudySite.objects.get(owner=user)


def plan_call(user: User, day: dt.date, subject: str = "Call", **values: Any) -> Any:
    """Return an activity at the user's site."""
    site = find_site(user)
    return ActivityFactory.create(
        study=site.study, site=site, date=day, subject=subject, **({"complete": False} | values)
    )


def tick(at: dt.datetime) -> list[JobRun]:
    """Let the scheduler and a worker do what is due at a time; return the runs."""
    with time_machine.travel(at, tick=False):
        JobClock.objects.filter(definition__key=DIGEST_JOB_KEY).update(next_run_at=at)
        dispatch_due()
        queued = JobRun.objects.filter(definition__key=DIGEST_JOB_KEY, state="queued").order_by("pk")
        return [run for each in queued.values_list("pk", flat=True) if (run := execute_run(each)) is not None]


def list_addresses(sink: SmtpSink) -> list[str]:
    """Return who got a digest; admins get e-mails about jobs, too."""
    return [to for to, message in sink.take() if "List-Unsubscribe" in message]


# -- What is in it --------------------------------------------------------------------------------
def test_it_tells_what_is_overdue_due_and_not_transferred_as_text_and_html(sink: SmtpSink) -> None:
    carla = create_cra("carla")
    site = find_site(carla)
    late = plan_call(carla, TODAY - DAY, "Ask <b>Diego</b>")
    due = plan_call(carla, TODAY, "Order kits")
    plan_call(carla, TODAY + DAY, "Not yet")
    plan_call(carla, TODAY - DAY, "Done", complete=True)
    visit = MonitoringEventFactory.create(site=site, planned_start=TODAY - DAY, planned_end=TODAY)
    for state in (MonitoringEventState.CANCELLED, MonitoringEventState.FINAL):
        MonitoringEventFactory.create(site=site, planned_start=TODAY - DAY, planned_end=None, lifecycle_state=state)
    failed = plan_call(carla, TODAY - 9 * DAY, "Sent long ago", complete=True)
    create_exception_item(record_uid=failed.uid, item="Sent long ago", key=str(failed.uid))
    create_exception_item()  # of somebody else's activity
    plan_call(create_cra("other", digest_hour=None), TODAY, "Of another user")
    assert (tick(SEVEN - MINUTE), sink.take()) == ([], [])
    [run] = tick(SEVEN)
    assert (run.state, run.message) == (RunState.SUCCEEDED, "Sent to 1 user.")
    [(address, message)] = sink.take()
    assert address == "carla@example.org"
    assert message["Subject"] == "[CTMS Vault] 10 Mar 2027: 1 overdue, 2 due today, 1 not transferred"
    assert (message["To"], message["Cc"], message["Bcc"]) == ("carla@example.org", None, None)
    text, html = read_part(message, "plain"), read_part(message, "html")
    assert "Ask <b>Diego</b>" in text
    assert "Ask &lt;b&gt;Diego&lt;/b&gt;" in html
    for part in (text, html):
        for record in (late, due, visit, failed):
            assert f"http://127.0.0.1:8000{get_record_url(record)}" in part
        for absent in ("Not yet", "Done", "Of another user"):
            assert absent not in part
        assert part.index("Overdue (1)") < part.index("Due today (2)") < part.index("Not transferred (1)")
    assert message["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    assert "/digest/stop/" in message["List-Unsubscribe"]
    assert message["Auto-Submitted"] == "auto-generated"
    mail = DigestMail.objects.get()
    assert (mail.user, mail.day, mail.state, mail.rows) == (carla, TODAY, MailState.SENT, 4)
    entry = AuditEntry.objects.get(action="exported")
    assert (entry.record_uid, entry.changes["records"], entry.reason) == (carla.uid, [None, 4], "Daily digest.")
    # Nothing more on that day, whoever asks; the next day again.
    assert [tick(SEVEN + wait) for wait in (MINUTE, 12 * HOUR)] == [[], []]
    assert len(tick(SEVEN + DAY)) == 1
    assert len(sink.take()) == 1


def test_none_comes_when_there_is_nothing(sink: SmtpSink) -> None:
    carla = create_cra("carla")
    plan_call(carla, TODAY + DAY)
    [run] = tick(SEVEN)
    assert (run.message, sink.take()) == ("Sent to 0 users. Nothing to send to 1.", [])
    # What becomes due during the day is told in the next digest.
    plan_call(carla, TODAY)
    assert tick(SEVEN + HOUR) == []
    tick(SEVEN + DAY)
    assert list_addresses(sink) == ["carla@example.org"]


def test_who_may_not_read_user_exceptions_is_told_what_was_not_transferred_and_not_why() -> None:
    carla = create_cra("carla")
    failed = plan_call(carla, TODAY - DAY, complete=True)
    create_exception_item(record_uid=failed.uid, item=f"crm_activity__v: {failed.name}", key=str(failed.uid))
    notes = []
    for names in (READS, READS[:-1]):
        carla.security_profile = SecurityProfileFactory.create(permissions=[f"{each}:read" for each in names])
        [part] = read_content(user=carla, day=TODAY).parts
        notes += [(each.text, each.note) for each in part.rows]
    named = f"Call · {failed.name}"
    assert notes == [(named, "No account has this identifier."), (named, "")]


def test_it_shows_what_the_user_may_see_now(sink: SmtpSink) -> None:
    carla = create_cra("carla")
    plan_call(carla, TODAY, "Secret of the study")
    assignment = carla.study_assignments.get()
    assignment.valid_until = TODAY - DAY
    save_record(record=assignment, actor=build_admin_actor())
    tick(SEVEN)
    assert sink.take() == []


def test_a_subject_cannot_add_headers(sink: SmtpSink) -> None:
    plan_call(create_cra("carla", last_name="Craig\r\nBcc: eve@example.org"), TODAY, "Call\r\nBcc: eve@example.org")
    tick(SEVEN)
    [(_, message)] = sink.take()
    assert (message["Bcc"], message["To"]) == (None, "carla@example.org")


def test_many_entries_are_counted_and_the_first_are_shown() -> None:
    carla = create_cra("carla")
    for number in range(33):
        plan_call(carla, TODAY - DAY, f"Call {number}")
    [part] = read_content(user=carla, day=TODAY).parts
    assert (len(part.rows), part.total, part.left_out) == (30, "33", "3")


# -- When it comes --------------------------------------------------------------------------------
def test_it_comes_at_the_users_hour_of_the_users_zone(sink: SmtpSink) -> None:
    for name, zone, hour in (("tokyo", "Asia/Tokyo", 7), ("vienna", "Europe/Vienna", 7), ("late", "UTC", 9)):
        plan_call(create_cra(name, time_zone=zone, digest_hour=hour), TODAY)
    sent: dict[str, int] = {}
    for hours in range(-24, 12):
        at = SEVEN + hours * HOUR
        tick(at)
        sent |= {to.partition("@")[0]: at.hour for to in list_addresses(sink)}
    assert sent == {"tokyo": 22, "vienna": 6, "late": 9}


def test_days_on_which_the_clocks_change_have_one_digest_each(sink: SmtpSink) -> None:
    """In Vienna, 02:00 of 28 March 2027 does not exist, and 02:00 of 31 October comes twice."""
    carla = create_cra("carla", time_zone="Europe/Vienna", digest_hour=2)
    plan_call(carla, dt.date(2027, 3, 1))
    for day, first in ((dt.date(2027, 3, 28), 1), (dt.date(2027, 10, 31), 0)):
        midnight = dt.datetime.combine(day, dt.time(), tzinfo=dt.UTC)
        sent = []
        for half in range(8):
            at = midnight + half * HOUR / 2
            if tick(at):
                sent += [at.hour for _ in sink.take()]
        assert sent == [first]


def test_a_move_to_another_zone_brings_no_second_one_of_the_day(sink: SmtpSink) -> None:
    carla = create_cra("carla", time_zone="Asia/Tokyo")
    plan_call(carla, TODAY - 2 * DAY)
    tick(SEVEN - 9 * HOUR)
    User.objects.filter(pk=carla.pk).update(time_zone="America/Los_Angeles")
    tick(SEVEN + 8 * HOUR)
    assert list_addresses(sink) == ["carla@example.org"]
    tick(SEVEN + DAY + 8 * HOUR)
    assert list_addresses(sink) == ["carla@example.org"]


@pytest.mark.parametrize(
    "values",
    [
        {"digest_hour": None},
        {"is_active": False},
        {"valid_until": TODAY - DAY},
        {"email": ""},
    ],
)
def test_who_gets_none(sink: SmtpSink, values: dict[str, Any]) -> None:
    carla = create_cra("carla")
    plan_call(carla, TODAY)
    User.objects.filter(pk=carla.pk).update(**values)
    assert (tick(SEVEN), sink.take()) == ([], [])


def test_a_vault_that_gets_the_job_at_noon_sends_none_of_the_morning(sink: SmtpSink) -> None:
    plan_call(create_cra("carla"), TODAY)
    set_delivered(SEVEN + 5 * HOUR)
    assert tick(SEVEN + 6 * HOUR) == []
    tick(SEVEN + DAY)
    assert list_addresses(sink) == ["carla@example.org"]


def test_what_is_due_is_found_with_as_many_statements_for_many_users(django_assert_num_queries: Any) -> None:
    for number in range(4):
        create_cra(f"cra{number}")
    with time_machine.travel(SEVEN, tick=False), django_assert_num_queries(3):
        assert list_due_units() == [UNIT]


# -- Once, whatever fails -------------------------------------------------------------------------
def test_two_workers_send_one_e_mail(sink: SmtpSink) -> None:
    """The second begins while the first has claimed the e-mail and not sent it yet."""
    plan_call(create_cra("carla"), TODAY)
    definition = JobDefinition.objects.get(key=DIGEST_JOB_KEY)
    send = EmailMultiAlternatives.send
    others: list[str] = []

    def send_while_another_begins(message: Any, *args: Any) -> int:
        JobRun.objects.filter(state=RunState.RUNNING).update(state=RunState.INTERRUPTED)
        let_lease_run_out(JobRun.objects.latest("pk").pk)
        run = create_run(definition=definition, unit=UNIT, user=None)
        with patch.object(EmailMultiAlternatives, "send", send):
            finished = execute_run(run.pk)
        others.append(finished.message if finished else "")
        return int(send(message, *args))

    with (
        time_machine.travel(SEVEN, tick=False),
        patch.object(EmailMultiAlternatives, "send", send_while_another_begins),
    ):
        run = create_run(definition=definition, unit=UNIT, user=None)
        execute_run(run.pk)
    assert list_addresses(sink) == ["carla@example.org"]
    assert "may not have arrived" in others[0]


def test_a_worker_that_was_overtaken_before_the_claim_leaves_it_to_the_other(sink: SmtpSink) -> None:
    carla = create_cra("carla")
    plan_call(carla, TODAY)

    def read_while_another_claims(**values: Any) -> DigestContent:
        DigestMail.objects.create(user=carla, day=TODAY, changed_at=SEVEN)
        return read_content(**values)

    with patch.object(delivery, "read_content", read_while_another_claims):
        tick(SEVEN)
    assert sink.take() == []


def test_an_e_mail_of_a_worker_that_died_is_not_sent_again(sink: SmtpSink) -> None:
    carla, other = create_cra("carla"), create_cra("other")
    for each in (carla, other):
        plan_call(each, TODAY)
    DigestMail.objects.create(user=carla, day=TODAY, state=MailState.SENDING, attempts=1, changed_at=SEVEN)
    [run] = tick(SEVEN + MINUTE)
    assert (list_addresses(sink), run.state) == (["other@example.org"], RunState.WITH_EXCEPTIONS)
    assert DigestMail.objects.get(user=carla).state == MailState.UNCLEAR
    assert tick(SEVEN + HOUR) == []


def test_a_refused_e_mail_is_tried_again_later_and_later_and_the_others_are_not(sink: SmtpSink) -> None:
    for name in ("carla", "other"):
        plan_call(create_cra(name), TODAY)
    sink.refused = {"carla@example.org"}
    [run] = tick(SEVEN)
    assert (list_addresses(sink), run.state) == (["other@example.org"], RunState.WITH_EXCEPTIONS)
    at = SEVEN
    for wait in WAITS:
        assert tick(at + wait - MINUTE) == []
        at += wait
        assert len(tick(at)) == 1
    mail = DigestMail.objects.get(user__username="carla")
    assert (mail.state, mail.attempts, mail.next_try_at) == (MailState.FAILED, len(WAITS) + 1, None)
    assert "SMTPRecipientsRefused" in mail.reason
    sink.refused = set()
    tick(SEVEN + DAY)
    assert list_addresses(sink) == ["carla@example.org", "other@example.org"]


def test_a_server_that_takes_the_e_mail_and_falls_silent_does_not_get_it_twice(sink: SmtpSink) -> None:
    plan_call(create_cra("carla"), TODAY)
    sink.falls_silent = True
    tick(SEVEN)
    sink.falls_silent = False
    assert [tick(SEVEN + wait) for wait in WAITS] == [[]] * len(WAITS)
    assert (list_addresses(sink), DigestMail.objects.get().state) == (["carla@example.org"], MailState.UNCLEAR)


def test_an_error_with_the_entries_of_one_keeps_it_from_nobody_else(sink: SmtpSink) -> None:
    carla = create_cra("carla")
    for each in (carla, create_cra("other")):
        plan_call(each, TODAY)

    def fail_for_carla(**values: Any) -> DigestContent:
        if values["user"] == carla:
            raise ZeroDivisionError
        return read_content(**values)

    with patch.object(delivery, "read_content", fail_for_carla):
        tick(SEVEN)
    assert list_addresses(sink) == ["other@example.org"]
    assert "An unexpected ZeroDivisionError stopped it" in DigestMail.objects.get(user=carla).reason
    tick(SEVEN + WAITS[0])
    assert list_addresses(sink) == ["carla@example.org"]


# -- Its page, and the way out --------------------------------------------------------------------
def test_the_link_of_an_e_mail_asks_and_one_click_stops_it(sink: SmtpSink, client: Client) -> None:
    carla = create_cra("carla")
    plan_call(carla, TODAY)
    tick(SEVEN)
    [(_, message)] = sink.take()
    address = message["List-Unsubscribe"].strip(" <>").removeprefix("http://127.0.0.1:8000")
    assert "Stop the daily digest?" in client.get(address).content.decode()
    assert User.objects.get(pk=carla.pk).digest_hour == 7
    # What a mail program posts by itself (RFC 8058).
    strict = Client(enforce_csrf_checks=True)
    assert strict.post(address, {"List-Unsubscribe": "One-Click"}).status_code == 200
    assert User.objects.get(pk=carla.pk).digest_hour is None
    entry = AuditEntry.objects.filter(record_uid=carla.uid).latest("id")
    assert (entry.actor, entry.changes) == (carla, {"digest_hour": [7, None]})
    assert client.get(f"{address[:-2]}x/").status_code == 404
    assert tick(SEVEN + DAY) == []


def test_a_link_stops_one_digest_whoever_follows_it_and_none_after_the_address_changed(client: Client) -> None:
    carla, other = create_cra("carla"), create_cra("other")
    address = build_stop_url(carla).removeprefix("http://127.0.0.1:8000")
    client.force_login(other)
    for _ in range(2):
        assert client.post(address).status_code == 200
    hours = User.objects.filter(username__in=("carla", "other")).order_by("username")
    assert list(hours.values_list("digest_hour", flat=True)) == [None, 7]
    # One entry, of the user whose link it is.
    [entry] = AuditEntry.objects.filter(record_uid=carla.uid, changes__has_key="digest_hour").exclude(action="created")
    assert entry.actor == carla
    carla.refresh_from_db()
    carla.email = "moved@example.org"
    save_user(user=carla, actor=build_admin_actor(), fields=("email",))
    set_hour(user=carla, hour=6, actor=build_admin_actor())
    for answer in (client.get(address), client.post(address)):
        assert answer.status_code == 404
        assert "your e-mail address has changed since" in answer.content.decode()
    carla.refresh_from_db()
    assert carla.digest_hour == 6
    # A signature of one user does not fit another.
    forged = address.replace(carla.uid.hex, other.uid.hex)
    assert client.post(forged).status_code == 404


def test_the_page_shows_what_would_come_saves_the_hour_and_tells_the_history(client: Client) -> None:
    carla = create_cra("carla", time_zone="Europe/Vienna")
    DigestMail.objects.create(
        user=carla, day=TODAY - DAY, state=MailState.FAILED, reason="No such mailbox.", changed_at=SEVEN
    )
    DigestMail.objects.create(
        user=create_cra("other"), day=TODAY, state=MailState.SENT, reason="Of another user.", changed_at=SEVEN
    )
    with time_machine.travel(SEVEN, tick=False):
        client.force_login(carla)
        page = client.get("/digest/").content.decode()
        assert "no e-mail would come" in page
        plan_call(carla, TODAY, "Order kits")
        page = client.get("/digest/").content.decode()
        for text in ("Order kits", "No such mailbox.", "carla@example.org", "Europe/Vienna"):
            assert text in page
        assert "Of another user." not in page
        assert re.search(r'<option value="7" selected', page)
        assert "At 07:00" in client.get("/profile/").content.decode()
        page = client.post("/digest/", {"hour": "9"}, follow=True).content.decode()
        assert "Your digest comes at 09:00." in page
        assert "You get no daily digest." in client.post("/digest/", {"hour": ""}, follow=True).content.decode()
        assert "Select a valid choice" in client.post("/digest/", {"hour": "24"}).content.decode()
        definition = JobDefinition.objects.get(key=DIGEST_JOB_KEY)
        definition.status = RecordStatus.INACTIVE
        save_record(record=definition, actor=build_admin_actor())
        assert "None is sent at present" in client.get("/digest/").content.decode()


def test_new_users_get_it_at_seven() -> None:
    assert User.objects.create_user("new").digest_hour == 7
