"""Retry now and Dismiss, for one item, several items and a message, and the permissions for them."""

from __future__ import annotations

from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from connections.permissions import MANAGE_CONNECTIONS, MANAGE_INTEGRATIONS
from crm_sync.jobs import TRANSFER_JOB_KEY
from ctms.accounts.policies import list_visible
from ctms.audit.models import AuditEntry
from ctms.audit.services import save_record
from ctms.core.choices import RecordStatus
from ctms.core.clock import get_now
from ctms.jobs.choices import RunState, RunTrigger
from ctms.jobs.models import JobRun
from exceptions_log.choices import ErrorType
from exceptions_log.dismissals import dismiss_problem
from exceptions_log.models import ExceptionItem
from exceptions_log.selectors import list_dismissed_items, list_open_items
from tests.admin_forms import list_messages, log_in_admin
from tests.admin_rows import create_exception_item, create_exception_message, get_integration
from tests.factories.accounts import SecurityProfileFactory, UserFactory
from tests.factories.activities import ActivityFactory
from tests.factories.base import build_admin_actor
from tests.factories.clinical import StudyAssignmentFactory, StudyFactory

pytestmark = pytest.mark.django_db

MESSAGES = "/admin/exceptions_log/exceptionmessage/"
ITEMS = "/admin/exceptions_log/exceptionitem/"
READ = ["exception_message__sys:read", "exception_item__sys:read"]


def log_in(client: Client, *permissions: str) -> None:
    profile = SecurityProfileFactory.create(permissions=[*READ, *permissions], sees_all_studies=True)
    client.force_login(UserFactory.create(is_staff=True, security_profile=profile))


def create_item(**values: Any) -> ExceptionItem:
    item = create_exception_message().items.get()
    ExceptionItem.objects.filter(pk=item.pk).update(**values)
    item.refresh_from_db()
    return item


def list_started() -> list[tuple[str, str, str]]:
    runs = JobRun.objects.filter(definition__key=TRANSFER_JOB_KEY).order_by("unit_label")
    return [(run.unit_label, run.state, run.trigger) for run in runs]


def list_offered(client: Client, url: str) -> list[str]:
    return [entry["title"] for entry in client.get(url).context["actions_detail"]]


def post_list_action(client: Client, action: str, *items: ExceptionItem, query: str = "", **typed: str) -> Any:
    return client.post(
        f"{ITEMS}{query}", {"action": action, "_selected_action": [item.pk for item in items], **typed}, follow=True
    )


# -- Retry now ------------------------------------------------------------------------------------
def test_retry_now_asks_first_and_then_starts_a_transfer_of_the_items_connection_alone(client: Client) -> None:
    log_in_admin(client)
    item, _ = create_item(), create_item()
    url = f"{ITEMS}{item.pk}/retry-now/"

    assert "This starts one of" in client.get(url).content.decode()
    assert list_started() == []

    page = client.post(url, follow=True)

    connection = get_integration(item.message).connection
    run = JobRun.objects.get(definition__key=TRANSFER_JOB_KEY)
    assert list_started() == [(connection.name, RunState.QUEUED, RunTrigger.START_NOW)]
    assert list_messages(page) == [
        (
            f"A transfer of {connection} was started; see "
            f"<a class='vault-link' href='/admin/jobs/jobrun/{run.pk}/change/'>Job Status</a>."
        )
    ]


def test_retry_now_says_why_nothing_was_started(client: Client) -> None:
    log_in_admin(client)
    item = create_item()
    client.post(f"{ITEMS}{item.pk}/retry-now/", follow=True)
    connection = get_integration(item.message).connection

    assert list_messages(client.post(f"{ITEMS}{item.pk}/retry-now/", follow=True)) == [
        (
            f"CRM/Clinical Operations Transfer for {connection} is scheduled or running already; see Job Status. "
            "What failed is taken up by that run, or by the one after it."
        )
    ]

    connection.status = RecordStatus.INACTIVE
    save_record(record=connection, actor=build_admin_actor())
    assert list_messages(client.post(f"{ITEMS}{item.pk}/retry-now/", follow=True)) == [
        f"{connection} is Inactive, so no transfer was started. Make it Active under Connections."
    ]


def test_retry_now_tells_that_an_inactive_integration_transfers_nothing(client: Client) -> None:
    log_in_admin(client)
    item = create_item()
    integration = get_integration(item.message)
    integration.status = RecordStatus.INACTIVE
    save_record(record=integration, actor=build_admin_actor())

    page = client.post(f"{ITEMS}{item.pk}/retry-now/", follow=True)

    assert list_messages(page)[1:] == [f"{integration.name} is Inactive: its records wait until it is Active."]


def test_several_items_start_one_transfer_of_each_connection(client: Client) -> None:
    log_in_admin(client)
    first, second = create_item(), create_item()
    third = create_exception_item(message=first.message)

    page = post_list_action(client, "retry_selected", first, second, third)

    labels = sorted(str(item.message.connection) for item in (first, second))
    assert [label for label, _, _ in list_started()] == labels
    assert len(list_messages(page)) == 2


def test_items_that_were_resolved_start_nothing(client: Client) -> None:
    log_in_admin(client)
    item = create_exception_message(status=RecordStatus.INACTIVE).items.get()

    page = post_list_action(client, "retry_selected", item, query="?shown=all")

    assert list_messages(page)[0].startswith("Nothing was started: these items were resolved by later runs.")
    assert list_started() == []
    assert list_offered(client, f"{ITEMS}{item.pk}/change/") == []


def test_a_message_is_retried_as_a_whole(client: Client) -> None:
    log_in_admin(client)
    message = create_exception_message()
    create_exception_item(message=message)
    url = f"{MESSAGES}{message.pk}/retry-all/"

    assert list_offered(client, f"{MESSAGES}{message.pk}/change/") == ["Retry all now"]
    assert client.get(url).status_code == 200
    assert client.post(url).status_code == 302

    assert [label for label, _, _ in list_started()] == [get_integration(message).connection.name]
    message.items.update(resolved_at=get_now())
    assert list_offered(client, f"{MESSAGES}{message.pk}/change/") == []


# -- Dismiss --------------------------------------------------------------------------------------
def test_an_item_is_dismissed_with_a_reason_and_not_without(client: Client) -> None:
    user = log_in_admin(client)
    item = create_item()
    url = f"{ITEMS}{item.pk}/dismiss/"

    refused = client.post(url, {"reason": "   "})
    assert refused.context["form"].errors == {"reason": ["Reason: say why this needs no correction."]}
    assert list_dismissed_items().count() == 0

    page = client.post(url, {"reason": "A test person"}, follow=True)

    item.refresh_from_db()
    assert (item.is_dismissed, item.dismissed_by, item.dismissal_reason) == (True, user, "A test person")
    assert list_messages(page) == [f"{item} was dismissed."]
    assert AuditEntry.objects.get(record_uid=item.uid).reason == "A test person"
    assert list_offered(client, f"{ITEMS}{item.pk}/change/") == ["Retry now"]


@pytest.mark.parametrize("page", ["dismiss", "retry-now"])
def test_the_question_names_the_item_that_it_is_about(client: Client, page: str) -> None:
    log_in_admin(client)
    item = create_exception_item()
    way = client.get(f"/admin/exceptions_log/exceptionitem/{item.pk}/{page}/").content.decode()
    assert f'href="/admin/exceptions_log/exceptionitem/{item.pk}/change/"' in way.replace("\n", "")
    assert item.name in way


def test_a_reason_that_is_too_long_is_kept_in_the_form(client: Client) -> None:
    log_in_admin(client)
    item = create_item()
    refused = client.post(f"{ITEMS}{item.pk}/dismiss/", {"reason": "x" * 501})
    assert "at most 500 characters" in str(refused.context["form"].errors)
    assert "x" * 501 in refused.content.decode()


def test_several_items_are_dismissed_with_one_reason(client: Client) -> None:
    log_in_admin(client)
    items = [create_item(), create_item()]
    asked = post_list_action(client, "dismiss_selected", *items)
    assert (asked.status_code, asked.context["title"]) == (200, "Dismiss 2 items")
    assert list_dismissed_items().count() == 0

    values = {name: field.value() for name, field in ((f.name, f) for f in asked.context["form"])}
    assert sorted(values) == ["_selected_action", "action", "reason"]
    page = post_list_action(client, values["action"], *items, reason="Test persons")

    assert list_messages(page) == ["2 items were dismissed."]
    assert {item.dismissal_reason for item in list_dismissed_items()} == {"Test persons"}


def test_of_several_items_none_is_dismissed_if_one_cannot_be(client: Client) -> None:
    log_in_admin(client)
    record = create_item()
    whole = create_item(key="integration:call_inbound", error_type=ErrorType.CONFIGURATION, name="NA: CRM Call Inbound")

    page = post_list_action(client, "dismiss_selected", record, whole, reason="No matter")

    assert page.context["form"].non_field_errors() == [
        (
            "Nothing was dismissed. NA: CRM Call Inbound concerns a whole integration: nothing is transferred while it "
            "lasts, so it cannot be dismissed. Correct what its error message names, or make the integration Inactive."
        )
    ]
    assert list_dismissed_items().count() == 0
    assert list_offered(client, f"{ITEMS}{whole.pk}/change/") == ["Retry now"]


def test_retry_now_takes_a_dismissal_back(client: Client) -> None:
    log_in_admin(client)
    item = create_item()
    client.post(f"{ITEMS}{item.pk}/dismiss/", {"reason": "A test person"})
    assert "Its dismissal is taken back." in client.get(f"{ITEMS}{item.pk}/retry-now/").content.decode()

    client.post(f"{ITEMS}{item.pk}/retry-now/")

    item.refresh_from_db()
    assert (item.is_dismissed, item.message.status) == (False, RecordStatus.ACTIVE)
    assert len(list_started()) == 1


# -- All of one problem ---------------------------------------------------------------------------
def create_problem() -> list[ExceptionItem]:
    """Create three items with the same cause."""
    first = create_item(cause="No account.")
    return [first, *(create_exception_item(message=first.message, cause="No account.") for _ in range(2))]


def test_all_items_of_a_problem_are_dismissed_with_one_reason(client: Client) -> None:
    log_in_admin(client)
    items = create_problem()
    other = create_exception_item(message=items[0].message, cause="Too long.")
    elsewhere = create_item(cause="No account.")
    url = f"{ITEMS}{items[0].pk}/dismiss-problem/"
    assert url in client.get(ITEMS).content.decode()

    assert client.get(url).context["title"] == "Dismiss 3 items"
    assert client.post(url, {"reason": " "}).context["form"].errors
    page = client.post(url, {"reason": "Test persons"}, follow=True)

    assert list_messages(page) == ["3 items were dismissed."]
    assert set(list_dismissed_items()) == set(items)
    assert {entry.record_uid for entry in AuditEntry.objects.filter(reason="Test persons")} == {
        item.uid for item in items
    }
    assert set(list_open_items()) == {other, elsewhere}
    refused = client.post(url, {"reason": "Again"}).context["form"].non_field_errors()
    assert refused == ["Nothing of this problem is open any more, so there is nothing to dismiss."]


def test_a_problem_of_a_whole_integration_is_not_dismissed(client: Client) -> None:
    log_in_admin(client)
    whole = create_item(key="integration:call_inbound", cause="No log-in.", name="NA: CRM Call Inbound")
    page = client.get(f"{ITEMS}?problem={whole.pk}").content.decode()
    assert f"{ITEMS}{whole.pk}/retry-problem/" in page
    assert f"{ITEMS}{whole.pk}/dismiss-problem/" not in page
    client.post(f"{ITEMS}{whole.pk}/dismiss-problem/", {"reason": "No matter"})
    assert list_dismissed_items().count() == 0


def test_a_problem_is_retried_by_one_transfer(client: Client) -> None:
    log_in_admin(client)
    items = create_problem()
    url = f"{ITEMS}{items[1].pk}/retry-problem/"
    asked = client.get(url)
    assert asked.context["title"] == "Retry 3 items now"
    assert "“No account.” What fails is taken up by every run." in asked.content.decode()
    assert client.post(url).status_code == 302
    assert [label for label, _, _ in list_started()] == [str(items[0].message.connection)]


def test_of_a_problem_only_what_the_user_sees_is_dismissed(client: Client) -> None:
    """A dismissed record is transferred no more: nobody does that to records of studies that they do not see."""
    hidden, record = create_problem(), ActivityFactory.create(study=StudyFactory.create())
    seen = create_exception_item(
        message=hidden[0].message, cause="No account.", key=str(record.uid), record_uid=record.uid
    )
    foreign = StudyFactory.create()
    for item in hidden:
        ExceptionItem.objects.filter(pk=item.pk).update(record_uid=ActivityFactory.create(study=foreign).uid)
    permissions = [*READ, MANAGE_INTEGRATIONS, "crm_activity__v:read"]
    profile = SecurityProfileFactory.create(permissions=permissions, sees_all_studies=False)
    user = UserFactory.create(is_staff=True, security_profile=profile)
    StudyAssignmentFactory.create(user=user, study=record.study)
    client.force_login(user)
    assert list_visible(ExceptionItem.objects.all(), user).get() == seen

    url = f"{ITEMS}{seen.pk}/dismiss-problem/"
    assert client.get(url).context["title"] == "Dismiss 1 item"
    assert client.get(f"{ITEMS}{seen.pk}/retry-problem/").context["title"] == "Retry 1 item now"
    assert "All 4 items" not in client.get(f"{ITEMS}{seen.pk}/change/").content.decode()
    assert list_messages(client.post(url, {"reason": "Test persons"}, follow=True)) == ["1 item was dismissed."]

    assert set(list_dismissed_items()) == {seen}
    assert set(list_open_items()) == set(hidden)


def test_dismissing_a_problem_takes_as_many_statements_for_many_items_as_for_few(client: Client) -> None:
    def count(items: int) -> int:
        first = create_item(cause="No account.")
        for _ in range(items - 1):
            create_exception_item(message=first.message, cause="No account.")
        with CaptureQueriesContext(connection) as queries:
            dismiss_problem(item=first, reason="Known", actor=build_admin_actor())
        return len(queries)

    assert count(40) == count(2)


# -- Who may --------------------------------------------------------------------------------------
@pytest.mark.parametrize("permission", [MANAGE_INTEGRATIONS, MANAGE_CONNECTIONS])
def test_who_manages_integrations_may_do_both(client: Client, permission: str) -> None:
    log_in(client, permission)
    item = create_item()
    assert list_offered(client, f"{ITEMS}{item.pk}/change/") == ["Retry now", "Dismiss"]
    assert list_offered(client, f"{MESSAGES}{item.message_id}/change/") == ["Retry all now"]
    assert client.post(f"{ITEMS}{item.pk}/retry-now/").status_code == 302
    assert client.post(f"{ITEMS}{item.pk}/dismiss/", {"reason": "A test person"}).status_code == 302
    assert (len(list_started()), list_dismissed_items().count()) == (1, 1)


@pytest.mark.parametrize("permissions", [[], ["admin:jobs"]])
def test_reading_shows_the_items_and_does_nothing_to_them(client: Client, permissions: list[str]) -> None:
    log_in(client, *permissions)
    item = create_item()
    assert list_offered(client, f"{ITEMS}{item.pk}/change/") == []
    assert list_offered(client, f"{MESSAGES}{item.message_id}/change/") == []
    assert "_selected_action" not in client.get(ITEMS).content.decode()
    for url in (
        f"{ITEMS}{item.pk}/retry-now/",
        f"{ITEMS}{item.pk}/dismiss/",
        f"{ITEMS}{item.pk}/retry-problem/",
        f"{ITEMS}{item.pk}/dismiss-problem/",
        f"{MESSAGES}{item.message_id}/retry-all/",
    ):
        assert client.get(url).status_code == 403
        assert client.post(url, {"reason": "A test person"}).status_code == 403
    for action in ("retry_selected", "dismiss_selected"):
        post_list_action(client, action, item, reason="A test person")
    assert (list_started(), list_dismissed_items().count()) == ([], 0)


def test_managing_integrations_without_reading_the_items_is_not_enough(client: Client) -> None:
    profile = SecurityProfileFactory.create(permissions=[MANAGE_INTEGRATIONS], sees_all_studies=True)
    client.force_login(UserFactory.create(is_staff=True, security_profile=profile))
    item = create_item()
    for url in (ITEMS, f"{ITEMS}{item.pk}/retry-now/", f"{ITEMS}{item.pk}/dismiss/"):
        assert client.post(url, {"reason": "A test person"}).status_code == 403
    assert (list_started(), list_dismissed_items().count()) == ([], 0)
