"""The home page of admins has a panel with the setup and the connections, which is loaded after the page."""

from __future__ import annotations

from typing import Any

import pytest
from django.db import connection as database
from django.test import Client
from django.test.utils import CaptureQueriesContext

from ctms.accounts.models import User
from tests.admin_rows import create_exception_message
from tests.factories.accounts import SecurityProfileFactory, UserFactory
from tests.factories.connections import ConnectionFactory

pytestmark = pytest.mark.django_db

PANEL = "/home/administration/"


def log_in(client: Client, *permissions: str, is_staff: bool = True) -> User:
    profile = SecurityProfileFactory.create(permissions=list(permissions))
    user = UserFactory.create(is_staff=is_staff, security_profile=profile)
    client.force_login(user)
    return user


def read(client: Client) -> dict[str, Any]:
    content: dict[str, Any] = client.get(PANEL).context["panel"]["content"]
    return content


def test_the_next_steps_and_each_connection_are_told(client: Client) -> None:
    client.force_login(UserFactory.create(is_superuser=True, is_staff=True))
    ConnectionFactory.create(name="North America")
    content = read(client)
    assert (content["done"] < content["due"], len(content["steps"])) == (True, 3)
    page = client.get(PANEL).content.decode()
    assert ("North America" in page, "Unfinished" in page, f'#{content["steps"][0].step.key}"' in page) == (True,) * 3


def test_open_exceptions_lead_to_their_list(client: Client) -> None:
    client.force_login(UserFactory.create(is_superuser=True, is_staff=True))
    message = create_exception_message()
    url = f"/admin/exceptions_log/exceptionitem/?message__connection__id__exact={message.connection_id}"
    assert url in client.get(PANEL).content.decode()
    assert client.get(url).context["cl"].result_count == 1


def test_the_home_page_of_admins_alone_has_it(client: Client) -> None:
    log_in(client, "connection__sys:read", is_staff=False)
    assert (PANEL in client.get("/").content.decode(), client.get(PANEL).status_code) == (False, 404)
    log_in(client, "study__v:read")
    assert (PANEL in client.get("/").content.decode(), client.get(PANEL).status_code) == (False, 404)
    log_in(client, "connection__sys:read")
    assert (PANEL in client.get("/").content.decode(), read(client)["due"]) == (True, 0)
    log_in(client, "admin:configuration")
    ConnectionFactory.create()
    content = read(client)
    assert (content["due"] > 0, content["connections"]) == (True, [])


def test_it_takes_as_many_statements_for_three_connections_as_for_one(client: Client) -> None:
    client.force_login(UserFactory.create(is_superuser=True, is_staff=True))
    counts = []
    for number in (1, 2):
        ConnectionFactory.create_batch(number)
        client.get(PANEL)
        with CaptureQueriesContext(database) as queries:
            client.get(PANEL)
        counts.append(len(queries))
    assert counts[0] == counts[1]
