"""The landing page counts open exception items by type of error."""

from __future__ import annotations

import pytest
from django.test import Client

from ctms.core.choices import RecordStatus
from exceptions_log.choices import ErrorType
from tests.admin_forms import log_in_admin
from tests.admin_rows import create_exception_item, create_exception_message

pytestmark = pytest.mark.django_db


def test_open_items_are_counted_by_error_type_and_lead_to_them(client: Client) -> None:
    log_in_admin(client)
    message = create_exception_message(status=RecordStatus.ACTIVE)  # with an item of its own
    create_exception_item(message=message, error_type=ErrorType.MATCHING)
    create_exception_item(message=message, error_type=ErrorType.MAPPING)
    [panel] = [each for each in client.get("/admin/").context["panels"] if each["title"] == "Open exceptions"]
    rows = panel["content"]["rows"]
    assert [(row["label"], row["count"]) for row in rows] == [("Matching", 2), ("Mapping", 1)]
    found = client.get(rows[0]["url"]).context["cl"].result_list
    assert {item.error_type for item in found} == {ErrorType.MATCHING}


def test_nothing_open_is_said(client: Client) -> None:
    log_in_admin(client)
    assert "Nothing waits to be corrected." in client.get("/admin/").content.decode()
