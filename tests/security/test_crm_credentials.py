"""S2 for CRM credentials: what is typed goes to the CRM, encrypted into the database, and nowhere else."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from typing import Any

import pytest
from django.db import connection
from django.test import Client

from connections.models import ConnectionAuthorization
from crm_sync.jobs import TRANSFER_JOB_KEY
from crm_sync.sandbox.serving.running import RunningSandbox
from ctms.celery import app
from ctms.configuration.steps import apply_step, get_step
from ctms.jobs.choices import RunState
from ctms.jobs.models import JobDefinition, JobRun
from ctms.jobs.services import execute_run
from exceptions_log.models import ExceptionItem
from tests.admin_forms import log_in_admin
from tests.crm_sync.world import World, build_world
from tests.factories.base import build_admin_actor

# Messages leave on commit.
pytestmark = pytest.mark.django_db(transaction=True)

CANARY = "canary-5e0c9a"
PASSWORD, KEY, SECRET = f"{CANARY}-password", f"{CANARY}-key", f"{CANARY}-secret"


@pytest.fixture
def world(settings: Any) -> Iterator[World]:
    settings.CRM_SANDBOX_ORIGINS = {}
    settings.CRM_BACKOFF_BASE_SECONDS = 0.001
    settings.CRM_MAX_ATTEMPTS = 2
    with RunningSandbox(names=["na"]) as sandbox:
        yield build_world(crm=sandbox["na"])


def type_credentials(client: Client, authorization: ConnectionAuthorization) -> list[Any]:
    """Every way in which the console takes them: refused, then accepted."""
    page = f"/admin/connections/connectionauthorization/{authorization.pk}"
    password, details = f"{page}/set-password/", f"{page}/enter-connected-app-details/"
    return [
        client.post(password, {"password": PASSWORD, "confirm_password": f"{PASSWORD}!"}),
        client.post(password, {"password": PASSWORD, "confirm_password": PASSWORD}, follow=True),
        client.post(details, {"consumer_key": KEY, "consumer_secret": SECRET, "grant_flow": "no such flow"}),
        client.post(details, {"consumer_key": KEY, "consumer_secret": SECRET, "grant_flow": "password"}, follow=True),
    ]


def visit_all(client: Client, authorization: ConnectionAuthorization, world: World) -> list[Any]:
    """Every page that tells of an authorization, a connection or their failures."""
    change = f"/admin/connections/connection/{world.connection.pk}"
    item = ExceptionItem.objects.get()
    return [
        client.get(path, follow=True)
        for path in (
            "/admin/",
            "/admin/connections/connectionauthorization/",
            f"/admin/connections/connectionauthorization/{authorization.pk}/change/",
            f"/admin/connections/connectionauthorization/{authorization.pk}/history/",
            f"/admin/connections/connectionauthorization/{authorization.pk}/set-password/",
            f"/admin/connections/connectionauthorization/{authorization.pk}/enter-connected-app-details/",
            "/admin/connections/connection/",
            f"{change}/change/",
            "/admin/audit/auditentry/",
            "/admin/jobs/jobrun/",
            f"/admin/jobs/jobrun/{JobRun.objects.latest('pk').pk}/change/",
            f"/admin/exceptions_log/exceptionmessage/{item.message_id}/change/",
            f"/admin/exceptions_log/exceptionitem/{item.pk}/change/",
            "/api/v1/objects/",
            "/api/v1/schema/",
        )
    ]


def read_messages() -> list[str]:
    """What waits in the queues of the workers."""
    messages = []
    with app.connection_for_read() as broker:
        for declared in app.conf.task_queues:
            queue = broker.SimpleQueue(declared.name)
            while queue.qsize():
                message = queue.get(block=False)
                messages.append(f"{message.headers} {message.properties} {message.body!r}")
                message.ack()
            queue.close()
    return messages


def dump_database() -> list[str]:
    """Every row of every table, as text."""
    rows = []
    with connection.cursor() as cursor:
        for table in connection.introspection.table_names():
            cursor.execute(f"SELECT * FROM {connection.ops.quote_name(table)}")  # noqa: S608  the names are the schema's
            rows += [f"{table}: {row!r}" for row in cursor.fetchall()]
    return rows


def test_what_is_typed_into_credential_fields_is_found_nowhere(
    client: Client, world: World, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    caplog.set_level(logging.DEBUG)
    log_in_admin(client)
    authorization = world.connection.authorization
    assert authorization is not None
    apply_step(step=get_step("connected_app_action"), actor=build_admin_actor())
    read_messages()
    answers = type_credentials(client, authorization)
    page = f"/admin/connections/connectionauthorization/{authorization.pk}"
    # Twice: the one in use, and its renewal.
    answers += [client.post(f"{page}/create-certificate/", follow=True) for _ in range(2)]
    answers.append(client.get(f"{page}/download-certificate/"))
    authorization.refresh_from_db()
    made = [authorization.private_key.reveal(), authorization.next_private_key.reveal()]
    keys = [line for pem in made for line in pem.splitlines()[1:3]]
    stored = (authorization.password, authorization.consumer_key, authorization.consumer_secret)
    assert tuple(secret.reveal() for secret in stored) == (PASSWORD, KEY, SECRET)

    # The CRM does not know them: the transfer fails, and everything that fails is told about in full.
    definition = JobDefinition.objects.get(key=TRANSFER_JOB_KEY)
    answers.append(client.post(f"/admin/jobs/jobdefinition/{definition.pk}/start-now/", follow=True))
    [run] = JobRun.objects.filter(state=RunState.QUEUED)
    messages = read_messages()
    assert len(messages) == 1
    execute_run(run.pk)
    answers += visit_all(client, authorization, world)
    assert {answer.status_code for answer in answers} == {200}

    assert [answer.request["PATH_INFO"] for answer in answers if CANARY in f"{answer.headers}{answer.content!r}"] == []
    assert [message for message in messages if CANARY in message] == []
    assert [row for row in dump_database() if CANARY in row] == []
    assert [
        record.getMessage() for record in caplog.records if CANARY in f"{record.getMessage()}{record.__dict__}"
    ] == []
    assert [stream for stream in capfd.readouterr() if CANARY in stream] == []
    assert CANARY not in repr(authorization) + str(stored)
    told = [f"{answer.headers}{answer.content!r}" for answer in answers] + messages + dump_database()
    told += [f"{record.getMessage()}{record.__dict__}" for record in caplog.records] + [repr(vars(authorization))]
    assert len(keys) == 4
    assert [text for text in told if "PRIVATE KEY" in text or any(key in text for key in keys)] == []
