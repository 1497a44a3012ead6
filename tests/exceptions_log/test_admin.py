"""User exceptions are read in the prescribed order, and nobody creates them."""

from __future__ import annotations

import pytest
from django.test import Client
from django.urls import reverse

from activities.models import Activity
from ctms.records.values import get_record_url
from tests.admin_forms import log_in_admin
from tests.admin_rows import create_exception_item, create_exception_message
from tests.factories.accounts import SecurityProfileFactory, UserFactory

pytestmark = pytest.mark.django_db

MESSAGES = "/admin/exceptions_log/exceptionmessage/"


def test_a_message_shows_its_items_with_the_prescribed_columns(client: Client) -> None:
    log_in_admin(client)
    message = create_exception_message()
    [items] = client.get(f"{MESSAGES}{message.pk}/change/").context["inline_admin_formsets"]
    assert [str(field["label"]).lower() for field in items.fields()] == [
        "exception item name",
        "error type",
        "error message",
        "item",
        "item data",
    ]
    assert not items.has_add_permission


def test_the_draft_of_a_run_at_work_is_not_shown(client: Client) -> None:
    log_in_admin(client)
    draft = create_exception_message(is_draft=True)
    shown = create_exception_message()
    assert [m.pk for m in client.get(MESSAGES).context["cl"].result_list] == [shown.pk]
    assert client.get(f"{MESSAGES}{draft.pk}/change/").status_code == 302
    items = client.get("/admin/exceptions_log/exceptionitem/").context["cl"].result_list
    assert [item.message for item in items] == [shown]


def test_item_data_are_shown_as_text(client: Client) -> None:
    log_in_admin(client)
    message = create_exception_message()
    create_exception_item(message=message, item_data={"Subject_vod__c": "<b>bold</b>"})
    assert "&lt;b&gt;bold&lt;/b&gt;" in client.get(f"{MESSAGES}{message.pk}/change/").content.decode()


def test_an_item_leads_to_its_record_and_tells_when_that_is_gone(client: Client) -> None:
    log_in_admin(client)
    item = create_exception_item()
    url = reverse("admin:exceptions_log_exceptionitem_change", args=(item.pk,))
    record = Activity.objects.get(uid=str(item.record_uid))
    assert f'href="{get_record_url(record)}"' in client.get(url).content.decode().replace("'", '"')
    client.post(f"{get_record_url(record)}delete/", {"expected_version": record.version})
    assert not Activity.objects.filter(pk=record.pk).exists()
    assert "Deleted in the Vault" in client.get(url).content.decode()


@pytest.mark.parametrize("page", ["add/", "1/delete/"])
def test_nobody_creates_or_deletes_messages(client: Client, page: str) -> None:
    log_in_admin(client)
    assert client.get(f"{MESSAGES}{page}").status_code == 403


def test_read_permission_of_both_objects_opens_the_message_with_its_items(client: Client) -> None:
    permissions = ["exception_message__sys:read", "exception_item__sys:read"]
    client.force_login(
        UserFactory.create(is_staff=True, security_profile=SecurityProfileFactory.create(permissions=permissions))
    )
    message = create_exception_message()
    page = client.get(f"{MESSAGES}{message.pk}/change/")
    assert (page.status_code, len(page.context["inline_admin_formsets"])) == (200, 1)
