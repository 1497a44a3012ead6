"""Events of records: what a subscription is told, in which order, and that nothing is lost or told twice."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import threading
from datetime import timedelta

import pytest
from django.db import connections, transaction

from ctms.audit.services import delete_record
from ctms.core.clock import get_database_now
from ctms.subscriptions import events
from ctms.webhooks.choices import DeliveryState
from ctms.webhooks.delivery import list_due_units
from ctms.webhooks.models import Webhook, WebhookDelivery
from ctms.webhooks.services import end_previous_secret, queue_test, replace_secret, retry_delivery, save_webhook
from tests.crm_sync.scripted_server import Received, Reply, ScriptedServer
from tests.factories.accounts import UserFactory
from tests.factories.base import build_admin_actor
from tests.factories.clinical import PersonFactory, StudyFactory
from tests.records.api.changes.feeds import touch
from tests.subscriptions.following import count_open, deliver, deliver_all, list_events, save, subscribe

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.both_databases]
PERSON, STUDY = "person__sys", "study__v"
_LONGEST_WAIT = 60  # seconds


def signs(secret: str, request: Received) -> bool:
    """Whether one of the signatures of a request is by this secret, as Standard Webhooks have it."""
    content = f"{request.headers['webhook-id']}.{request.headers['webhook-timestamp']}.".encode() + request.body
    key = base64.b64decode(secret.removeprefix("whsec_"))
    expected = base64.b64encode(hmac.new(key, content, hashlib.sha256).digest()).decode()
    return f"v1,{expected}" in request.headers["webhook-signature"].split(" ")


def refuse(_request: Received) -> Reply:
    return Reply(status=503)


def accept(_request: Received) -> Reply:
    return Reply(status=204)


def let_time_pass() -> None:
    """Let every wait be over."""
    WebhookDelivery.objects.filter(next_try_at__isnull=False).update(
        next_try_at=get_database_now() - timedelta(seconds=1)
    )


def test_what_happens_to_a_record_is_told_without_the_record(receiver: ScriptedServer) -> None:
    subscription = subscribe(UserFactory.create(is_superuser=True), PERSON)
    person = PersonFactory.create(last_name="Confidential")
    deliver_all()
    touch(person)
    deliver_all()
    person.refresh_from_db()
    delete_record(record=person, actor=build_admin_actor())
    deliver_all()
    uid = str(person.uid)
    assert list_events(subscription) == [
        (f"{PERSON}.created", uid), (f"{PERSON}.changed", uid), (f"{PERSON}.deleted", uid),
    ]  # fmt: skip
    first, second, last = (json.loads(each.body) for each in receiver.received)
    assert (first["data"]["version"], second["data"]["version"], last["data"]["version"]) == (1, 2, None)
    assert first["data"]["url"].endswith(f"/api/v1/{PERSON}/{uid}/")
    assert set(first) == {"type", "timestamp", "data"}
    assert b"Confidential" not in b"".join(each.body for each in receiver.received)
    assert len({each.headers["webhook-id"] for each in receiver.received}) == 3


def test_only_the_chosen_events_of_the_chosen_objects_are_told_and_none_from_before(receiver: ScriptedServer) -> None:
    before = PersonFactory.create()
    subscription = subscribe(UserFactory.create(is_superuser=True), PERSON, events=("deleted",))
    after = PersonFactory.create()
    StudyFactory.create()
    deliver_all()
    for each in (before, after):
        delete_record(record=each, actor=build_admin_actor())
    deliver_all()
    assert sorted(list_events(subscription)) == sorted((f"{PERSON}.deleted", str(each.uid)) for each in (before, after))


def test_while_a_secret_is_replaced_both_sign(receiver: ScriptedServer) -> None:
    subscription = subscribe(UserFactory.create(is_superuser=True), PERSON)
    webhook = Webhook.objects.get(pk=subscription.webhook_id)
    old = webhook.secret.reveal()
    new = replace_secret(webhook=webhook, actor=build_admin_actor())
    queue_test(webhook)
    deliver()
    end_previous_secret(webhook=webhook, actor=build_admin_actor())
    queue_test(webhook)
    deliver()
    both, last = receiver.received
    assert (signs(old, both), signs(new, both), signs(old, last), signs(new, last)) == (True, True, False, True)
    assert "vault-signature" not in {name.lower() for name in both.headers}


def test_events_of_a_record_are_told_in_order_though_the_first_waits(receiver: ScriptedServer) -> None:
    subscription = subscribe(UserFactory.create(is_superuser=True), PERSON)
    receiver.answer = refuse
    first, second = PersonFactory.create_batch(2)
    deliver()
    touch(first)
    touch(second)
    receiver.answer = accept
    assert list_due_units() == []
    let_time_pass()
    deliver_all()
    assert [each for each in list_events(subscription) if each[1] == str(first.uid)] == [
        (f"{PERSON}.created", str(first.uid)), (f"{PERSON}.changed", str(first.uid)),
    ]  # fmt: skip
    assert len(receiver.received) == 5


def test_a_receiver_that_is_down_keeps_one_page_in_the_queue_and_gets_everything_later(
    receiver: ScriptedServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(events, "PAGE", 2)
    subscription = subscribe(UserFactory.create(is_superuser=True), PERSON)
    receiver.answer = refuse
    persons = PersonFactory.create_batch(7)
    for _ in range(3):
        let_time_pass()
        deliver()
    assert count_open() == 2
    receiver.answer = accept
    let_time_pass()
    deliver_all()
    assert sorted(list_events(subscription)) == sorted((f"{PERSON}.created", str(each.uid)) for each in persons)


def test_an_event_whose_answer_was_lost_comes_again_with_its_id(receiver: ScriptedServer) -> None:
    subscription = subscribe(UserFactory.create(is_superuser=True), PERSON)
    receiver.answer = lambda _request: Reply(drop="before")
    PersonFactory.create()
    deliver()
    receiver.answer = accept
    let_time_pass()
    deliver_all()
    assert len({each.headers["webhook-id"] for each in receiver.received}) == 1
    assert len(list_events(subscription)) == 1


def test_two_workers_that_queue_the_same_page_queue_each_event_once(receiver: ScriptedServer) -> None:
    subscription = subscribe(UserFactory.create(is_superuser=True), PERSON)
    PersonFactory.create_batch(3)
    (place,) = subscription.places.values()
    source = events.RecordEvents()
    webhook = Webhook.objects.get(pk=subscription.webhook_id)
    source.queue_news(webhook, renew=lambda: None)
    deliver_all()
    # As if the place had not been moved.
    subscription.places.update(**{name: place[name] for name in ("told", "until", "after")})
    deliver_all()
    assert len(list_events(subscription)) == len(receiver.received) == 3


def test_a_worker_that_dies_while_it_queues_has_moved_nothing(receiver: ScriptedServer) -> None:
    subscription = subscribe(UserFactory.create(is_superuser=True), PERSON)
    person = PersonFactory.create()
    webhook = Webhook.objects.get(pk=subscription.webhook_id)

    class DiedError(Exception):
        """The process ended."""

    def die() -> None:
        with transaction.atomic():
            events.RecordEvents().queue_news(webhook, renew=lambda: None)
            raise DiedError

    with pytest.raises(DiedError):
        die()
    assert count_open() == 0
    deliver_all()
    assert list_events(subscription) == [(f"{PERSON}.created", str(person.uid))]
    assert len(receiver.received) == 1


def test_an_inactive_subscription_is_told_later_what_happened(receiver: ScriptedServer) -> None:
    subscription = subscribe(UserFactory.create(is_superuser=True), PERSON)
    save(subscription, is_active=False)
    person = PersonFactory.create()
    deliver_all()
    assert receiver.received == []
    save(subscription)
    deliver_all()
    assert list_events(subscription) == [(f"{PERSON}.created", str(person.uid))]


def test_an_object_that_is_added_later_is_told_from_then_on(receiver: ScriptedServer) -> None:
    subscription = subscribe(UserFactory.create(is_superuser=True), PERSON)
    StudyFactory.create()
    subscription.topics = [f"{STUDY}.created"]
    save(subscription)
    PersonFactory.create()
    study = StudyFactory.create()
    deliver_all()
    assert list_events(subscription) == [(f"{STUDY}.created", str(study.uid))]
    assert len(receiver.received) == 1


def test_an_event_is_delivered_again_with_its_id(receiver: ScriptedServer) -> None:
    subscription = subscribe(UserFactory.create(is_superuser=True), PERSON)
    PersonFactory.create()
    deliver_all()
    (delivery,) = WebhookDelivery.objects.filter(webhook=subscription.webhook)
    assert retry_delivery(delivery) is True
    deliver_all()
    assert [each.headers["webhook-id"] for each in receiver.received] == [str(delivery.uid)] * 2


def test_without_a_secret_nothing_is_sent_and_nothing_lost(receiver: ScriptedServer) -> None:
    subscription = subscribe(UserFactory.create(is_superuser=True), PERSON)
    webhook = Webhook.objects.get(pk=subscription.webhook_id)
    webhook.secret = ""
    save_webhook(webhook=webhook, actor=build_admin_actor())
    PersonFactory.create()
    assert list_due_units() == []
    replace_secret(webhook=webhook, actor=build_admin_actor())
    deliver_all()
    assert len(list_events(subscription)) == len(receiver.received) == 1


def test_a_quiet_object_is_looked_up_from_near(receiver: ScriptedServer, monkeypatch: pytest.MonkeyPatch) -> None:
    subscription = subscribe(UserFactory.create(is_superuser=True), STUDY)
    before = subscription.places.get().told
    PersonFactory.create()
    assert list_due_units() == []
    monkeypatch.setattr("ctms.subscriptions.places._FAR", -1)  # another transaction may hold the horizon
    assert len(list_due_units()) == 1
    deliver()
    assert subscription.places.get().told != before
    assert receiver.received == []


@pytest.mark.postgresql
def test_what_a_long_transaction_wrote_is_told_after_it_has_ended(receiver: ScriptedServer) -> None:
    is_written, may_end = threading.Event(), threading.Event()
    PersonFactory.create()  # creates what both transactions refer to
    subscription = subscribe(UserFactory.create(is_superuser=True), PERSON)
    late: list[str] = []

    def write_slowly() -> None:
        with transaction.atomic():
            late.append(str(PersonFactory.create().uid))
            is_written.set()
            may_end.wait(timeout=_LONGEST_WAIT)
        connections.close_all()

    writer = threading.Thread(target=write_slowly)
    writer.start()
    try:
        assert is_written.wait(timeout=_LONGEST_WAIT)
        early = PersonFactory.create()  # of a later transaction, with a later id, which ends at once
        deliver_all()
        assert list_events(subscription) == [(f"{PERSON}.created", str(early.uid))]
    finally:
        may_end.set()
        writer.join()
    deliver_all()
    assert list_events(subscription) == [(f"{PERSON}.created", str(early.uid)), (f"{PERSON}.created", late[0])]
    assert WebhookDelivery.objects.exclude(state=DeliveryState.DELIVERED).count() == 0
    assert len(receiver.received) == 2
