"""Reports are shared with roles, run as their owner, are handed over and deleted, each told and audited."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from ctms.accounts.models import User
from ctms.audit.models import AuditEntry
from ctms.reports.choices import ShareRole
from ctms.reports.models import FlashReport, Report, ReportShare
from tests.factories.reports import ReportFactory, ReportShareFactory
from tests.reports.pages.people import create_user, log_in

pytestmark = pytest.mark.django_db


def post(client: Client, report: Report, page: str, *names: Any, **values: Any) -> Any:
    return client.post(reverse(page, args=(report.uid, *names)), values)


def test_a_report_is_shared_with_users_and_profiles_and_roles_change_and_end() -> None:
    owner, user, member = create_user(), create_user(), create_user()
    report = ReportFactory.create(owner=owner)
    client = log_in(owner)
    assert post(client, report, "report_sharing", user=user.pk, role=ShareRole.EDITOR).status_code == 302
    assert post(client, report, "report_sharing", profile=member.security_profile_id, role="viewer").status_code == 302
    for client_of in (user, member):
        assert log_in(client_of).get(reverse("report", args=(report.uid,))).status_code == 200
    both = post(client, report, "report_sharing", user="", profile="", role="viewer")
    assert "Choose a user or a profile" in both.content.decode()
    shared = ReportShare.objects.get(user=user)
    post(client, report, "report_share_change", shared.uid, role=ShareRole.OWNER)
    shared.refresh_from_db()
    assert shared.role == ShareRole.OWNER
    # Whoever is an owner by sharing may share, too, and take the own role away.
    answer = post(log_in(user), report, "report_share_change", shared.uid, remove="1")
    assert answer.headers["Location"] == reverse("reports")
    assert log_in(user).get(reverse("report", args=(report.uid,))).status_code == 404
    assert post(client, report, "report_share_change", shared.uid, remove="1").status_code == 404
    assert AuditEntry.objects.filter(object_name="report__sys", actor=owner).count() == 3


def test_only_owners_share() -> None:
    owner, editor = create_user(), create_user()
    report = ReportFactory.create(owner=owner)
    ReportShareFactory.create(report=report, user=editor, role=ShareRole.EDITOR)
    client = log_in(editor)
    for page in ("report_sharing", "report_rights", "report_transfer", "report_delete"):
        assert post(client, report, page).status_code == 403, page
    content = client.get(reverse("report", args=(report.uid,))).content.decode()
    assert reverse("report_edit", args=(report.uid,)) in content
    assert reverse("report_sharing", args=(report.uid,)) not in content


def test_only_the_owner_lets_others_see_what_the_owner_sees() -> None:
    owner, second = create_user(), create_user()
    report = ReportFactory.create(owner=owner)
    ReportShareFactory.create(report=report, user=second, role=ShareRole.OWNER)
    client = log_in(second)
    refused = post(client, report, "report_rights", run_as_owner="1", expected_version=report.version)
    assert "Only the owner decides" in client.get(refused.headers["Location"]).content.decode()
    report.refresh_from_db()
    assert not report.run_as_owner
    post(log_in(owner), report, "report_rights", run_as_owner="1", expected_version=report.version)
    report.refresh_from_db()
    assert report.run_as_owner
    post(log_in(second), report, "report_rights", run_as_owner="0", expected_version=report.version)
    report.refresh_from_db()
    assert not report.run_as_owner


def test_a_new_owner_gets_the_report_and_the_one_before_stays_its_editor() -> None:
    owner, heir, reader = create_user(), create_user(), create_user("report__sys:read")
    report = ReportFactory.create(owner=owner, run_as_owner=True)
    ReportShareFactory.create(report=report, user=heir)
    client = log_in(owner)
    refused = post(client, report, "report_transfer", owner=reader.pk, expected_version=report.version)
    assert "does not allow to edit reports" in refused.content.decode()
    assert post(client, report, "report_transfer", owner=heir.pk, expected_version=report.version).status_code == 302
    report.refresh_from_db()
    assert (report.owner, report.run_as_owner) == (heir, False)
    assert [(each.user, each.role) for each in ReportShare.objects.filter(report=report)] == [(owner, ShareRole.EDITOR)]


def test_an_admin_takes_over_the_report_of_somebody_who_left() -> None:
    owner = create_user()
    report = ReportFactory.create(owner=owner)
    User.objects.filter(pk=owner.pk).update(is_active=False)
    admin = create_user("report__sys:read", "report__sys:edit", "report_type__sys:edit")
    client = log_in(admin)
    assert "Owner left" in client.get("/reports/?folder=shared").content.decode()
    post(client, report, "report_transfer", owner=admin.pk, expected_version=report.version)
    report.refresh_from_db()
    assert report.owner == admin
    assert not ReportShare.objects.filter(report=report).exists()


def test_deletion_says_what_goes_along_and_takes_it() -> None:
    owner = create_user()
    report = ReportFactory.create(owner=owner)
    ReportShareFactory.create(report=report, user=create_user())
    ReportShareFactory.create(report=report, user=create_user())
    client = log_in(owner)
    client.get(reverse("report", args=(report.uid,)))
    content = client.get(reverse("report_delete", args=(report.uid,))).content.decode()
    assert "2 report shares" in content
    stale = post(client, report, "report_delete", expected_version=report.version + 1)
    assert "Somebody else changed this report" in stale.content.decode()
    answer = post(client, report, "report_delete", expected_version=report.version, reason="Not needed")
    assert answer.headers["Location"] == reverse("reports")
    assert not Report.objects.filter(pk=report.pk).exists()
    assert not ReportShare.objects.filter(report_id=report.pk).exists()
    assert not FlashReport.objects.filter(report_id=report.pk).exists()
    assert AuditEntry.objects.filter(record_uid=report.uid, reason="Not needed").exists()
