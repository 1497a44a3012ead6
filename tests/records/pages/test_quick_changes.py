"""Quick changes, such as *Complete*: of a record, and of those that are selected in a list."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from activities.models import Activity
from ctms.audit.models import AuditEntry
from ctms.audit.services import save_record
from ctms.configuration.models import ReasonRule
from ctms.records.models import BulkOperation
from tests.admin_forms import fill, read_form
from tests.factories.accounts import SecurityProfileFactory, UserFactory
from tests.factories.activities import ActivityFactory, MedicalActivityFactory
from tests.factories.base import build_admin_actor

pytestmark = pytest.mark.django_db
ACTIVITIES = "/records/crm_activity__v/"


@pytest.fixture
def admin(client: Client) -> Client:
    client.force_login(UserFactory.create(is_superuser=True))
    return client


def complete(client: Client, activity: Activity, **values: object) -> int:
    values = {"expected_version": activity.version} | values
    return client.post(f"{ACTIVITIES}{activity.uid}/change/complete/", values).status_code


def test_a_record_is_changed_and_the_user_comes_back_to_the_list(admin: Client) -> None:
    activity = ActivityFactory.create(complete=False)
    response = admin.post(
        f"{ACTIVITIES}{activity.uid}/change/complete/",
        {"expected_version": activity.version, "query": "complete__v=false"},
    )
    assert response.headers["Location"] == f"{ACTIVITIES}?complete__v=false"
    activity.refresh_from_db()
    assert (activity.complete, activity.version) == (True, 2)


def test_what_somebody_else_changed_meanwhile_is_not_overwritten(admin: Client) -> None:
    activity = ActivityFactory.create(complete=False)
    assert complete(admin, activity, expected_version=activity.version + 1) == 302
    assert not Activity.objects.get().complete


def follow(client: Client, activity: Activity, wording: str, **typed: Any) -> Activity:
    """Press *Complete* in a list, answer the page that asks, and return the activity."""
    url = f"{ACTIVITIES}{activity.uid}/change/complete/"
    asked = client.post(
        url, {"expected_version": activity.version, "query": "size=50"}, headers={"HX-Request": "true"}
    ).headers["HX-Redirect"]
    page = client.get(asked)
    assert not Activity.objects.get().complete
    assert wording in page.content.decode()
    saved = client.post(asked, fill(read_form(page, form_id="quick-change"), typed=typed))
    assert saved.headers["Location"] == f"{ACTIVITIES}?size=50"
    activity.refresh_from_db()
    return activity


def test_what_is_unusual_is_asked_about_and_saved_after_a_yes(admin: Client) -> None:
    activity = ActivityFactory.create(complete=False, date=timezone.localdate() + dt.timedelta(days=30))
    assert follow(admin, activity, "Is the activity complete already?").complete


def test_the_reason_is_asked_for(admin: Client) -> None:
    save_record(record=ReasonRule(of_object="crm_activity__v", field_name="complete__v"), actor=build_admin_actor())
    activity = ActivityFactory.create(complete=False)
    assert follow(admin, activity, "Reason for change", change_reason="seen on site").complete
    assert AuditEntry.objects.latest("id").reason == "seen on site"


def test_nobody_changes_what_they_may_not_change(client: Client) -> None:
    profile = SecurityProfileFactory.create(permissions=["crm_activity__v:read"], sees_all_studies=True)
    client.force_login(UserFactory.create(security_profile=profile))
    activity = ActivityFactory.create(complete=False)
    assert complete(client, activity) == 403
    assert "change/complete/" not in client.get(ACTIVITIES).content.decode()
    assert not Activity.objects.get().complete


def test_a_list_offers_only_what_applies_to_a_row(admin: Client) -> None:
    ActivityFactory.create(complete=True)
    MedicalActivityFactory.create(complete=False)
    assert "change/complete/" not in admin.get(ACTIVITIES).content.decode()
    planned = ActivityFactory.create(complete=False)
    shown = admin.get(ACTIVITIES).content.decode()
    assert shown.count("change/complete/") == 1
    assert f"{ACTIVITIES}{planned.uid}/fields/date__v/" in shown


def test_a_change_that_does_not_exist_or_asks_for_a_value_is_no_page(admin: Client) -> None:
    activity = ActivityFactory.create()
    for name in ("reschedule", "nothing"):
        response = admin.post(f"{ACTIVITIES}{activity.uid}/change/{name}/", {"expected_version": 1})
        assert response.status_code == 404, name


def test_a_selection_is_checked_as_a_bulk_edit_of_the_same_values(admin: Client) -> None:
    activities = [ActivityFactory.create(complete=False) for _ in range(3)]
    form = {"uids": [str(each.uid) for each in activities], "query": "sort=date__v"}
    admin.post(f"{ACTIVITIES}bulk/", form | {"quick": "complete"})
    operation = BulkOperation.objects.get()
    assert (operation.total, list(operation.plan["values"])) == (3, ["complete__v"])
    shown = admin.post(f"{ACTIVITIES}bulk/", form | {"quick": "reschedule"}).content.decode()
    assert 'value="date__v"\n                     checked' in shown
