"""Figures for Prometheus: who gets them, and that they are true."""

from __future__ import annotations

from datetime import timedelta
from functools import partial
from typing import Any

import pytest
from django.test import Client

from connections.models import Connection
from crm_sync.contributions.figures import check_clocks, check_quotas, list_connection_metrics
from crm_sync.models import OrganisationProgress
from ctms.accounts.models import FailedLogIn
from ctms.audit.services import save_record
from ctms.core.choices import RecordStatus
from ctms.core.clock import get_database_now, get_now
from ctms.jobs.choices import RunState
from ctms.jobs.models import JobDefinition, JobRun, SignOfLife
from ctms.jobs.tasks import dispatch_due
from ctms.machine.health.doctor import State
from ctms.machine.health.figures import list_job_metrics, list_queue_metrics, list_user_metrics
from ctms.machine.health.metrics import Metric, _write
from ctms.machine.health.probes import ask_all
from tests.factories.base import build_admin_actor
from tests.factories.connections import ConnectionFactory

TOKEN = "f3b5c8d1e9a7024681357bd9ace0f1e2"


def read(metrics: Any) -> dict[str, dict[str, float]]:
    """Samples by name, and by their labels' values."""
    return {metric.name: {"/".join(labels.values()): value for labels, value in metric.samples} for metric in metrics}


@pytest.mark.parametrize(
    ("token", "sent", "status"),
    [("", f"Bearer {TOKEN}", 404), (TOKEN, "", 401), (TOKEN, "Bearer wrong", 401), (TOKEN, f"Basic {TOKEN}", 401)],
)
def test_who_has_no_token_gets_no_figure(token: str, sent: str, status: int, client: Client, settings: Any) -> None:
    settings.METRICS_TOKEN = token
    response = client.get("/metrics", headers={"authorization": sent})
    assert (response.status_code, response.content) == (status, b"")


@pytest.mark.django_db(transaction=True)
def test_who_has_the_token_gets_figures_by_any_host(
    client: Client, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ctms.machine.health.metrics.ask_all", partial(ask_all, limit=60))  # however busy it is here
    settings.METRICS_TOKEN = TOKEN
    settings.SECURE_SSL_REDIRECT = True
    response = client.get("/metrics", headers={"authorization": f"Bearer {TOKEN}", "host": "10.0.0.7:8000"})
    text = response.content.decode()
    assert response.headers["Content-Type"] == "text/plain; version=0.0.4; charset=utf-8"
    assert 'vault_up{part="database"} 1\n' in text
    assert 'vault_check_seconds{check="list_job_metrics"} ' in text
    assert text.count("# TYPE vault_runs gauge\n") == 1


@pytest.mark.both_databases
@pytest.mark.django_db
def test_a_tick_that_is_done_is_a_sign_of_life() -> None:
    assert read(list_job_metrics())["vault_tick_age_seconds"] == {}
    dispatch_due()
    SignOfLife.objects.update(seen_at=get_database_now() - timedelta(hours=1))
    assert read(list_job_metrics())["vault_tick_age_seconds"][""] == pytest.approx(3600, abs=600)
    dispatch_due()
    assert SignOfLife.objects.count() == 1
    assert read(list_job_metrics())["vault_tick_age_seconds"][""] < 600


@pytest.mark.both_databases
@pytest.mark.django_db
def test_runs_are_counted_by_job_and_state_with_how_long_they_took() -> None:
    definition = JobDefinition.objects.get(key="audit_trail_verification")
    now = get_database_now()
    for seconds in (10, 30):
        JobRun.objects.create(
            definition=definition,
            slot=now,
            state=RunState.SUCCEEDED,
            queued_at=now - timedelta(hours=1),
            started_at=now - timedelta(seconds=seconds),
            finished_at=now,
        )
    JobRun.objects.create(definition=definition, slot=now, queued_at=now - timedelta(hours=2))
    found = read(list_job_metrics())
    assert found["vault_runs"] == {
        "audit_trail_verification/succeeded": 2,
        "audit_trail_verification/queued": 1,
    }
    assert found["vault_run_seconds"] == {
        "audit_trail_verification/mean": pytest.approx(20),
        "audit_trail_verification/longest": pytest.approx(30),
    }
    assert found["vault_audit_verified_age_seconds"][""] < 600
    waiting = read(list_queue_metrics())
    assert waiting["vault_queued_runs"] == {"ticks": 0, "celery": 1, "transfers": 0, "live": 0}
    assert waiting["vault_queue_wait_seconds"]["celery"] == pytest.approx(7200, abs=600)


@pytest.mark.django_db
def test_lock_outs_are_those_that_hold(settings: Any) -> None:
    settings.LOGIN_FAILURES, settings.LOGIN_FAILURES_PER_ADDRESS = 2, 4
    old = get_now() - timedelta(minutes=settings.LOGIN_LOCKOUT_MINUTES + 1)
    for username, at in (("a", get_now()), ("a", get_now()), ("b", get_now()), ("b", old), ("c", get_now())):
        FailedLogIn.objects.create(username=username, address="10.0.0.1", at=at)
    assert read(list_user_metrics())["vault_lock_outs"] == {"username": 1, "address": 1}


@pytest.mark.django_db
def test_api_calls_are_told_by_connection() -> None:
    connection = ConnectionFactory.create(name="Europe")
    OrganisationProgress.objects.update_or_create(
        connection=connection, defaults={"calls_used": 40, "calls_allowed": 100, "calls_read_at": get_now()}
    )
    found = read(list_connection_metrics())
    assert (found["vault_crm_calls_used"], found["vault_crm_calls_allowed"]) == ({"Europe": 40}, {"Europe": 100})


@pytest.mark.django_db
def test_the_doctor_says_whose_api_calls_are_used_up() -> None:
    assert check_quotas().state is State.SKIPPED
    for name, used in (("Europe", 40), ("Asia", 80)):
        connection = ConnectionFactory.create(name=name, quota_percent=80)
        OrganisationProgress.objects.create(
            connection=connection, calls_used=used, calls_allowed=100, calls_read_at=get_now()
        )
    found = check_quotas()
    assert (found.state, found.message) == (
        State.PROBLEM,
        "Asia: 80 of 100 calls used; Europe: 40 of 100 calls used.",
    )
    assert "(Asia 80 %)" in found.remedy
    OrganisationProgress.objects.filter(connection__name="Asia").update(calls_read_at=get_now() - timedelta(days=2))
    assert (check_quotas().state, check_quotas().message) == (State.FINE, "Europe: 40 of 100 calls used.")


@pytest.mark.django_db
def test_the_doctor_says_how_far_the_clocks_of_crms_are() -> None:
    assert check_clocks().state is State.SKIPPED
    for name, offset in (("Asia", -2), ("Europe", 29)):
        OrganisationProgress.objects.create(connection=ConnectionFactory.create(name=name), clock_offset=offset)
    assert (check_clocks().state, check_clocks().message) == (State.FINE, "2 CRMs showed the Vault's time.")
    OrganisationProgress.objects.filter(connection__name="Asia").update(clock_offset=-3600)
    found = check_clocks()
    assert (found.state, found.message) == (
        State.PROBLEM,
        "At the last transfer the Vault's clock was 3,600 seconds behind the CRM of Asia.",
    )
    assert "time server" in found.remedy
    asia = Connection.objects.get(name="Asia")
    asia.status = RecordStatus.INACTIVE
    save_record(record=asia, actor=build_admin_actor())
    assert check_clocks().state is State.FINE


def test_labels_are_written_as_prometheus_reads_them() -> None:
    text = _write(Metric(name="x", help="What it is.", samples=[({"name": 'a "b"\\\n'}, 0.5)]))
    assert text == '# HELP x What it is.\n# TYPE x gauge\nx{name="a \\"b\\"\\\\\\n"} 0.5\n'
