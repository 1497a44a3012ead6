"""Which Vault a database is: what a copy may not do, how a copy is noticed, and who may say what it is."""

from __future__ import annotations

from typing import Any

import pytest
from django.core import mail
from django.core.management import CommandError, call_command
from django.db import connection
from django.test import Client
from django.urls import reverse
from pytest_django import Settings

from connections.models import Connection, ConnectionAuthorization
from crm_sync.crm.errors import ConfigurationError
from crm_sync.salesforce.client_factory import build_client
from crm_sync.units import RECONCILIATION_JOB_KEY, TRANSFER_JOB_KEY, build_unit
from ctms.accounts.mail import MailError, send_mail
from ctms.audit.actors import build_system_actor
from ctms.audit.models import AuditEntry
from ctms.core.choices import RecordStatus
from ctms.core.models import allow_record_writes
from ctms.core.standing import Role, read_standing
from ctms.jobs.choices import RunState
from ctms.jobs.errors import JobHeldError
from ctms.jobs.models import JobDefinition, JobRun
from ctms.jobs.services import dispatch_due, execute_run, start_now, start_unit
from ctms.machine.declaring import declare_copy, declare_vault
from ctms.machine.models import Installation
from ctms.webhooks.calls import call_webhook
from ctms.webhooks.models import Webhook, WebhookDelivery
from tests.admin_forms import log_in_admin
from tests.factories.accounts import SecurityProfileFactory, UserFactory
from tests.factories.base import build_admin_actor
from tests.factories.connections import ConnectionFactory

pytestmark = [pytest.mark.django_db, pytest.mark.both_databases]


def build_actor() -> Any:
    return build_system_actor(source="command", reference="test")


def make_undecided() -> None:
    """As in a database that was copied: the row is of another place."""
    with allow_record_writes():
        Installation.objects.update(place="another place")


def test_a_new_database_is_the_vault() -> None:
    assert read_standing().role == Role.VAULT
    assert read_standing().may_work


def test_a_database_elsewhere_or_under_another_name_is_undecided(settings: Settings) -> None:
    settings.VAULT_INSTANCE = "staging"
    assert read_standing().role == Role.UNDECIDED
    settings.VAULT_INSTANCE = ""
    assert read_standing().role == Role.VAULT
    make_undecided()
    assert read_standing().role == Role.UNDECIDED


@pytest.mark.postgresql
def test_tables_that_were_made_anew_in_the_same_database_are_noticed() -> None:
    with connection.cursor() as cursor:  # what pg_restore --clean does, without the rest
        cursor.execute("CREATE TABLE made_anew (LIKE machine_installation INCLUDING ALL)")
        cursor.execute("INSERT INTO made_anew SELECT * FROM machine_installation")
        cursor.execute("DROP TABLE machine_installation CASCADE")
        cursor.execute("ALTER TABLE made_anew RENAME TO machine_installation")
    assert read_standing().role == Role.UNDECIDED


def test_standing_is_read_in_one_statement(django_assert_num_queries: Any) -> None:
    with django_assert_num_queries(1):
        read_standing()


@pytest.mark.parametrize("role", ["undecided", "copy"])
def test_nothing_leaves(role: str) -> None:
    crm = ConnectionFactory.create()
    webhook = Webhook(name="w", url="https://hooks.example.com/", secret="s" * 40)
    delivery = WebhookDelivery(webhook=webhook, key="k", event="test", body="{}")
    if role == "copy":
        declare_copy(actor=build_actor())
    else:
        make_undecided()
    with pytest.raises(MailError, match="was not sent"):
        send_mail(subject="x", text="x", to=["a@example.com"])
    with pytest.raises(ConfigurationError, match="was not called"):
        build_client(connection=crm)
    result = call_webhook(delivery)
    assert not result.is_accepted
    assert "was not sent" in result.message
    with pytest.raises(JobHeldError, match="cannot run now"):
        start_now(definition=JobDefinition.objects.get(key=TRANSFER_JOB_KEY), user=None)
    assert mail.outbox == []


def test_runs_that_a_database_was_copied_with_stay_queued_until_it_was_declared() -> None:
    crm = ConnectionFactory.create()
    run = start_unit(definition=JobDefinition.objects.get(key=TRANSFER_JOB_KEY), unit=build_unit(crm), user=None)
    make_undecided()
    assert execute_run(run.pk) is None
    assert dispatch_due().sent_again == 0
    assert JobRun.objects.get(pk=run.pk).state == RunState.QUEUED

    declare_copy(actor=build_actor())
    assert execute_run(run.pk) is None
    run.refresh_from_db()
    assert run.state == RunState.CANCELLED
    assert "copy" in run.message


def test_what_a_copy_does_within_itself_goes_on() -> None:
    declare_copy(actor=build_actor())
    definition = JobDefinition.objects.get(key="audit_trail_verification")
    runs = start_now(definition=definition, user=None)
    finished = execute_run(runs[0].pk)
    assert finished is not None
    assert finished.state in (RunState.SUCCEEDED, RunState.FAILED)


def test_a_copy_can_be_emptied_of_what_opens_the_systems_of_others() -> None:
    crm = ConnectionFactory.create()
    assert crm.authorization is not None
    assert crm.authorization.consumer_key
    call_command("declare", "copy", "--empty")
    emptied = ConnectionAuthorization.objects.get(pk=crm.authorization.pk)
    names = ("password", "consumer_key", "consumer_secret", "private_key", "next_private_key", "certificate")
    assert not any(getattr(emptied, name) for name in names)
    assert read_standing().role == Role.COPY


def test_the_vault_pauses_its_connections_and_compares_them(django_capture_on_commit_callbacks: Any) -> None:
    crm = ConnectionFactory.create(status=RecordStatus.ACTIVE)
    make_undecided()
    with django_capture_on_commit_callbacks(execute=True):
        told = declare_vault(actor=build_admin_actor())
    assert read_standing().role == Role.VAULT
    assert any(crm.name in sentence for sentence in told)
    paused = Connection.objects.get(pk=crm.pk)
    assert paused.paused_at is not None
    assert "older than the CRM" in paused.pause_reason
    queued = JobRun.objects.filter(definition__key=RECONCILIATION_JOB_KEY, state=RunState.QUEUED)
    assert [run.unit_key for run in queued] == [str(crm.uid)]
    assert declare_vault(actor=build_admin_actor()) == ["This is the Vault already; nothing was changed."]


def test_the_command_says_what_it_is_and_asks(capsys: pytest.CaptureFixture[str]) -> None:
    call_command("declare")
    assert capsys.readouterr().out == "This is the Vault.\n"
    make_undecided()
    with pytest.raises(CommandError) as refusal:
        call_command("declare")
    assert refusal.value.returncode == 3
    with pytest.raises(CommandError, match="is for a copy"):
        call_command("declare", "vault", "--empty")
    call_command("declare", "copy", "--json")
    assert '"role": "copy"' in capsys.readouterr().out


def test_both_faces_say_so_and_an_admin_decides_in_the_console(client: Client) -> None:
    log_in_admin(client)
    make_undecided()
    home, console = reverse("home"), reverse("admin:machine_installation_changelist")
    for url in (home, console):
        assert "nobody has said yet" in client.get(url, follow=True).content.decode()
    row = Installation.objects.get()
    page = client.get(reverse("admin:machine_installation_declare_copy", args=(row.pk,)))
    assert page.status_code == 200
    before = AuditEntry.objects.count()
    client.post(reverse("admin:machine_installation_declare_copy", args=(row.pk,)), {})
    assert read_standing().role == Role.COPY
    assert "This is a copy of a Vault" in client.get(home).content.decode()
    assert AuditEntry.objects.count() > before


def test_who_may_not_change_application_settings_decides_nothing(client: Client) -> None:
    profile = SecurityProfileFactory.create(permissions=["admin:jobs"])
    client.force_login(UserFactory.create(is_staff=True, security_profile=profile))
    row = Installation.objects.get()
    for name in ("declare_vault", "declare_copy", "maintenance", "end_maintenance"):
        url = reverse(f"admin:machine_installation_{name}", args=(row.pk,))
        assert client.post(url, {}).status_code == 403
    assert read_standing().role == Role.VAULT
