"""Panels of the landing page: connections with their health, and the last transfers as bars."""

from __future__ import annotations

import uuid
from types import SimpleNamespace
from typing import Any

import pytest
from django.test import Client

from connections.choices import IntegrationKind
from crm_sync.contributions.console import build_bars
from crm_sync.models import TransferLink
from ctms.jobs.choices import RunState
from tests.admin_forms import log_in_admin
from tests.factories.accounts import SecurityProfileFactory, UserFactory
from tests.factories.connections import ConnectionFactory

pytestmark = pytest.mark.django_db


def make_run(*, transferred: int | None, failed: int | None) -> Any:
    return SimpleNamespace(
        transferred=transferred,
        failed=failed,
        unit_label="NA",
        slot=None,
        get_state_display=lambda: RunState.SUCCEEDED.label,
    )


def test_the_longest_bar_takes_the_whole_height_and_a_single_failure_is_seen() -> None:
    first, second, third = build_bars(
        [
            make_run(transferred=9999, failed=1),
            make_run(transferred=0, failed=0),
            make_run(transferred=None, failed=None),
        ]
    )
    assert first.failed_height == 2
    assert first.transferred_height + first.failed_height == 96
    assert (first.failed_y, first.transferred_y) == (0, 2)
    assert (second.transferred_height, second.failed_height, third.transferred_height) == (0, 0, 0)
    assert [bar.x for bar in (first, second, third)] == [0, 20, 40]


def test_the_landing_page_names_each_connection_and_how_it_fares(client: Client) -> None:
    log_in_admin(client)
    connection = ConnectionFactory.create(name="North America")
    page = client.get("/admin/").content.decode()
    assert f'href="/admin/connections/connection/{connection.pk}/">North America</a>' in page
    assert "Unfinished" in page


def test_panels_are_shown_to_whom_their_pages_are_open(client: Client) -> None:
    profile = SecurityProfileFactory.create(permissions=["exception_item__sys:read"])
    client.force_login(UserFactory.create(is_staff=True, security_profile=profile))
    assert [panel["title"] for panel in client.get("/admin/").context["panels"]] == ["Open exceptions"]


@pytest.mark.parametrize("search", ["{uid}", " {uid} ", "{uid.hex}", "a0X000000000001"])
def test_links_are_found_by_uid_or_crm_id(client: Client, search: str) -> None:
    log_in_admin(client)
    integration = ConnectionFactory.create().integrations.get(kind=IntegrationKind.CALL_OUTBOUND)
    links = [
        TransferLink.objects.create(integration=integration, record_uid=uuid.uuid4(), crm_id=f"a0X00000000000{number}")
        for number in (1, 2)
    ]
    text = search.format(uid=links[0].record_uid)
    page = client.get("/admin/crm_sync/transferlink/", {"q": text})
    assert list(page.context["cl"].result_list) == [links[0]]
    address = f"/records/crm_activity__v/{links[0].record_uid}/"
    assert f'href="{address}"' in page.content.decode()
