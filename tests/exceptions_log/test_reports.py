"""The report on user exceptions, with the filters and the columns that the requirement documents name."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest

from connections.choices import IntegrationKind
from ctms.accounts.models import User
from ctms.core.choices import RecordStatus
from ctms.core.clock import get_now
from ctms.reports.definition import read_definition
from ctms.reports.delivered import find_delivered_report
from ctms.reports.engine.opening import OpenReport, open_report
from ctms.reports.engine.rows import read_rows
from exceptions_log.models import ExceptionMessage
from tests.admin_rows import create_exception_message
from tests.factories.accounts import SecurityProfileFactory, UserFactory
from tests.factories.connections import ConnectionFactory

pytestmark = [pytest.mark.django_db, pytest.mark.both_databases]


def open_exceptions(user: User) -> OpenReport:
    report = find_delivered_report("user_exceptions")
    assert report is not None
    opened = open_report(definition=read_definition(report), user=user)
    opened.require_valid()
    return opened


def create_reader() -> User:
    """A user with the two permissions that the documents name for the report, and no other."""
    permissions = ["exception_message__sys:read", "exception_item__sys:read"]
    return UserFactory.create(
        security_profile=SecurityProfileFactory.create(permissions=permissions, sees_all_studies=True)
    )


def create_message(kind: IntegrationKind, **values: Any) -> ExceptionMessage:
    connection = ConnectionFactory.create()
    integration = connection.integrations.get(kind=kind)
    return create_exception_message(connection=connection, integration=integration, name=f"{kind.label}", **values)


def test_it_has_what_failed_in_the_transfer_of_calls_in_the_last_24_hours() -> None:
    hour = dt.timedelta(hours=1)
    create_message(IntegrationKind.CALL_INBOUND, created_at=get_now() - 23 * hour)
    create_message(IntegrationKind.CALL_OUTBOUND)
    create_message(IntegrationKind.CALL_OUTBOUND, created_at=get_now() - 25 * hour)
    create_message(IntegrationKind.CALL_OUTBOUND, status=RecordStatus.INACTIVE)
    create_message(IntegrationKind.STUDY_OUTBOUND)
    opened = open_exceptions(create_reader())
    assert [each.label for each in opened.columns][1:] == ["Error type", "Error message", "Item", "Item data"]
    rows = [[cell.text for cell in row] for row in read_rows(opened, size=10).rows]
    assert [row[0] for row in rows] == ["CRM Call Inbound Integration", "CRM Call Outbound Integration"]
    assert rows[0][1:3] == ["Matching", "No account has this identifier."]
    assert rows[0][3].startswith("ACT-")
    assert rows[0][4] == "Channel_vod__c: Phone_vod"
