"""Clinical Activities are logged; Medical ones are read by those who may."""

from __future__ import annotations

import pytest
from django.test import Client
from django.urls import reverse

from activities.choices import ActivityType, Channel
from activities.models import Activity
from ctms.accounts.models import User
from ctms.configuration.services import set_object_type_status
from ctms.core.choices import RecordStatus
from tests.admin_forms import list_errors, log_in_admin, submit
from tests.factories.accounts import SecurityProfileFactory, UserFactory
from tests.factories.activities import ActivityFactory, MedicalActivityFactory
from tests.factories.base import build_admin_actor
from tests.factories.clinical import PersonFactory, StudySiteFactory

pytestmark = pytest.mark.django_db

ADD = "/admin/activities/activity/add/"
FORM = "activity_form"


def activity_url(activity: Activity, page: str = "change") -> str:
    return reverse(f"admin:activities_activity_{page}", args=(activity.pk,))


def log_in(client: Client, *permissions: str) -> User:
    profile = SecurityProfileFactory.create(permissions=list(permissions), sees_all_studies=True)
    user = UserFactory.create(is_staff=True, security_profile=profile, first_name="Carla", last_name="Craig")
    client.force_login(user)
    return user


def test_a_new_activity_is_from_its_author_and_of_the_study_of_its_site(client: Client) -> None:
    user = log_in_admin(client, first_name="Carla", last_name="Craig", email="carla@example.org")
    site = StudySiteFactory.create()
    submit(
        client,
        ADD,
        form_id=FORM,
        person=PersonFactory.create().pk,
        date="2030-03-02",
        channel=Channel.VIDEO,
        site=site.pk,
    )
    activity = Activity.objects.get()
    assert (activity.from_text, activity.object_type, activity.created_by) == (
        "Carla Craig (carla@example.org)",
        ActivityType.CLINICAL,
        user,
    )
    assert (activity.study, activity.study_country) == (site.study, site.study_country)


def test_an_activity_without_person_is_refused_and_keeps_what_was_typed(client: Client) -> None:
    log_in_admin(client)
    response = submit(client, ADD, form_id=FORM, date="2026-03-02", channel=Channel.VIDEO, subject="Typed")
    assert list_errors(response) == {"person": ["This field is required."]}
    assert response.context["adminform"].form["subject"].value() == "Typed"


def test_an_inactive_object_type_takes_no_new_activity(client: Client) -> None:
    log_in_admin(client)
    set_object_type_status(
        object_name=Activity.object_name,
        object_type=ActivityType.CLINICAL,
        status=RecordStatus.INACTIVE,
        actor=build_admin_actor(),
    )
    response = submit(
        client, ADD, form_id=FORM, person=PersonFactory.create().pk, date="2026-03-02", channel=Channel.VIDEO
    )
    assert list_errors(response) == {
        "__all__": ["The object type Clinical Activity is Inactive: no new one can be logged."]
    }


@pytest.mark.parametrize("page", ["change", "delete"])
def test_a_medical_activity_is_nobodys_to_change(client: Client, page: str) -> None:
    log_in_admin(client)
    medical = MedicalActivityFactory.create()
    assert client.get(activity_url(medical)).status_code == 200
    assert client.post(activity_url(medical, page), {"post": "yes"}).status_code == 403


def test_a_selection_with_a_medical_activity_is_not_deleted(client: Client) -> None:
    log_in_admin(client)
    keys = [ActivityFactory.create().pk, MedicalActivityFactory.create().pk]
    response = client.post(
        reverse("admin:activities_activity_changelist"),
        {"action": "delete_selected", "_selected_action": keys, "post": "yes"},
    )
    assert response.status_code == 403
    assert Activity.objects.count() == 2


def test_a_permission_for_one_object_type_shows_that_type_alone(client: Client) -> None:
    log_in(client, "crm_activity__v.clinical_activity__v:read")
    clinical, medical = ActivityFactory.create(), MedicalActivityFactory.create()
    page = client.get(reverse("admin:activities_activity_changelist"))
    assert list(page.context["cl"].result_list) == [clinical]
    assert client.get(activity_url(clinical)).status_code == 200
    assert client.get(activity_url(medical)).status_code == 302


def test_the_list_is_filtered_by_object_type(client: Client) -> None:
    log_in_admin(client)
    ActivityFactory.create()
    medical = MedicalActivityFactory.create()
    page = client.get(reverse("admin:activities_activity_changelist"), {"object_type": ActivityType.MEDICAL})
    assert list(page.context["cl"].result_list) == [medical]


def test_permission_to_read_is_none_to_edit(client: Client) -> None:
    log_in(client, "crm_activity__v:read")
    activity = ActivityFactory.create()
    assert client.get(activity_url(activity)).status_code == 200
    assert client.post(activity_url(activity), {"subject": "Mine"}).status_code == 403
    assert client.get(ADD).status_code == 403
    assert client.post(activity_url(activity, "delete"), {"post": "yes"}).status_code == 403


def test_permission_to_edit_one_object_type_edits_it(client: Client) -> None:
    log_in(client, "crm_activity__v:read", "crm_activity__v.clinical_activity__v:edit")
    activity = ActivityFactory.create()
    assert submit(client, activity_url(activity), form_id=FORM, subject="Mine").status_code == 302
    activity.refresh_from_db()
    assert activity.subject == "Mine"
