"""Who sees which report, in what role, and as whom it runs."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest
from django.http import QueryDict

from ctms.accounts.models import User
from ctms.audit.services import save_record
from ctms.core.choices import RecordStatus
from ctms.records.access import AccessRefusedError
from ctms.reports.access import UnknownReportError, list_reports, open_stored, run_stored
from ctms.reports.choices import ShareRole
from ctms.reports.delivered import list_delivered_reports
from ctms.reports.engine.rows import read_rows
from ctms.reports.errors import InvalidReportError
from tests.factories.accounts import SecurityProfileFactory, UserFactory
from tests.factories.activities import ActivityFactory
from tests.factories.base import build_admin_actor
from tests.factories.clinical import StudyAssignmentFactory, StudyFactory
from tests.factories.reports import ReportFactory, ReportShareFactory

pytestmark = [pytest.mark.django_db, pytest.mark.both_databases]

READER = ("report__sys:read", "crm_activity__v:read", "study__v:read")
ADMIN = (*READER, "report__sys:edit", "report__sys:delete", "report_type__sys:edit")


def create_user(*permissions: str, **values: Any) -> User:
    profile = SecurityProfileFactory.create(permissions=list(permissions or READER))
    return UserFactory.create(security_profile=profile, **values)


def list_roles(user: User) -> dict[str, ShareRole]:
    """Return the roles, but for those in the reports that the Vault delivers."""
    delivered = {each.key for each in list_delivered_reports()}
    return {each.report.name: each.role for each in list_reports(user) if each.report.delivered_key not in delivered}


def test_users_see_their_own_reports_those_shared_with_them_and_those_delivered_about_what_they_may_read() -> None:
    user = create_user()
    ReportFactory.create(name="mine", owner=user)
    ReportFactory.create(name="somebody's")
    ReportShareFactory.create(report=ReportFactory.create(name="shared"), user=user, role=ShareRole.EDITOR)
    by_both = ReportFactory.create(name="by both")
    ReportShareFactory.create(report=by_both, user=user, role=ShareRole.VIEWER)
    ReportShareFactory.create(report=by_both, profile=user.security_profile, role=ShareRole.OWNER)
    ReportFactory.create(name="delivered", delivered_key="one")
    ReportFactory.create(name="about people", delivered_key="two", report_type__primary_object="person__sys")
    assert list_roles(user) == {
        "mine": ShareRole.OWNER,
        "shared": ShareRole.EDITOR,
        "by both": ShareRole.OWNER,
        "delivered": ShareRole.VIEWER,
    }
    opened = open_stored(user=user, uid=by_both.uid)
    assert (opened.can_edit, opened.can_share, opened.can_delete) == (False, False, False)  # the profile only reads
    with pytest.raises(AccessRefusedError):
        list_reports(create_user("crm_activity__v:read"))


def test_admins_look_after_delivered_reports_and_those_whose_owner_left() -> None:
    left = create_user(valid_until=dt.date(2020, 1, 1))
    stays = create_user(valid_until=dt.date(2999, 1, 1))
    ReportFactory.create(name="delivered", delivered_key="one", status=RecordStatus.INACTIVE)
    ReportFactory.create(name="left behind", owner=left)
    ReportFactory.create(name="private", owner=stays)
    assert list_roles(create_user(*ADMIN)) == {"delivered": ShareRole.OWNER, "left behind": ShareRole.OWNER}
    assert list_roles(create_user()) == {}


def test_a_report_that_is_not_shared_is_unknown() -> None:
    with pytest.raises(UnknownReportError):
        open_stored(user=create_user(), uid=ReportFactory.create().uid)


def test_readers_get_their_own_rows_or_those_of_the_owner_and_ask_nothing_else_by_the_owners_rights() -> None:
    mine, other = StudyFactory.create(name="MINE"), StudyFactory.create(name="OTHER")
    for study in (mine, other):
        ActivityFactory.create(study=study, subject=f"about {study.name}")
    owner, reader = create_user(), create_user()
    for user, studies in ((owner, [mine, other]), (reader, [mine])):
        for study in studies:
            StudyAssignmentFactory.create(user=user, study=study)
    report = ReportFactory.create(owner=owner, columns=["study__v"], prompts=["study__v"])
    ReportShareFactory.create(report=report, user=reader)

    def read(address: str = "") -> set[str]:
        stored = open_stored(user=reader, uid=report.uid)
        rows = read_rows(run_stored(stored, address=QueryDict(address)), size=10).rows
        return {row[0].text for row in rows}

    assert read() == {str(mine)}
    assert read("subject__v__contains=OTHER") == set()
    report.run_as_owner = True
    save_record(record=report, actor=build_admin_actor())
    assert read() == {str(mine), str(other)}
    assert read(f"study__v={other.uid}") == {str(other)}
    with pytest.raises(InvalidReportError, match="prompts alone"):
        read("subject__v__contains=OTHER")
    User.objects.filter(pk=owner.pk).update(is_active=False)
    with pytest.raises(InvalidReportError, match="not active any more"):
        read()
