"""A receiver that takes nothing for three days: the subscription is switched off, its user told, and nothing lost."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.core import mail

from ctms.audit.models import AuditEntry
from ctms.core.clock import get_database_now
from ctms.jobs.models import JobDefinition
from ctms.jobs.services import execute_run, start_now
from ctms.subscriptions.models import MOST_NOTICE_TRIES, RecordSubscription, SwitchOffNotice
from ctms.subscriptions.notices import list_notice_units
from ctms.webhooks.delivery import WAITS, list_due_units
from ctms.webhooks.models import Webhook, WebhookDelivery
from tests.crm_sync.scripted_server import Reply, ScriptedServer
from tests.factories.accounts import UserFactory
from tests.factories.clinical import PersonFactory
from tests.subscriptions.following import deliver, deliver_all, list_events, save, subscribe

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.both_databases]
PERSON = "person__sys"


def fail_for_days(receiver: ScriptedServer) -> None:
    """Let every try there is be refused."""
    receiver.answer = lambda _request: Reply(status=500)
    for _ in range(len(WAITS) + 1):
        WebhookDelivery.objects.filter(next_try_at__isnull=False).update(
            next_try_at=get_database_now() - timedelta(seconds=1)
        )
        deliver()


def send_notices() -> None:
    for run in start_now(definition=JobDefinition.objects.get(key="subscription_notices"), user=None):
        execute_run(run.pk)


def build_failed(receiver: ScriptedServer) -> tuple[RecordSubscription, list[Any]]:
    """A subscription that was switched off, and the persons that were created before and after."""
    subscription = subscribe(UserFactory.create(is_superuser=True), PERSON)
    persons = PersonFactory.create_batch(2)
    fail_for_days(receiver)
    return subscription, [*persons, PersonFactory.create()]


def test_it_is_switched_off_its_user_told_once_and_everything_told_when_it_is_on_again(
    receiver: ScriptedServer,
) -> None:
    subscription, persons = build_failed(receiver)
    webhook = Webhook.objects.get(pk=subscription.webhook_id)
    assert (webhook.is_active, list_due_units(), len(receiver.received)) == (False, [], len(WAITS) + 1)
    entry = AuditEntry.objects.filter(record_uid=webhook.uid).latest("id")
    assert ("is_active" in entry.changes, entry.actor_name, "500" in entry.reason) == (True, "System", True)
    for _ in range(2):
        send_notices()
    (sent,) = mail.outbox
    assert sent.to == [subscription.user.email]
    assert "switched off" in sent.subject
    assert list_notice_units() == []

    receiver.answer = lambda _request: Reply(status=204)
    subscription.refresh_from_db()
    save(subscription)
    deliver_all()
    assert sorted(list_events(subscription)) == sorted((f"{PERSON}.created", str(each.uid)) for each in persons)
    assert not SwitchOffNotice.objects.exists()


def test_an_email_that_is_not_accepted_is_tried_again_and_not_for_ever(receiver: ScriptedServer, settings: Any) -> None:
    build_failed(receiver)
    working = settings.EMAIL_BACKEND
    settings.EMAIL_BACKEND = "tests.no_such.EmailBackend"
    send_notices()
    notice = SwitchOffNotice.objects.get()
    assert (notice.is_mailed, notice.attempts, bool(notice.problem)) == (False, 1, True)
    settings.EMAIL_BACKEND = working
    send_notices()
    assert len(mail.outbox) == 1
    SwitchOffNotice.objects.update(is_mailed=False, attempts=MOST_NOTICE_TRIES)
    assert list_notice_units() == []
