"""The console's pages of report types and reports."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from ctms.reports.models import Report, ReportType
from tests.factories.accounts import SecurityProfileFactory, UserFactory
from tests.factories.reports import ReportFactory, ReportTypeFactory

pytestmark = pytest.mark.django_db

ADDRESS = reverse("admin:reports_reporttype_add")


@pytest.fixture
def admin(client: Client) -> Client:
    client.force_login(UserFactory.create(is_superuser=True, is_staff=True))
    return client


def test_a_type_is_created_as_the_documents_say(admin: Client) -> None:
    form = admin.get(ADDRESS).context["adminform"].form
    assert (form.fields["primary_object"].label, form.fields["related_object"].label) == (
        "Primary Reporting Object",
        "Add Related Object",
    )
    primary = {label: value for value, label in form.fields["primary_object"].choices}
    related = {label: value for _, group in form.fields["related_object"].choices[1:] for value, label in group}
    typed = {
        "name": "Messages and their items",
        "primary_object": primary["User Exception Messages"],
        "related_object": related["User Exception Items (Child)"],
        "status": "active__v",
    }
    assert admin.post(ADDRESS, typed).status_code == 302
    created = ReportType.objects.get(name="Messages and their items")
    assert (created.primary_object, created.related_objects) == (
        "exception_message__sys",
        ["exception_item__sys.exception_message__sys"],
    )
    again = admin.get(reverse("admin:reports_reporttype_change", args=(created.pk,)))
    assert again.context["adminform"].form["related_object"].value() == "exception_item__sys.exception_message__sys"


def test_a_related_object_has_to_refer_to_the_primary_one(admin: Client) -> None:
    typed = {"name": "x", "primary_object": "study__v", "related_object": "exception_item__sys.exception_message__sys"}
    content = admin.post(ADDRESS, typed | {"status": "active__v"}).content.decode()
    assert "It does not refer to the primary object." in content


def test_what_a_type_is_about_stays_once_it_has_reports(admin: Client) -> None:
    stored = ReportTypeFactory.create(name="Mine")
    ReportFactory.create(report_type=stored)
    url = reverse("admin:reports_reporttype_change", args=(stored.pk,))
    typed: dict[str, Any] = {"name": "Renamed", "status": "active__v", "read_version": stored.version}
    refused = admin.post(url, typed | {"primary_object": "study__v"})
    assert "Reports of this type exist." in refused.content.decode()
    assert admin.post(url, typed | {"primary_object": stored.primary_object}).status_code == 302
    stored.refresh_from_db()
    assert (stored.name, stored.primary_object) == ("Renamed", "crm_activity__v")


def test_reports_are_for_those_who_look_after_them_and_rights_are_not_set_here(client: Client) -> None:
    report = ReportFactory.create(name="Private")
    url = reverse("admin:reports_report_change", args=(report.pk,))
    for permissions, answer in ((["report__sys:read", "report__sys:edit"], 403), (["report_type__sys:edit"], 200)):
        profile = SecurityProfileFactory.create(
            permissions=["report__sys:read", "report__sys:edit", "report_type__sys:read", *permissions]
        )
        user = UserFactory.create(is_staff=True, security_profile=profile)
        client.force_login(user)
        assert client.get(url).status_code == answer
    typed = {"name": "Private", "status": "inactive__v", "owner": user.pk, "run_as_owner": "on", "read_version": 1}
    typed |= {"shares-TOTAL_FORMS": 0, "shares-INITIAL_FORMS": 0}
    assert client.post(url, typed).status_code == 302
    stored = Report.objects.get(pk=report.pk)
    assert (stored.status, stored.owner, stored.run_as_owner) == ("inactive__v", report.owner, False)
