"""Attempts are written in one statement, and are read as what was noted."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from typing import Any
from uuid import uuid4

import pytest
from django.db import IntegrityError, connection
from django.test.utils import CaptureQueriesContext

from connections.choices import IntegrationKind
from connections.models import Integration
from crm_sync.choices import AttemptOutcome
from crm_sync.engine.attempts import write_attempts
from crm_sync.jobs import TRANSFER_JOB_KEY, build_unit
from crm_sync.models import TransferAttempt
from ctms.core.clock import get_now
from ctms.jobs.models import JobDefinition, JobRun
from ctms.jobs.services import create_run
from tests.factories.connections import ConnectionFactory

pytestmark = [pytest.mark.django_db, pytest.mark.both_databases]

SENT = {
    "Subject_vod__c": "“100 %s” – O'Hara's \\ \"Größe\" ☎ 🧪\n{}",
    "From_vod__c": None,
    "Empty__c": "",
    "Number__c": "0012",
    "Amount__c": 1.25,
    "Large__c": 9007199254740993,
    "Done__c": True,
    "Nested": {"values": [1, "two", None], "crm_id": "x"},
}


@pytest.fixture
def integration() -> Integration:
    return ConnectionFactory.create().integrations.get(kind=IntegrationKind.CALL_OUTBOUND)


@pytest.fixture
def run(integration: Integration) -> JobRun:
    definition = JobDefinition.objects.get(key=TRANSFER_JOB_KEY)
    return create_run(definition=definition, unit=build_unit(integration.connection), user=None)


def note(**values: Any) -> dict[str, Any]:
    return {
        "record_uid": uuid4(),
        "crm_id": "a1B000000000001EAA",
        "outcome": AttemptOutcome.CREATED,
        "error_code": "",
        "values": {},
    } | values


def list_written() -> list[dict[str, Any]]:
    names = ("record_uid", "crm_id", "outcome", "error_code", "values")
    return list(TransferAttempt.objects.order_by("id").values(*names))


def test_attempts_are_read_as_they_were_noted_and_in_their_order(run: JobRun, integration: Integration) -> None:
    noted = [
        note(values=SENT),
        note(record_uid=None, crm_id="", outcome=AttemptOutcome.REFUSED, error_code="FIELD_CUSTOM, O'HARA"),
        *(note(crm_id=f"a1B{number:015}", outcome=AttemptOutcome.UPDATED) for number in range(100)),
    ]
    before = get_now()
    write_attempts(run=run, integration=integration, noted=noted)
    assert list_written() == noted
    assert (
        TransferAttempt.objects.filter(run=run, integration=integration, at__range=(before, get_now())).count() == 102
    )
    # The columns are those that Django writes: it finds them by their values.
    assert TransferAttempt.objects.get(record_uid=noted[0]["record_uid"]).values == SENT
    assert TransferAttempt.objects.get(values__Nested__crm_id="x").record_uid == noted[0]["record_uid"]
    assert TransferAttempt.objects.get(record_uid=None).outcome == AttemptOutcome.REFUSED


def test_values_that_json_does_not_have_are_kept_as_text(run: JobRun, integration: Integration) -> None:
    uid = uuid4()
    values = {"date": dt.date(2026, 3, 4), "amount": Decimal("1.50"), "uid": uid}
    write_attempts(run=run, integration=integration, noted=[note(values=values)])
    assert TransferAttempt.objects.get().values == {"date": "2026-03-04", "amount": "1.50", "uid": str(uid)}


@pytest.mark.parametrize(("attempts", "statements"), [(0, 0), (1, 1), (1000, 1)])
def test_any_number_of_attempts_is_one_statement(
    run: JobRun, integration: Integration, attempts: int, statements: int
) -> None:
    with CaptureQueriesContext(connection) as captured:
        write_attempts(run=run, integration=integration, noted=[note(values=SENT) for _ in range(attempts)])
    assert (len(captured), TransferAttempt.objects.count()) == (statements, attempts)


def test_attempts_of_no_run_are_refused(integration: Integration) -> None:
    with pytest.raises(IntegrityError):
        write_attempts(run=None, integration=integration, noted=[note()])
