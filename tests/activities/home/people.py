"""What the tests of the home page begin with: users with their rights, and what a page has to show them."""

from __future__ import annotations

import datetime as dt
from typing import Any

from django.test import Client

from ctms.accounts.models import User
from ctms.audit.actors import Actor
from tests.factories.accounts import SecurityProfileFactory, UserFactory
from tests.factories.activities import ActivityFactory

TODAY = dt.date(2026, 3, 4)  # a Wednesday
READ_ACTIVITIES = ["crm_activity__v:read"]
READ = [
    f"{name}:read"
    for name in (
        "crm_activity__v",
        "site__v",
        "study__v",
        "person__sys",
        "monitoring_event__ctms",
        "study_person__clin",
    )
]
WRITE = [*READ, "crm_activity__v:edit"]


def create_user(permissions: list[str], **values: Any) -> User:
    """Create a user whose profile holds these permissions."""
    profile = SecurityProfileFactory.create(permissions=permissions)
    return UserFactory.create(security_profile=profile, **values)


def log_activity(user: User, day: int, **values: Any) -> Any:
    """Create an activity that the user logs, on a day of March 2026."""
    actor = Actor(user=user, source="page")
    return ActivityFactory.create(date=dt.date(2026, 3, day), **{"subject": str(day)} | values, actor=actor)


def open_home(user: User, query: str = "") -> Any:
    """Return the home page as the user gets it."""
    client = Client()
    client.force_login(user)
    return client.get(f"/{query}")


def find_panel(user: User, key: str, query: str = "") -> dict[str, Any] | None:
    """Return the content of a panel of the user's home page; None without it."""
    panels = open_home(user, query).context["panels"]
    return next((each["content"] for each in panels if each["key"] == key), None)


def get_panel(user: User, key: str, query: str = "") -> dict[str, Any]:
    content = find_panel(user, key, query)
    assert content is not None
    return content


def count_opened(client: Client, url: str) -> str:
    """Return how many records the list at the address counts, as it says it, of the study teams or of the console."""
    response = client.get(url, follow=True)
    assert response.status_code == 200, url
    if "cl" in response.context:
        return f"{response.context['cl'].result_count:,}"
    page = response.context["page"]
    assert not page.problems, (url, page.problems)
    return str(page.count_text)
