"""What ends a report: the time that the database has, and what it is about that is gone or may not be read."""

from __future__ import annotations

import pytest
from django.db import OperationalError, connection

from ctms.core.choices import RecordStatus
from ctms.reports.definition import ReportDefinition, TypeDefinition
from ctms.reports.engine.limits import limit_time
from ctms.reports.engine.opening import try_open
from ctms.reports.errors import InvalidReportError, ReportTooSlowError
from tests.factories.accounts import SecurityProfileFactory, UserFactory
from tests.factories.base import get_admin_user
from tests.factories.clinical import StudyFactory

pytestmark = [pytest.mark.django_db, pytest.mark.both_databases]

# Counts to a thousand millions, which nobody waits for.
_ENDLESS = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1000000000) SELECT COUNT(*) FROM n"


def test_a_statement_that_takes_too_long_is_stopped_and_the_next_one_has_its_own_time() -> None:
    StudyFactory.create(name="A-1")
    for _ in range(2):
        with (
            pytest.raises(ReportTooSlowError, match="Narrow its filters"),
            limit_time(0.2),
            connection.cursor() as cursor,
        ):
            cursor.execute(_ENDLESS)
    with limit_time(60), connection.cursor() as cursor:
        cursor.execute("SELECT name FROM clinical_study")
        assert cursor.fetchall() == [("A-1",)]


def test_another_error_of_the_database_stays_what_it_is() -> None:
    with pytest.raises(OperationalError), limit_time(60):
        raise OperationalError("the database is gone")


def test_a_report_about_what_is_gone_or_may_not_be_read_says_so() -> None:
    gone = ReportDefinition(type=TypeDefinition(primary="gone__c"))
    with pytest.raises(InvalidReportError, match="gone__c"):
        try_open(definition=gone, user=get_admin_user())
    reader = UserFactory.create(security_profile=SecurityProfileFactory.create(permissions=["study__v:read"]))
    for primary, words in (
        ("person__sys", "people|persons"),
        ("user__sys", "users"),
        ("audit_entry__sys", "audit trail"),
    ):
        with pytest.raises(InvalidReportError, match=f"not allow you to read .*({words})"):
            try_open(definition=ReportDefinition(type=TypeDefinition(primary=primary)), user=reader)
    related = TypeDefinition(primary="study__v", related="site__v", reference="study__v")
    with pytest.raises(InvalidReportError, match="not allow you to read"):
        try_open(definition=ReportDefinition(type=related), user=reader)
    stale = TypeDefinition(primary="study__v", related="site__v", reference="former__c")
    opened = try_open(definition=ReportDefinition(type=stale, columns=("name__v",)), user=get_admin_user())
    assert [each.part for each in opened.problems] == ["type"]


def test_a_stored_filter_has_no_more_conditions_than_that_of_a_list() -> None:
    condition = {"field": "status__v", "operator": "is", "values": [RecordStatus.ACTIVE]}
    many = ReportDefinition(type=TypeDefinition(primary="study__v"), filters=(condition,) * 41)
    assert [each.text for each in try_open(definition=many, user=get_admin_user()).problems] == [
        "A filter has at most 40 conditions. Remove some."
    ]
