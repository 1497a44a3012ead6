"""User exceptions in the admin: columns in the prescribed order, filters, and no way to create them."""

from __future__ import annotations

import html
import uuid
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from activities.models import Activity
from connections.choices import IntegrationKind
from ctms.configuration.services import change_layouts
from ctms.configuration.steps import apply_step, get_step
from ctms.core.choices import RecordStatus
from ctms.core.clock import get_now
from ctms.records.addresses import get_record_url
from exceptions_log.choices import ErrorType
from exceptions_log.dismissals import dismiss_items
from exceptions_log.models import ExceptionItem, ExceptionMessage
from exceptions_log.remedies import describe_remedy
from tests.admin_forms import log_in_admin
from tests.admin_rows import create_exception_item, create_exception_message, get_integration
from tests.clocks import stay_at_noon
from tests.factories.accounts import SecurityProfileFactory, UserFactory
from tests.factories.base import build_admin_actor

pytestmark = pytest.mark.django_db

MESSAGES = "/admin/exceptions_log/exceptionmessage/"
ITEMS = "/admin/exceptions_log/exceptionitem/"


def apply_layout_step() -> None:
    apply_step(step=get_step("user_exception_layout"), actor=build_admin_actor())


def configure_items(**changes: Any) -> None:
    """Change the section of items that the step added, as the layout editor does."""
    apply_layout_step()
    change_layouts(
        object_name="exception_message__sys",
        change=lambda sections: (*sections[:-1], replace(sections[-1], **changes)),
        actor=build_admin_actor(),
    )


def read_columns(page: Any) -> list[str]:
    [items] = page.context["inline_admin_formsets"]
    return [str(field["label"]).lower() for field in items.fields()]


def list_names(client: Client, query: str = "") -> list[str]:
    return sorted(item.name for item in client.get(f"{ITEMS}{query}").context["cl"].result_list)


def test_a_message_shows_its_items_with_the_prescribed_columns(client: Client) -> None:
    log_in_admin(client)
    apply_layout_step()
    message = create_exception_message()
    page = client.get(f"{MESSAGES}{message.pk}/change/")
    assert read_columns(page) == [
        "exception item name",
        "error type",
        "error message",
        "item",
        "item data",
    ]
    assert not page.context["inline_admin_formsets"][0].has_add_permission


def test_until_the_layout_has_the_section_a_message_says_where_its_items_are_and_where_the_section_is_added(
    client: Client,
) -> None:
    log_in_admin(client)
    message = create_exception_message()
    page = client.get(f"{MESSAGES}{message.pk}/change/")
    assert page.context["inline_admin_formsets"] == []
    text = page.content.decode().replace("&amp;", "&")
    assert "has no section of User Exception Items" in text
    assert f"{ITEMS}?message__id__exact={message.pk}&shown=all" in text
    assert list_names(client, f"?message__id__exact={message.pk}&shown=all") == [message.items.get().name]


def test_a_message_shows_the_columns_of_the_layout_in_its_order_under_its_title(client: Client) -> None:
    log_in_admin(client)
    configure_items(
        title="What failed", items=("error_message__sys", "attempts__sys", "name__v"), prevent_creation=False
    )
    page = client.get(f"{MESSAGES}{create_exception_message().pk}/change/")
    assert read_columns(page) == ["error message", "attempts", "exception item name"]
    assert "What failed" in page.content.decode()
    assert not page.context["inline_admin_formsets"][0].has_add_permission


def test_a_message_shows_the_fields_of_the_layout(client: Client) -> None:
    log_in_admin(client)
    change_layouts(
        object_name="exception_message__sys",
        change=lambda sections: (replace(sections[0], title="In short", items=("name__v", "status__v")),),
        actor=build_admin_actor(),
    )
    page = client.get(f"{MESSAGES}{create_exception_message().pk}/change/")
    shown = [(fieldset.name, list(fieldset.fields)) for fieldset in page.context["adminform"]]
    assert shown == [("In short", ["name", "show_status"]), ("Run", ["show_items", "show_run"])]


def test_a_page_of_a_message_asks_as_many_queries_for_five_items_as_for_one(client: Client) -> None:
    log_in_admin(client)
    apply_layout_step()
    message = create_exception_message()
    url = f"{MESSAGES}{message.pk}/change/"
    client.get(url)
    with CaptureQueriesContext(connection) as for_one:
        client.get(url)
    for _ in range(4):
        create_exception_item(message=message)
    with CaptureQueriesContext(connection) as for_five:
        client.get(url)
    assert len(for_five) == len(for_one)


def test_a_message_of_an_earlier_run_says_what_became_of_its_items(client: Client) -> None:
    log_in_admin(client)
    message = create_exception_message(status=RecordStatus.INACTIVE, failed_count=3000)
    create_exception_item(message=message, resolved_at=None, dismissed_at=get_now(), dismissal_reason="Known")
    text = client.get(f"{MESSAGES}{message.pk}/change/").content.decode()
    assert "3,000 failed, 1 dismissed, 1 resolved, 2,998 failed again and are in a later message" in text


def create_problem(count: int, cause: str, **values: Any) -> ExceptionItem:
    """Create items with equal causes in one message, and return the first."""
    message = create_exception_message()
    message.items.update(cause=cause, **values)
    for _ in range(count - 1):
        create_exception_item(message=message, cause=cause, **values)
    first = message.items.order_by("pk").first()
    assert first is not None
    return first


def test_equal_causes_are_listed_as_one_problem_with_its_count_above_the_items(client: Client) -> None:
    log_in_admin(client)
    first = create_problem(3, "No account has the NPI.")
    create_problem(2, "No account has the NPI.")  # of another integration
    create_named("other", cause="Too long.")

    page = client.get(ITEMS)

    problems = page.context["cl"].problems
    assert [(row.cause, row.count) for row in problems.rows] == [
        ("No account has the NPI.", 3),
        ("No account has the NPI.", 2),
        ("Too long.", 1),
    ]
    integration = get_integration(first.message)
    assert problems.rows[0].scope == f"{integration.connection}: {integration.name}"
    assert f'href="?problem={first.pk}"' in page.content.decode()
    listed = client.get(f"{ITEMS}?problem={first.pk}").context["cl"]
    assert (listed.result_count, [row.count for row in listed.problems.rows]) == (3, [3])


def test_problems_follow_the_filters_and_are_left_out_where_they_would_repeat_the_list(client: Client) -> None:
    log_in_admin(client)
    create_problem(2, "No account.", error_type=ErrorType.MATCHING)
    create_named("other", cause="Too long.", error_type=ErrorType.REJECTED)
    filtered = client.get(f"{ITEMS}?error_type__exact={ErrorType.REJECTED}")
    assert filtered.context["cl"].problems.rows == []
    assert "vault-problems" not in filtered.content.decode()
    for nonsense in ("x", "0", "999999999"):
        assert client.get(f"{ITEMS}?problem={nonsense}").context["cl"].result_count == 0


def test_an_item_leads_to_the_others_of_its_problem(client: Client) -> None:
    log_in_admin(client)
    item = create_problem(2, "No account has the NPI.")
    text = client.get(f"{ITEMS}{item.pk}/change/").content.decode()
    assert f"{ITEMS}?problem={item.pk}" in text
    assert "All items of this problem" in text


def test_the_list_asks_as_many_queries_for_many_problems_as_for_one(client: Client) -> None:
    log_in_admin(client)
    message = create_problem(2, "No account.").message
    client.get(ITEMS)
    with CaptureQueriesContext(connection) as for_one:
        client.get(ITEMS)
    for number in range(25):
        create_exception_item(message=message, cause=f"Cause {number}")
    with CaptureQueriesContext(connection) as for_many:
        page = client.get(ITEMS)
    assert len(for_many) == len(for_one)
    assert "6 more problems: filter the list to see them." in " ".join(page.content.decode().split())


def test_item_data_are_shown_as_text(client: Client) -> None:
    log_in_admin(client)
    apply_layout_step()
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
    apply_layout_step()
    message = create_exception_message()
    page = client.get(f"{MESSAGES}{message.pk}/change/")
    assert (page.status_code, len(page.context["inline_admin_formsets"])) == (200, 1)


def create_named(name: str, **values: Any) -> ExceptionItem:
    item = create_exception_message().items.get()
    ExceptionItem.objects.filter(pk=item.pk).update(name=name, **values)
    item.refresh_from_db()
    return item


def test_the_list_shows_what_fails_now_and_the_rest_when_asked_for(client: Client) -> None:
    log_in_admin(client)
    create_named("failing")
    create_named("resolved", resolved_at=get_now())
    dismiss_items(keys=[create_named("dismissed").pk], reason="A test person", actor=build_admin_actor())
    create_named("lapsed", dismissed_at=get_now(), dismissal_reason="x", resolved_at=get_now())

    assert list_names(client) == ["failing"]
    assert list_names(client, "?shown=dismissed") == ["dismissed"]
    assert list_names(client, "?shown=resolved") == ["lapsed", "resolved"]
    assert list_names(client, "?shown=all") == ["dismissed", "failing", "lapsed", "resolved"]
    assert list_names(client, "?shown=nonsense") == ["failing"]


def test_items_are_filtered_by_connection_integration_and_error_type(client: Client) -> None:
    log_in_admin(client)
    first = create_named("first", error_type=ErrorType.LIMIT)
    second = create_named("second")
    outbound = get_integration(second.message).connection.integrations.get(kind=IntegrationKind.CALL_OUTBOUND)
    assert get_integration(second.message).kind != outbound.kind
    ExceptionMessage.objects.filter(pk=second.message_id).update(integration=outbound)

    assert list_names(client, f"?message__connection__id__exact={first.message.connection_id}") == ["first"]
    assert list_names(client, f"?message__integration__kind__exact={outbound.kind}") == ["second"]
    assert list_names(client, f"?error_type__exact={ErrorType.LIMIT}") == ["first"]


def test_items_are_filtered_by_age(client: Client) -> None:
    with stay_at_noon():
        log_in_admin(client)
        now = get_now()
        for name, days in (("now", 0), ("days", 3), ("weeks", 20), ("months", 90)):
            create_named(name, last_failed_at=now - timedelta(days=days))

        assert list_names(client, "?age=today") == ["now"]
        assert list_names(client, "?age=week") == ["days", "now"]
        assert list_names(client, "?age=month") == ["days", "now", "weeks"]
        assert list_names(client, "?age=older-week") == ["months", "weeks"]
        assert list_names(client, "?age=older-month") == ["months"]


def test_items_are_found_by_the_uid_the_name_and_the_crm_id_of_their_record(client: Client) -> None:
    log_in_admin(client)
    uid = uuid.uuid4()
    create_named("wanted", record_uid=uid, key=str(uid), crm_id="a0X000000000001AAA", item="activity__v: CA-0815")
    create_named("other")

    for text in (str(uid), "a0X000000000001AAA", "CA-0815", "wanted"):
        assert list_names(client, f"?q={text}") == ["wanted"], text
    assert list_names(client, f"?record_uid__exact={uid}") == ["wanted"]


@pytest.mark.parametrize("error_type", list(ErrorType))
def test_every_error_type_says_what_to_do(client: Client, error_type: ErrorType) -> None:
    log_in_admin(client)
    item = create_named("failing", error_type=error_type)
    remedy = describe_remedy(item)
    assert remedy.endswith("The next run tries the record again by itself; Retry now does not wait for it.")
    assert remedy in html.unescape(client.get(f"{ITEMS}{item.pk}/change/").content.decode())


def test_a_dismissed_item_says_who_dismissed_it_and_why_and_leads_to_the_audit_trail(client: Client) -> None:
    log_in_admin(client)
    item = create_named("failing")
    actor = build_admin_actor()
    dismiss_items(keys=[item.pk], reason="A <test> person", actor=actor)
    text = client.get(f"{ITEMS}{item.pk}/change/").content.decode()
    assert "A &lt;test&gt; person" in text
    assert str(actor.user) in text
    assert f"record_uid__exact={item.uid}" in text
    assert "The record is left alone until it changes." in text
