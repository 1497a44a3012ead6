"""Admins see who has a calendar feed, and revoke it."""

from __future__ import annotations

import pytest
from django.test import Client
from django.urls import reverse

from ctms.accounts.feeds import find_feed
from ctms.accounts.models import CalendarFeed, FeedContents
from ctms.audit.actors import Actor
from ctms.audit.calendar_feeds import create_feed
from ctms.audit.models import AuditEntry
from tests.admin_forms import log_in_admin
from tests.factories.accounts import SecurityProfileFactory, UserFactory

pytestmark = pytest.mark.django_db

LIST = "admin:accounts_calendarfeed_changelist"


def create() -> tuple[CalendarFeed, str]:
    return create_feed(contents=FeedContents.MINE, actor=Actor(user=UserFactory.create(), source="page"))


def revoke_url(feed: CalendarFeed) -> str:
    return reverse("admin:accounts_calendarfeed_revoke", args=(feed.pk,))


def test_an_admin_revokes_a_feed_after_a_question(client: Client) -> None:
    admin = log_in_admin(client)
    feed, secret = create()
    pages = [client.get(url).content.decode() for url in (reverse(LIST), f"{reverse(LIST)}{feed.pk}/change/")]
    assert all("Valid" in page and secret not in page and feed.digest not in page for page in pages)
    assert "get nothing any more" in client.get(revoke_url(feed)).content.decode()
    assert find_feed(secret) == feed
    assert "was revoked." in client.post(revoke_url(feed), follow=True).content.decode()
    assert find_feed(secret) is None
    entry = AuditEntry.objects.filter(record_uid=feed.uid).latest("id")
    assert (entry.actor, entry.source, list(entry.changes)) == (admin, "admin", ["revoked_at"])
    assert "was revoked already." in client.post(revoke_url(feed), follow=True).content.decode()


def test_who_may_not_manage_users_neither_sees_nor_revokes_feeds(client: Client) -> None:
    feed, secret = create()
    profile = SecurityProfileFactory.create(permissions=["admin:jobs", "admin:audit"])
    client.force_login(UserFactory.create(is_staff=True, security_profile=profile))
    assert client.get(reverse(LIST)).status_code == 403
    assert client.post(revoke_url(feed)).status_code == 403
    assert find_feed(secret) == feed
