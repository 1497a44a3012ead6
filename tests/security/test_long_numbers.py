"""A number of thousands of digits, which Python does not read, and no database stores, is no fault of the Vault.

So is JSON that is nested deeper than Python reads.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client

from connections.choices import IntegrationKind
from connections.models import Connection, IntegrationRule
from crm_sync.models import Reconciliation
from ctms.configuration.models import PageLayout
from ctms.core.clock import get_now
from ctms.core.text.whole_numbers import read_whole_number
from tests.admin_forms import log_in_admin
from tests.admin_rows import create_exception_item, create_job_run
from tests.factories.clinical import InvestigatorFactory
from tests.factories.connections import ConnectionFactory, IdentifierMappingFactory

LONG = "9" * 5000  # more digits than Python reads
DEEP = "[" * 5000


@pytest.mark.parametrize(
    ("text", "number"),
    [("12", 12), ("0", 0), ("٣", 3), ("9" * 18, 10**18 - 1), ("9" * 19, None), (LONG, None), ("", None), ("-1", None)],
)
def test_whole_numbers_are_read_as_far_as_databases_store_them(text: str, number: int | None) -> None:
    assert read_whole_number(text) == number


def change_rule(client: Client, connection: Connection) -> Any:
    url = f"/admin/connections/integrationrule/{get_rule(connection).pk}"
    return client.post(f"{url}/switch/", {"what": "rule", "status": "inactive__v", "read_version": LONG})


def filter_rule(client: Client, connection: Connection) -> Any:
    url = f"/admin/connections/integrationrule/{get_rule(connection).pk}"
    return client.post(f"{url}/filter/", {"read_version": LONG})


def check_rule(client: Client, connection: Connection) -> Any:
    url = f"/admin/connections/integrationrule/{get_rule(connection).pk}"
    return client.get(f"{url}/check/", {"field_rule": LONG})


def check_nested_rule(client: Client, connection: Connection) -> Any:
    url = f"/admin/connections/integrationrule/{get_rule(connection).pk}"
    return client.get(f"{url}/check/", {"picklist_map": DEEP})


def see_changes(client: Client, connection: Connection) -> Any:
    url = f"/admin/connections/connection/{connection.pk}/crm-description/"
    return client.post(url, {"do": "seen", "up_to": LONG})


def repair(client: Client, connection: Connection) -> Any:
    Reconciliation.objects.create(
        connection=connection, run=create_job_run(), started_at=get_now(), finished_at=get_now(), counts={}
    )
    url = f"/admin/connections/connection/{connection.pk}/reconciliation/"
    return client.post(url, {"do": "repair", "difference": LONG})


def match_person(client: Client, connection: Connection) -> Any:
    url = f"/admin/connections/connection/{connection.pk}/unmatched/persons/{InvestigatorFactory.create().uid}/"
    return client.post(url, {"identifier": "", "version": LONG})


def overwrite_layout(client: Client, connection: Connection) -> Any:
    del connection
    layout = PageLayout.objects.all()[0]
    form = {"name": layout.name, "layout": "[]", "read_version": 999, "_overwrite": LONG}
    return client.post(f"/admin/configuration/pagelayout/{layout.pk}/change/", {**form, "_save": "Save"})


def open_field(client: Client, connection: Connection) -> Any:
    del connection
    return client.get(f"/admin/configuration/customfield/{LONG}/change/", follow=True)


def filter_items(client: Client, connection: Connection) -> Any:
    del connection
    create_exception_item()
    return client.get("/admin/exceptions_log/exceptionitem/", {"problem": LONG})


@pytest.mark.django_db
@pytest.mark.parametrize(
    "ask",
    [
        change_rule,
        filter_rule,
        check_rule,
        check_nested_rule,
        see_changes,
        repair,
        match_person,
        overwrite_layout,
        open_field,
        filter_items,
    ],
)
def test_the_console_takes_no_harm(client: Client, ask: Callable[[Client, Connection], Any]) -> None:
    log_in_admin(client)
    connection = ConnectionFactory.create()
    IdentifierMappingFactory.create(connection=connection)
    before = list_versions()
    assert ask(client, connection).status_code in (200, 302, 404)
    assert list_versions().items() >= before.items()


def list_versions() -> dict[Any, int]:
    """Return the versions of what the requests are about, by uid."""
    models = (IntegrationRule, PageLayout, Connection)
    return {uid: version for model in models for uid, version in model.objects.values_list("uid", "version")}


def get_rule(connection: Connection) -> IntegrationRule:
    return IntegrationRule.objects.get(
        integration__connection=connection, integration__kind=IntegrationKind.CALL_OUTBOUND
    )
