"""The console pages of subscriptions: the form, the secrets that are shown once, and what was sent."""

from __future__ import annotations

import re
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from ctms.accounts.models import User
from ctms.audit.models import AuditEntry
from ctms.core.clock import get_database_now
from ctms.subscriptions.models import RecordSubscription, SwitchOffNotice
from ctms.webhooks.choices import DeliveryState
from ctms.webhooks.models import Webhook, WebhookDelivery
from tests.admin_forms import log_in_admin
from tests.factories.accounts import SecurityProfileFactory, UserFactory
from tests.subscriptions.following import URL, save, subscribe

pytestmark = [pytest.mark.django_db, pytest.mark.both_databases]
ADD = "/admin/subscriptions/recordsubscription/add/"
LIST = "/admin/subscriptions/recordsubscription/"


@pytest.fixture
def admin(client: Client) -> User:
    return log_in_admin(client)


@pytest.fixture
def subscription() -> RecordSubscription:
    return subscribe(UserFactory.create(is_superuser=True), "study__v")


def build_url(subscription: RecordSubscription, action: str) -> str:
    return reverse(f"admin:subscriptions_recordsubscription_{action}", args=(subscription.pk,))


def build_values(subscription: RecordSubscription, **values: Any) -> dict[str, Any]:
    """What the form of a subscription sends."""
    webhook = Webhook.objects.get(pk=subscription.webhook_id)
    return {
        "name": webhook.name, "url": webhook.url, "is_active": "on", "user": subscription.user.pk,
        "topics": subscription.topics, "read_version": subscription.version, "webhook_version": webhook.version,
        **values,
    }  # fmt: skip


def queue_delivery(subscription: RecordSubscription, number: int, state: DeliveryState) -> WebhookDelivery:
    return WebhookDelivery.objects.create(
        webhook=subscription.webhook, key=f"study__v:{number}:1", event="study__v.changed", body="{}", state=state,
        status_code=204, attempts=2, message=f"Answered {number}.", tried_at=get_database_now(),
    )  # fmt: skip


def test_a_subscription_is_made_and_its_secret_shown_once(client: Client, admin: User) -> None:
    values = {"name": "Warehouse", "url": URL, "is_active": "on", "user": admin.pk, "topics": ["study__v.deleted"]}
    response = client.post(ADD, values)
    assert response.status_code == 302, response.context["form"].errors
    subscription = RecordSubscription.objects.get()
    assert response.headers["Location"] == build_url(subscription, "change")
    assert (subscription.topics, subscription.webhook.source, subscription.places.count()) == (
        ["study__v.deleted"], "records", 1,
    )  # fmt: skip
    url = build_url(subscription, "new_secret")
    assert "whsec_" not in client.get(url).content.decode()
    assert not Webhook.objects.get().secret
    response = client.post(url)
    (shown,) = re.findall(r"whsec_[A-Za-z0-9+/=]+", response.content.decode())
    assert Webhook.objects.get().secret.reveal() == shown
    assert "no-store" in response.headers["Cache-Control"]
    pages = [client.get(page).content.decode() for page in (build_url(subscription, "change"), url, LIST)]
    assert shown not in "".join([*pages, str(list(AuditEntry.objects.values()))])


def test_a_secret_is_replaced_while_both_are_valid_and_the_old_one_ended(
    client: Client, admin: User, subscription: RecordSubscription
) -> None:
    old = Webhook.objects.get().secret.reveal()
    assert "end-secret" not in client.get(build_url(subscription, "change")).content.decode()
    client.post(build_url(subscription, "new_secret"))
    webhook = Webhook.objects.get()
    assert (webhook.previous_secret.reveal(), webhook.secret.reveal() != old) == (old, True)
    assert "end-secret" in client.get(build_url(subscription, "change")).content.decode()
    url = build_url(subscription, "end_secret")
    client.get(url)
    assert Webhook.objects.get().previous_secret
    client.post(url)
    assert not Webhook.objects.get().previous_secret
    assert AuditEntry.objects.filter(record_uid=webhook.uid, actor_name=str(admin)).count() == 2


@pytest.mark.parametrize(
    ("values", "field"),
    [
        ({"url": "http://hooks.example.com/"}, "url"),
        ({"url": "https://127.0.0.1/"}, "url"),
        ({"topics": []}, "topics"),
        ({"topics": ["study__v.exploded"]}, "topics"),
        ({"name": ""}, "name"),
        ({"webhook_version": ""}, "__all__"),
        ({"webhook_version": 1}, "__all__"),
    ],
)
def test_what_is_wrong_is_named(
    client: Client, admin: User, subscription: RecordSubscription, values: dict[str, Any], field: str
) -> None:
    response = client.post(build_url(subscription, "change"), build_values(subscription, **values))
    assert list(response.context["adminform"].form.errors) == [field]
    assert Webhook.objects.get().url == URL


def test_another_host_is_told_nothing_until_a_secret_was_made_for_it(
    client: Client, admin: User, subscription: RecordSubscription
) -> None:
    client.post(build_url(subscription, "new_secret"))
    values = build_values(subscription, url="https://hooks.example.com/other")
    assert client.post(build_url(subscription, "change"), values).status_code == 302
    webhook = Webhook.objects.get()
    assert (bool(webhook.secret), bool(webhook.previous_secret)) == (True, True)  # the host is the same
    subscription.refresh_from_db()
    values = build_values(subscription, url="https://hooks.example.org/vault", webhook_version=webhook.version)
    assert client.post(build_url(subscription, "change"), values).status_code == 302
    webhook = Webhook.objects.get()
    assert (webhook.url, bool(webhook.secret), bool(webhook.previous_secret)) == (values["url"], False, False)


def test_it_is_changed_and_switched_off(client: Client, admin: User, subscription: RecordSubscription) -> None:
    values = build_values(subscription, url=f"{URL}/2", topics=["study__v.created", "site__v.created"])
    del values["is_active"]
    assert client.post(build_url(subscription, "change"), values).status_code == 302
    webhook = Webhook.objects.get()
    assert (webhook.url, webhook.is_active) == (f"{URL}/2", False)
    assert set(subscription.places.values_list("object_name", flat=True)) == {"study__v", "site__v"}
    response = client.post(build_url(subscription, "deliveries"), {"test": "1"}, follow=True)
    assert "Switch it on first" in response.content.decode()
    assert not WebhookDelivery.objects.exists()


def test_the_log_shows_what_was_sent_page_by_page_and_sends_it_again(
    client: Client, admin: User, subscription: RecordSubscription
) -> None:
    deliveries = [queue_delivery(subscription, number, DeliveryState.DELIVERED) for number in range(51)]
    url = build_url(subscription, "deliveries")
    page = client.get(url).content.decode()
    assert "Answered 50." in page
    assert "Answered 0." not in page
    (older,) = re.findall(r'href="(\?before=\d+)"', page)
    assert re.findall(r"Answered \d+", client.get(url + older).content.decode()) == ["Answered 0"]
    client.post(url, {"again": str(deliveries[7].uid)})
    client.post(url, {"test": "1"})
    waiting = WebhookDelivery.objects.filter(state=DeliveryState.WAITING).order_by("pk")
    assert [each.event for each in waiting] == ["study__v.changed", "test"]
    assert waiting[0].pk == deliveries[7].pk
    for wrong in (str(deliveries[7].uid), "x", ""):
        assert "waits already" in client.post(url, {"again": wrong}, follow=True).content.decode()


def test_one_subscription_does_not_send_what_is_of_another(
    client: Client, admin: User, subscription: RecordSubscription
) -> None:
    other = subscribe(admin, "study__v")
    delivery = queue_delivery(other, 1, DeliveryState.DELIVERED)
    client.post(build_url(subscription, "deliveries"), {"again": str(delivery.uid)})
    delivery.refresh_from_db()
    assert delivery.state == DeliveryState.DELIVERED


def test_who_may_not_set_up_sees_none_of_it(client: Client, subscription: RecordSubscription) -> None:
    profile = SecurityProfileFactory.create(permissions=["admin:users", "study__v:read"])
    client.force_login(UserFactory.create(security_profile=profile, is_staff=True))
    for action in ("change", "deliveries", "new_secret", "end_secret", "delete"):
        for call in (client.get, client.post):
            assert call(build_url(subscription, action)).status_code == 403
    assert not Webhook.objects.get().previous_secret


def test_who_may_do_less_than_its_user_makes_no_secret(client: Client, subscription: RecordSubscription) -> None:
    profile = SecurityProfileFactory.create(permissions=["admin:settings"])
    client.force_login(UserFactory.create(security_profile=profile, is_staff=True))
    response = client.post(build_url(subscription, "new_secret"), follow=True)
    assert "whsec_" not in response.content.decode()
    assert "you may not" in response.content.decode()
    assert not Webhook.objects.get().previous_secret


def test_it_is_deleted_with_all_that_was_to_be_sent(
    client: Client, admin: User, subscription: RecordSubscription
) -> None:
    queue_delivery(subscription, 1, DeliveryState.WAITING)
    assert client.post(build_url(subscription, "delete"), {"post": "yes"}).status_code == 302
    assert not Webhook.objects.exists()
    assert not WebhookDelivery.objects.exists()
    other = subscribe(admin, "study__v")
    client.post(LIST, {"action": "delete_selected", "_selected_action": [other.pk], "post": "yes"})
    assert not Webhook.objects.exists()


def test_the_list_says_how_each_stands(client: Client, admin: User, subscription: RecordSubscription) -> None:
    off, bare = subscribe(admin, "study__v"), subscribe(admin, "study__v")
    inactive = subscribe(UserFactory.create(is_superuser=True), "study__v")
    User.objects.filter(pk=inactive.user.pk).update(is_active=False)
    save(off, is_active=False)
    save(bare, is_active=False)
    SwitchOffNotice.objects.create(subscription=bare, at=get_database_now(), reason="It took nothing.")
    page = client.get(LIST).content.decode()
    for state in ("Active", "User inactive", "Off", "Switched off"):
        assert re.search(rf">\s*{state}\s*<", page), state
    assert "It took nothing." in client.get(build_url(bare, "deliveries")).content.decode()
