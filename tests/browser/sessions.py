"""A session in the browser without the log-in page, through which tests of its own go."""

from __future__ import annotations

from django.conf import settings
from django.test import Client
from playwright.sync_api import Page

from ctms.accounts.models import User


def enter_as(page: Page, username: str) -> None:
    """Whatever the page opens next, it opens as that user."""
    client = Client()
    client.force_login(User.objects.get(username=username), backend=settings.AUTHENTICATION_BACKENDS[-1])
    session = client.cookies[settings.SESSION_COOKIE_NAME].value
    page.context.add_cookies(
        [{"name": settings.SESSION_COOKIE_NAME, "value": session, "domain": "localhost", "path": "/"}]
    )
