"""The example `docs/examples/subscription.py`: its copy follows the events, also where answers are lost."""

from __future__ import annotations

import http.client
import json
import runpy
import sqlite3
import threading
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from pytest_django.live_server_helper import LiveServer

from ctms.audit.services import delete_record
from ctms.core.checked_transport import CheckedAdapter, is_local_address
from ctms.core.clock import get_database_now
from ctms.subscriptions.models import RecordSubscription
from ctms.webhooks import calls, delivery
from ctms.webhooks.models import Webhook, WebhookDelivery
from ctms.webhooks.services import queue_test, replace_secret
from ctms.webhooks.signing import sign_standard
from tests.factories.base import build_admin_actor
from tests.factories.clinical import StudyAssignmentFactory, StudyFactory, StudyPersonFactory
from tests.records.api.changes.feeds import change
from tests.records.api.conftest import Caller, build_limited_caller
from tests.records.api.examples.conftest import EXAMPLES
from tests.records.api.examples.relay import Fate, Relay, serve_relay
from tests.subscriptions.following import deliver_all, list_events, subscribe

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.both_databases]

OBJECT = "study_person__clin"
PROGRAM: dict[str, Any] = runpy.run_path(str(EXAMPLES / "subscription.py"))


class Program:
    """The program at work: the copy that it keeps, and the relays before it and before the Vault."""

    def __init__(self, *, copy: Any, before_program: Relay, before_vault: Relay, subscription: Any) -> None:
        self.copy, self.before_program, self.before_vault = copy, before_program, before_vault
        self.subscription: RecordSubscription = subscription

    def follow(self) -> None:
        """Let everything arrive, and the program do its work."""
        deliver_all()
        while WebhookDelivery.objects.filter(next_try_at__isnull=False).update(
            next_try_at=get_database_now() - timedelta(seconds=1)
        ):
            deliver_all()
        while self.copy.work():
            pass

    def list_uids(self) -> set[str]:
        return {uid for (uid,) in self.ask("SELECT uid FROM record")}

    def ask(self, statement: str) -> list[Any]:
        copy = sqlite3.connect(self.copy.path)
        rows = copy.execute(statement).fetchall()
        copy.close()
        return rows

    def read(self, uid: object) -> Any:
        return json.loads(dict(self.ask("SELECT uid, body FROM record"))[str(uid)])


@pytest.fixture
def study() -> Any:
    return StudyFactory.create()


@pytest.fixture
def caller(study: Any) -> Caller:
    """A caller who sees one study."""
    caller = build_limited_caller(f"{OBJECT}:read", sees_all_studies=False)
    StudyAssignmentFactory.create(user=caller.user, study=study)
    return caller


@pytest.fixture
def program(
    live_server: LiveServer, caller: Caller, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Program]:
    subscription = subscribe(caller.user, OBJECT)
    secret = Webhook.objects.get(pk=subscription.webhook_id).secret.reveal()
    token = caller.authorization.removeprefix("Bearer ")
    with serve_relay(live_server.url) as before_vault:
        copy = PROGRAM["Copy"](before_vault.url, str(tmp_path / "copy.sqlite3"), token=token, secrets=[secret])
        monkeypatch.setattr(PROGRAM["Handler"], "log_message", lambda *_args: None)
        server = PROGRAM["Receiver"](copy, 0)
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        with serve_relay(f"http://127.0.0.1:{server.server_port}") as before_program:
            lead_to(before_program, monkeypatch)
            yield Program(
                copy=copy, before_program=before_program, before_vault=before_vault, subscription=subscription
            )
        server.shutdown()
        server.server_close()
        thread.join()


def lead_to(relay: Relay, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let webhooks call the relay, whose address is none that a webhook may have."""
    open_session = calls.open_session

    def open_local() -> Any:
        session = open_session()
        session.mount("http://", CheckedAdapter(is_allowed=is_local_address, pool_size=1))
        return session

    def call(found: WebhookDelivery) -> calls.CallResult:
        found.webhook.url = f"http://127.0.0.1:{relay.server_port}/"
        return calls.call_webhook(found)

    for limit in ("_CONNECT_SECONDS", "_READ_SECONDS"):  # a machine under load calls no second time
        monkeypatch.setattr(calls, limit, 120)
    monkeypatch.setattr(calls, "open_session", open_local)
    monkeypatch.setattr(calls, "validate_webhook_url", lambda _url: None)
    monkeypatch.setattr(delivery, "call_webhook", call)


def test_the_copy_follows_what_its_user_sees_and_repeats_do_nothing(program: Program, study: Any) -> None:
    first, second = StudyPersonFactory.create_batch(2, site=None, study=study)
    StudyPersonFactory.create(site=None, study=StudyFactory.create())
    # The answer of the program is lost, then the event itself; of the program's questions one answer, and one fails.
    program.before_program.fates.extend([Fate.ANSWER_LOST, Fate.LOST])
    program.before_vault.fates.extend([Fate.ANSWER_LOST, Fate.FAULT, Fate.LOG_IN_PAGE])
    program.follow()
    assert program.list_uids() == {str(first.uid), str(second.uid)}
    assert len(program.before_program.requests) == 4
    assert program.ask("SELECT count(*), sum(done) FROM event") == [(2, 2)]

    change(first, external_id="X-1")
    second.refresh_from_db()
    delete_record(record=second, actor=build_admin_actor())
    program.follow()
    assert program.list_uids() == {str(first.uid)}
    assert program.read(first.uid)["external_id__v"] == "X-1"

    other = StudyFactory.create()
    third = StudyPersonFactory.create(site=None, study=other)
    StudyAssignmentFactory.create(user=program.subscription.user, study=other)
    program.follow()
    assert list_events(program.subscription)[-1][0] == f"{OBJECT}.reset"
    assert program.list_uids() == {str(first.uid), str(third.uid)}


def test_a_test_event_and_a_new_secret(program: Program) -> None:
    webhook = Webhook.objects.get(pk=program.subscription.webhook_id)
    program.copy.secrets.append(replace_secret(webhook=webhook, actor=build_admin_actor()))
    queue_test(webhook)
    program.follow()
    assert program.ask("SELECT done FROM event") == [(1,)]


@pytest.mark.parametrize("fault", ["forged", "old", "changed", "empty"])
def test_what_is_not_of_the_vault_is_refused(program: Program, fault: str) -> None:
    (secret,) = program.copy.secrets
    now = int(get_database_now().timestamp())
    body = b'{"type": "test", "data": {}}'
    headers = sign_standard(
        keys=["whsec_AAAA" if fault == "forged" else secret],
        uid="1",
        body=body,
        timestamp=now - 3600 if fault == "old" else now,
    )
    sent = {"changed": b'{"type": "test", "data": {"a": 1}}', "empty": b""}.get(fault, body)
    connection = http.client.HTTPConnection("127.0.0.1", program.before_program.server_port)
    connection.request("POST", "/", body=sent, headers=headers)
    status = connection.getresponse().status
    connection.close()
    assert status == (413 if fault == "empty" else 401)
    assert program.ask("SELECT count(*) FROM event") == [(0,)]
