"""What a subscription tells is what its user may see when it is sent."""

from __future__ import annotations

import json
from typing import Any

import pytest
from django.core.exceptions import ValidationError

from ctms.accounts.models import User
from ctms.audit.actors import Actor
from ctms.audit.services import delete_record
from ctms.subscriptions.events import RecordEvents
from ctms.subscriptions.models import RecordSubscription
from ctms.webhooks.delivery import list_due_units
from ctms.webhooks.models import Webhook, WebhookDelivery
from tests.crm_sync.scripted_server import ScriptedServer
from tests.factories.accounts import SecurityProfileFactory, UserFactory
from tests.factories.base import build_admin_actor
from tests.factories.clinical import StudyAssignmentFactory, StudyFactory, StudyPersonFactory
from tests.records.api.changes.feeds import change, touch
from tests.subscriptions.following import deliver_all, list_events, save, subscribe

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.both_databases]
ROLE = "study_person__clin"


@pytest.fixture
def study() -> Any:
    return StudyFactory.create()


@pytest.fixture
def user(study: Any) -> User:
    """A user who sees one study."""
    profile = SecurityProfileFactory.create(permissions=[f"{ROLE}:read"], sees_all_studies=False)
    user = UserFactory.create(security_profile=profile)
    StudyAssignmentFactory.create(user=user, study=study)
    return user


def queue(subscription: RecordSubscription) -> None:
    """Queue what is new, without sending it."""
    RecordEvents().queue_news(Webhook.objects.get(pk=subscription.webhook_id), renew=lambda: None)


def end_assignments(user: User) -> None:
    for each in user.study_assignments.all():
        delete_record(record=each, actor=build_admin_actor())


def list_told(receiver: ScriptedServer) -> list[tuple[str, str]]:
    bodies = [json.loads(each.body) for each in receiver.received]
    return [(each["type"].rpartition(".")[2], each["data"].get("uid__sys", "")) for each in bodies]


def test_what_the_user_never_saw_is_not_told(receiver: ScriptedServer, user: User, study: Any) -> None:
    subscribe(user, ROLE)
    seen = StudyPersonFactory.create(site=None, study=study)
    hidden = StudyPersonFactory.create(site=None, study=StudyFactory.create())
    deliver_all()
    touch(hidden)
    hidden.refresh_from_db()
    delete_record(record=hidden, actor=build_admin_actor())
    deliver_all()
    assert list_told(receiver) == [("created", str(seen.uid))]


def test_what_moves_is_told_as_coming_into_sight_and_going_out_of_it(
    receiver: ScriptedServer, user: User, study: Any
) -> None:
    other = StudyFactory.create()
    seen = StudyPersonFactory.create(site=None, study=study)
    hidden = StudyPersonFactory.create(site=None, study=other)
    subscribe(user, ROLE)
    change(hidden, study=study)
    deliver_all()
    change(seen, study=other)
    deliver_all()
    assert list_told(receiver) == [("came_into_sight", str(hidden.uid)), ("went_out_of_sight", str(seen.uid))]


def test_an_assignment_that_ends_closes_what_was_queued(receiver: ScriptedServer, user: User, study: Any) -> None:
    subscription = subscribe(user, ROLE)
    StudyPersonFactory.create_batch(2, site=None, study=study)
    gone = StudyPersonFactory.create(site=None, study=study)
    queue(subscription)
    delete_record(record=gone, actor=build_admin_actor())
    end_assignments(user)
    deliver_all()
    assert list_told(receiver) == [("reset", "")]
    assert len(list_events(subscription, state="withdrawn")) == 3


def test_the_sight_is_checked_again_right_before_each_event_is_sent(
    receiver: ScriptedServer, user: User, study: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    subscription = subscribe(user, ROLE)
    StudyPersonFactory.create_batch(2, site=None, study=study)
    queue(subscription)
    monkeypatch.setattr(RecordEvents, "queue_news", lambda *_args, **_values: None)
    end_assignments(user)
    delivery = WebhookDelivery.objects.order_by("pk")[0]
    assert "has changed since" in RecordEvents().explain_withdrawal(delivery)
    assert receiver.received == []


def test_a_record_that_was_deleted_before_its_event_was_sent_is_told_as_deleted(
    receiver: ScriptedServer, user: User, study: Any
) -> None:
    subscription = subscribe(user, ROLE)
    record = StudyPersonFactory.create(site=None, study=study)
    queue(subscription)
    delete_record(record=record, actor=build_admin_actor())
    deliver_all()
    assert list_told(receiver) == [("deleted", str(record.uid))]


@pytest.mark.parametrize("end", ["deactivated", "without permission"])
def test_a_user_who_may_not_read_is_told_nothing_and_all_of_it_later(
    receiver: ScriptedServer, user: User, study: Any, end: str
) -> None:
    subscription = subscribe(user, ROLE)
    StudyPersonFactory.create(site=None, study=study)
    queue(subscription)
    profile = user.security_profile
    assert profile is not None
    if end == "deactivated":
        User.objects.filter(pk=user.pk).update(is_active=False)
    else:
        change(profile, permissions=[])
    StudyPersonFactory.create(site=None, study=study)
    deliver_all()
    assert receiver.received == []
    User.objects.filter(pk=user.pk).update(is_active=True)
    change(profile, permissions=[f"{ROLE}:read"]) if end != "deactivated" else None
    deliver_all()
    expected = ["created", "created"] if end == "deactivated" else ["reset"]
    assert [event for event, _ in list_told(receiver)] == expected
    assert list_due_units() == []


@pytest.mark.parametrize("sees_as_much", [True, False])
def test_another_user_reads_anew(receiver: ScriptedServer, user: User, study: Any, *, sees_as_much: bool) -> None:
    subscription = subscribe(UserFactory.create(is_superuser=True), ROLE)
    StudyPersonFactory.create(site=None, study=study)
    queue(subscription)
    subscription.user = UserFactory.create(is_superuser=True) if sees_as_much else user
    save(subscription)
    deliver_all()
    assert list_told(receiver) == [("reset", "")]


def test_nobody_has_a_program_told_more_than_they_may_see_themselves(user: User) -> None:
    profile = SecurityProfileFactory.create(permissions=["admin:settings", f"{ROLE}:read"], sees_all_studies=False)
    admin = UserFactory.create(security_profile=profile)
    for other in (user, UserFactory.create(is_superuser=True)):
        subscription = RecordSubscription(user=other, topics=[f"{ROLE}.created"])
        with pytest.raises(ValidationError, match=r"may not|do not have"):
            save(subscription, actor=Actor(user=admin, source="admin"))
    save(RecordSubscription(user=admin, topics=[f"{ROLE}.created"]), actor=Actor(user=admin, source="admin"))
    change(profile, permissions=["admin:settings", f"{ROLE}:read"], sees_all_studies=True)
    admin.refresh_from_db()
    save(RecordSubscription(user=user, topics=[f"{ROLE}.created"]), actor=Actor(user=admin, source="admin"))
    assert RecordSubscription.objects.count() == 2


@pytest.mark.parametrize(
    ("topics", "said"), [([], "at least one"), (["x.created"], "no such"), (["site__v.created"], "may not read")]
)
def test_topics_that_cannot_be_told_are_refused(user: User, topics: list[str], said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        save(RecordSubscription(user=user, topics=topics))
