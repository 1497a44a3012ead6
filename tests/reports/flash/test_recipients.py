"""Who gets a flash report, whose rows they get, and what happens when its owner leaves."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest

from ctms.accounts.models import User
from ctms.audit.actors import Actor
from ctms.audit.models import AuditEntry
from ctms.audit.users import save_user
from ctms.reports.choices import FlashPreference, MailState, ShareRole
from ctms.reports.flash.recipients import Recipients, list_recipients
from ctms.reports.flash.services import NotTakenOverError, take_over
from ctms.reports.models import FlashMail, Report
from tests.factories.accounts import SecurityProfileFactory
from tests.factories.activities import ActivityFactory
from tests.factories.base import build_admin_actor, get_admin_user
from tests.factories.clinical import StudyFactory
from tests.factories.reports import ReportFactory, ReportShareFactory
from tests.reports.flash.flashes import DAY, DUE, KEEPER, READER, create_reader, schedule, tick
from tests.smtp import SmtpSink, read_part

pytestmark = [pytest.mark.django_db, pytest.mark.both_databases]

COLUMNS = ["subject__v", "study__v"]


@pytest.fixture(autouse=True)
def _no_other_keeper() -> None:
    user = get_admin_user()
    user.email = ""
    user.save()


def describe(found: Recipients) -> tuple[list[str], dict[str, str]]:
    return [each.user.email for each in found.mailed], {each.user.last_name: each.reason for each in found.left_out}


def leave(user: User, **values: Any) -> None:
    for name, value in (values or {"is_active": False}).items():
        setattr(user, name, value)
    save_user(user=user, actor=build_admin_actor(), fields=list(values or ("is_active",)))


def build_actor(user: User) -> Actor:
    return Actor(user=user, source="page")


def test_owner_users_and_members_of_profiles_get_it_if_they_may_read_it_and_have_an_address() -> None:
    profile = SecurityProfileFactory.create(permissions=list(READER))
    create_reader("member", security_profile=profile)
    create_reader("former", security_profile=profile, is_active=False)
    report = ReportFactory.create(owner=create_reader("owner"), columns=COLUMNS)
    ReportShareFactory.create(report=report, profile=profile)
    for name, values in (
        ("ended", {"valid_until": dt.date(2020, 1, 1)}),
        ("gone", {"is_active": False}),
        ("blind", {"permissions": ("report__sys:read",)}),
        ("closed", {"permissions": READER[1:]}),
        ("shared", {}),
    ):
        ReportShareFactory.create(report=report, user=create_reader(name, **values))
    nowhere = create_reader("nowhere")
    leave(nowhere, email="")
    ReportShareFactory.create(report=report, user=nowhere, role=ShareRole.EDITOR)
    create_reader("stranger")
    mailed, left_out = describe(list_recipients(schedule(report)))
    assert mailed == ["member@example.org", "owner@example.org", "shared@example.org"]
    assert left_out == {
        "Blind": f"The security profile of {User.objects.get(last_name='Blind')} does not allow to read what the "
        "report is about.",
        "Closed": "The security profile does not allow to read reports.",
        "Ended": "The account has ended.",
        "Gone": "The account is not active.",
        "Nowhere": "There is no e-mail address.",
    }


def test_a_report_that_runs_as_its_owner_has_their_rows_and_says_so(sink: SmtpSink) -> None:
    study = StudyFactory.create()
    ActivityFactory.create(study=study, subject="Owner sees this")
    owner, reader = create_reader("owner", study), create_reader("reader")
    report = ReportFactory.create(owner=owner, columns=COLUMNS, run_as_owner=True)
    ReportShareFactory.create(report=report, user=reader)
    schedule(report)
    tick(DUE)
    sent = {to: read_part(message, "plain") for to, message in sink.take()}
    assert all("Owner sees this" in text for text in sent.values())
    told = f"It runs as its owner {owner}: you see what {owner} may see."
    assert [told in sent[f"{name}@example.org"] for name in ("owner", "reader")] == [False, True]


def test_who_looks_after_reports_gets_that_of_an_owner_who_left_until_it_is_taken_over(sink: SmtpSink) -> None:
    study = StudyFactory.create()
    ActivityFactory.create(study=study, subject="Dose")
    owner, keeper = create_reader("owner", study), create_reader("keeper", study, permissions=KEEPER)
    reader = create_reader("reader", study)
    report = ReportFactory.create(owner=owner, columns=COLUMNS)
    ReportShareFactory.create(report=report, user=reader)
    flash = schedule(report)
    assert describe(list_recipients(flash))[0] == ["owner@example.org", "reader@example.org"]
    with pytest.raises(NotTakenOverError, match="there is nothing to take over"):
        take_over(report=report, actor=build_actor(keeper))
    leave(owner)
    tick(DUE)
    sent = {to: read_part(message, "plain") for to, message in sink.take()}
    assert sorted(sent) == ["keeper@example.org", "reader@example.org"]
    asked = [f"Its owner {owner} has left. You get it because you look after reports" in text for text in sent.values()]
    assert asked == [True, False]
    with pytest.raises(NotTakenOverError, match="does not allow you"):
        take_over(report=report, actor=build_actor(reader))
    take_over(report=report, actor=build_actor(keeper))
    assert Report.objects.get(pk=report.pk).owner == keeper
    assert AuditEntry.objects.latest("id").reason == f"Taken over from {owner}, who has left"
    tick(DUE + DAY)
    assert [to for to, _ in sink.take()] == ["keeper@example.org", "reader@example.org"]


def test_rows_of_an_owner_who_left_go_to_nobody_and_nothing_is_dropped_in_silence(sink: SmtpSink) -> None:
    owner, keeper, reader = create_reader("owner"), create_reader("keeper", permissions=KEEPER), create_reader("reader")
    report = ReportFactory.create(owner=owner, columns=COLUMNS, run_as_owner=True)
    ReportShareFactory.create(report=report, user=reader)
    flash = schedule(report, preference=FlashPreference.ALWAYS)
    leave(owner, valid_until=dt.date(2026, 1, 1))
    mailed, left_out = describe(list_recipients(flash))
    assert (mailed, left_out["Reader"]) == (["keeper@example.org"], f"It runs as its owner {owner}, who has left.")
    leave(keeper, email="")
    [run] = tick(DUE)
    assert run.message.startswith("Nobody gets it.")
    # Who could take it over is told in the Vault.
    told = FlashMail.objects.filter(user=keeper)
    assert [(each.state, each.reason[:15]) for each in told] == [(MailState.FAILED, "Nobody gets it.")]
    assert sink.take() == []
