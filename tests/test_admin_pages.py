"""Every page of the admin, whatever its model: found through the admin site, so that a new model is covered."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import pytest
import time_machine
from django.apps import apps
from django.contrib import admin
from django.db import connection, models
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from unfold.admin import ModelAdmin

from ctms.audit.models import AuditEntry
from ctms.core.clock import get_now
from tests.admin_forms import log_in_admin
from tests.admin_rows import BUILDERS, create_row
from tests.factories.accounts import SecurityProfileFactory, UserFactory

pytestmark = [pytest.mark.django_db, pytest.mark.both_databases]

MODELS = sorted(admin.site._registry, key=lambda model: model._meta.label)
# Their number of rows is fixed, or follows from the other models in steps of its own.
FIXED_NUMBER_OF_ROWS = {
    "audit.AuditEntry",
    "configuration.ApplicationSettings",
    "configuration.ConfiguredObject",
    "configuration.ObjectType",
    "machine.Installation",
}
GROWING = [model for model in MODELS if model._meta.label not in FIXED_NUMBER_OF_ROWS]
EDITED_IN_THE_PAGE_OF_THEIR_PARENT = {
    "configuration.LayoutSection",
    "configuration.ObjectTypeAction",
    "configuration.ObjectTypeField",
    "connections.CrmConnectionIdentifierMapping",
    "crm_sync.Difference",
    "crm_sync.PreviewRow",
    "crm_sync.TransferPreview",
    "reports.ReportShare",
}
# Of the study teams: their pages are those of `ctms.records`.
OF_THE_STUDY_TEAMS = {
    "activities.Activity",
    "activities.ActivityTemplate",
    "clinical.MonitoringEvent",
    "clinical.MonitoringEventParticipant",
    "clinical.Person",
    "clinical.StudyCommunicationContact",
    "clinical.StudyCommunicationLog",
    "clinical.StudyCountry",
    "clinical.StudyPerson",
    "clinical.StudySite",
    "records.BulkOperation",
    "records.Favourite",
    "records.ListPreference",
    "records.MergedRecord",
    "records.OperationProblem",
    "records.RecentView",
    "records.SavedView",
    "reports.Dashboard",
    "reports.DashboardTile",
    "reports.HomeDashboard",
    "reports.ReportUse",
}
WITHOUT_A_PAGE = {
    "connections.ConnectionSchedule",
    "accounts.LastUse",
    "accounts.OidcIdentity",
    "accounts.UserSession",
    "activities.ContactChange",
    "activities.DeclinedActivity",
    "audit.AuditSeal",
    "audit.AuditSealing",
    "configuration.DeliveredField",
    "connections.CallbackSession",  # on the page of its connection
    "configuration.UniqueValue",
    "crm_sync.AlertMail",
    "crm_sync.AlertNotice",
    "crm_sync.AlertSettings",
    "crm_sync.ConnectionAlert",
    "crm_sync.ConnectionStanding",
    "connections.CrmFieldChange",
    "connections.CrmObjectDescription",
    "connections.CrmObjectList",
    "crm_sync.FieldLength",
    "crm_sync.LiveProgress",
    "crm_sync.OrganisationProgress",
    "exceptions_log.Failure",
    "jobs.JobClock",
    "jobs.SignOfLife",
    "jobs.UnitClock",
    "records.KeptAnswer",
    "reports.FlashDelivery",
    "reports.FlashMail",
    "reports.FlashReport",
    "reports.FlashUnsubscription",
    "subscriptions.SubscriptionPlace",
    "subscriptions.SwitchOffNotice",
    "webhooks.Webhook",
    "webhooks.WebhookDelivery",
}
WRITTEN_BY_THE_APPLICATION_ALONE = {
    "accounts.ApiToken",
    "accounts.CalendarFeed",
    "accounts.PageView",
    "accounts.FailedLogIn",
    "accounts.SecondFactor",
    "audit.AuditEntry",
    "connections.IntegrationProgress",
    "crm_sync.AccountMatch",
    "crm_sync.IntegrationRun",
    "crm_sync.Reconciliation",
    "crm_sync.TransferAttempt",
    "crm_sync.TransferLink",
    "exceptions_log.ExceptionItem",
    "exceptions_log.ExceptionMessage",
    "jobs.JobRun",
    "machine.RestoreDrill",
    "reports.DigestMail",
    "jobs.Lease",
}


def name_url(model: type[models.Model], page: str, *args: Any) -> str:
    return reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_{page}", args=args)


def count_queries(client: Client, url: str, *, at: datetime) -> int:
    """Return the number of statements of a page that is opened then: a minute later its use would be noted, too."""
    with time_machine.travel(at, tick=False), CaptureQueriesContext(connection) as queries:
        assert client.get(url).status_code == 200
    return len(queries)


@pytest.fixture(params=MODELS, ids=lambda model: model._meta.label)
def model(request: pytest.FixtureRequest) -> Any:
    return request.param


def test_every_model_of_the_vault_has_its_place_in_the_admin() -> None:
    packages = ("activities", "connections", "crm_sync", "ctms", "exceptions_log")
    own = {m._meta.label for m in apps.get_models() if m.__module__.split(".")[0] in packages}
    registered = {m._meta.label for m in MODELS}
    assert own == registered | EDITED_IN_THE_PAGE_OF_THEIR_PARENT | OF_THE_STUDY_TEAMS | WITHOUT_A_PAGE
    assert registered == set(BUILDERS)


def test_every_admin_is_in_the_theme_without_which_its_inputs_are_invisible(model: Any) -> None:
    assert isinstance(admin.site._registry[model], ModelAdmin)


def test_what_the_application_alone_writes_has_no_form(model: Any, rf: Any, client: Client) -> None:
    request = rf.get("/")
    request.user = log_in_admin(client)
    model_admin = admin.site._registry[model]
    editable = (
        model_admin.has_add_permission(request)
        or model_admin.has_change_permission(request)
        or model_admin.has_delete_permission(request)
    )
    assert editable is (model._meta.label not in WRITTEN_BY_THE_APPLICATION_ALONE)


def test_list_and_record_open_for_an_admin(model: Any, client: Client) -> None:
    log_in_admin(client)
    row = create_row(model)
    assert client.get(name_url(model, "changelist"), follow=True).status_code == 200
    assert client.get(name_url(model, "change", row.pk)).status_code == 200


@pytest.mark.parametrize("model", GROWING, ids=lambda model: model._meta.label)
def test_on_a_phone_only_check_boxes_are_labelled_as_such(model: Any, client: Client) -> None:
    log_in_admin(client)
    create_row(model)
    page = client.get(name_url(model, "changelist"), follow=True).content.decode()
    labelled = page.split('data-label="Select record"')[1:]
    assert all('type="checkbox"' in cell.partition("</td>")[0] for cell in labelled)


@pytest.mark.parametrize("model", GROWING, ids=lambda model: model._meta.label)
def test_a_list_asks_as_many_queries_for_five_rows_as_for_one(model: Any, client: Client) -> None:
    log_in_admin(client)
    now = get_now()
    url = name_url(model, "changelist")
    create_row(model)
    count_queries(client, url, at=now)  # what is cached on first use is cached now
    for_one = count_queries(client, url, at=now)
    for _ in range(4):
        create_row(model)
    assert count_queries(client, url, at=now) == for_one


def test_a_search_finds_nothing_without_failing(model: Any, client: Client) -> None:
    log_in_admin(client)
    if model._meta.label == "configuration.ApplicationSettings":
        create_row(model)
    assert client.get(name_url(model, "changelist"), {"q": "no such thing"}, follow=True).status_code == 200


def test_visitors_are_sent_to_the_log_in_page(model: Any, client: Client) -> None:
    url = name_url(model, "changelist")
    response = client.get(url, follow=True)
    assert response.redirect_chain[-1] == (f"/login/?next={url}", 302)


def test_staff_whose_profile_holds_nothing_is_refused(model: Any, client: Client) -> None:
    client.force_login(UserFactory.create(is_staff=True, security_profile=SecurityProfileFactory.create()))
    row = create_row(model)
    expected = 302 if model._meta.label == "configuration.ApplicationSettings" else 403
    assert client.get(name_url(model, "changelist")).status_code == expected
    assert client.get(name_url(model, "change", row.pk)).status_code in (302, 403)
    if model._meta.label not in WRITTEN_BY_THE_APPLICATION_ALONE:
        assert client.get(name_url(model, "add")).status_code == 403


def test_users_who_are_no_staff_get_no_page_of_the_console(client: Client) -> None:
    client.force_login(
        UserFactory.create(security_profile=SecurityProfileFactory.create(permissions=["study__v:read"]))
    )
    response = client.get(reverse("admin:index"), follow=True)
    assert response.status_code == 403
    assert "does not open the admin console" in response.content.decode()


def test_the_landing_page_shows_a_user_only_what_the_profile_allows(client: Client) -> None:
    profile = SecurityProfileFactory.create(permissions=["study__v:read", "admin:jobs"])
    client.force_login(UserFactory.create(is_staff=True, security_profile=profile))
    groups = client.get(reverse("admin:index")).context["sidebar_navigation"]
    shown = [(group["title"], [item["title"] for item in group["items"]]) for group in groups]
    assert shown == [("Operations", ["Job Definitions", "Job Status"]), ("Settings", ["Studies"])]


def test_the_landing_page_has_the_products_order(client: Client) -> None:
    log_in_admin(client)
    groups = client.get(reverse("admin:index")).context["sidebar_navigation"]
    assert [group["title"] for group in groups] == [
        "Connections",
        "Configuration",
        "Operations",
        "Logs",
        "Settings",
    ]


def test_opening_pages_writes_nothing_to_the_audit_trail(client: Client) -> None:
    log_in_admin(client)
    before = AuditEntry.objects.count()
    for model in MODELS:
        client.get(name_url(model, "changelist"))
    assert AuditEntry.objects.count() == before
