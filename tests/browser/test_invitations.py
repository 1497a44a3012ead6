"""An invited user sets a password, logs in, and ends a session that was left open elsewhere."""

from __future__ import annotations

import re

import pytest
from django.core import mail
from django.test import Client
from playwright.sync_api import Page, expect

from ctms.accounts.models import UserSession
from ctms.audit.actors import Actor
from ctms.audit.invitations import send_invitation
from tests.browser.accessibility import find_violations
from tests.factories.accounts import UserFactory
from tests.factories.base import get_admin_user

pytestmark = pytest.mark.django_db(transaction=True)

CHOSEN = "a-password-of-my-own"


def test_a_user_comes_in_by_an_invitation_and_ends_another_session(page: Page) -> None:
    user = UserFactory.create(username="carla", password=None)
    send_invitation(user=user, actor=Actor(user=get_admin_user(), source="admin"))
    [query] = re.findall(r"\?token=\S+", str(mail.outbox[-1].body))
    page.goto(f"/invitation/{query}")
    assert find_violations(page) == []
    page.get_by_label("New password", exact=True).fill(CHOSEN)
    page.get_by_label("New password confirmation").fill(CHOSEN)
    page.get_by_role("button", name="Set password").click()
    expect(page.get_by_text("Your password is set. Log in with it.")).to_be_visible()
    page.get_by_label("Username").fill("carla")
    page.get_by_label("Password").fill(CHOSEN)
    page.get_by_role("button", name="Log in").click()
    expect(page.get_by_role("heading", name="Home")).to_be_visible()

    Client(headers={"User-Agent": "Firefox on Windows"}).post("/login/", {"username": "carla", "password": CHOSEN})
    page.goto("/profile/")
    assert find_violations(page) == []
    page.get_by_role("row", name="Firefox on Windows").get_by_role("button", name="End").click()
    expect(page.get_by_text("The session was ended.")).to_be_visible()
    expect(page.get_by_text("Firefox on Windows")).to_be_hidden()
    assert UserSession.objects.filter(user=user).count() == 1
