"""What Housekeeping leaves of reconciliations, alerts, notices and changes of CRM objects."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from connections.choices import DescribedAspect, DescriptionOrigin
from connections.models import Connection, CrmFieldChange, CrmObjectDescription
from crm_sync.choices import AlertMailState, ConnectionStateKey, RecordWord
from crm_sync.models import AlertMail, AlertNotice, ConnectionAlert, Difference, IntegrationRun, Reconciliation
from ctms.core.clock import get_now
from ctms.jobs.choices import RunState
from ctms.jobs.models import JobRun
from tests.admin_rows import create_exception_message, create_job_run, get_integration
from tests.factories.base import get_admin_user
from tests.factories.connections import ConnectionFactory
from tests.housekeeping import keep_house

pytestmark = [pytest.mark.django_db, pytest.mark.both_databases]


def ago(days: float) -> Any:
    return get_now() - timedelta(days=days)


def reconcile(connection: Connection, *, days: float, unexplained: int = 0) -> Reconciliation:
    at = ago(days)
    return Reconciliation.objects.create(
        connection=connection, run=create_job_run(), started_at=at, finished_at=at, unexplained=unexplained
    )


def test_the_newest_reconciliation_and_the_newest_proof_stay() -> None:
    connection = ConnectionFactory.create()
    old = [reconcile(connection, days=900), reconcile(connection, days=850, unexplained=2)]
    Difference.objects.create(
        reconciliation=old[1],
        integration=get_integration(create_exception_message()),
        name="A",
        word=RecordWord.choices[0][0],
    )
    proof = reconcile(connection, days=800)
    doubts = [reconcile(connection, days=700 - each, unexplained=1) for each in range(2)]
    other = reconcile(ConnectionFactory.create(), days=900, unexplained=5)
    keep_house()
    assert set(Reconciliation.objects.all()) == {proof, doubts[1], other}
    assert not Difference.objects.exists()


def test_old_alerts_go_but_for_the_newest_and_those_with_mail_on_its_way() -> None:
    connection = ConnectionFactory.create()
    alerts = [
        ConnectionAlert.objects.create(
            connection=connection, number=number, at=ago(900), key=ConnectionStateKey.FAILING, title="T", text="T"
        )
        for number in (1, 2, 3)
    ]
    for alert, state in ((alerts[0], AlertMailState.SENT), (alerts[1], AlertMailState.WAITING)):
        AlertMail.objects.create(alert=alert, address="a@example.org", state=state)
    keep_house()
    assert list(ConnectionAlert.objects.order_by("number")) == alerts[1:]
    assert [each.alert for each in AlertMail.objects.all()] == [alerts[1]]


def test_notices_that_were_seen_go_and_others_stay() -> None:
    alert = ConnectionAlert.objects.create(
        connection=ConnectionFactory.create(), number=1, key=ConnectionStateKey.FAILING, title="T", text="T"
    )
    notice = AlertNotice.objects.create(alert=alert, user=get_admin_user())
    keep_house()
    assert AlertNotice.objects.exists()
    AlertNotice.objects.filter(pk=notice.pk).update(seen_at=ago(31))
    keep_house()
    assert not AlertNotice.objects.exists()


def test_changes_of_crm_objects_go_once_they_were_seen() -> None:
    description = CrmObjectDescription.objects.create(
        connection=ConnectionFactory.create(),
        name="Call2_vod__c",
        described_at=get_now(),
        origin=DescriptionOrigin.choices[0][0],
    )
    kept, _ = (
        CrmFieldChange.objects.create(
            description=description, aspect=DescribedAspect.choices[0][0], noticed_at=ago(950), seen_at=seen_at
        )
        for seen_at in (None, ago(900))
    )
    keep_house()
    assert list(CrmFieldChange.objects.all()) == [kept]


def test_what_names_a_run_keeps_it_and_its_counts_go_with_it() -> None:
    integration = get_integration(create_exception_message())
    runs: list[JobRun] = []
    for days in (900, 899, 1):
        run = create_job_run(
            definition=runs[0].definition if runs else None, unit_key="unit", state=RunState.SUCCEEDED,
            finished_at=ago(days),
        )  # fmt: skip
        IntegrationRun.objects.create(run=run, integration=integration, started_at=ago(days), finished_at=ago(days))
        runs.append(run)
    create_exception_message(run=runs[0])
    keep_house()
    assert list(JobRun.objects.filter(definition=runs[0].definition).order_by("pk")) == [runs[0], runs[2]]
    assert set(IntegrationRun.objects.values_list("run", flat=True)) == {runs[0].pk, runs[2].pk}
