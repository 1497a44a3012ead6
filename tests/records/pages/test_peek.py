"""A record beside a list: the parts of its page, for who sees the record."""

from __future__ import annotations

import uuid

import pytest
from django.test import Client

from activities.models import Activity
from ctms.accounts.models import PageView, User
from ctms.audit.services import save_record
from ctms.records.models import SavedView
from tests.factories.accounts import SecurityProfileFactory, UserFactory
from tests.factories.activities import ActivityFactory
from tests.factories.base import build_admin_actor
from tests.factories.clinical import StudyAssignmentFactory, StudyFactory

pytestmark = pytest.mark.django_db
LIST = "/records/crm_activity__v/"
FRAGMENT = {"HX-Request": "true"}


@pytest.fixture
def carla(client: Client) -> User:
    """Somebody who is logged in and may read the activities of their studies."""
    profile = SecurityProfileFactory.create(permissions=["study__v:read", "crm_activity__v:read"])
    user = UserFactory.create(security_profile=profile)
    client.force_login(user)
    return user


@pytest.fixture
def activity(carla: User) -> Activity:
    """An activity of a study of hers."""
    study = StudyFactory.create()
    StudyAssignmentFactory.create(user=carla, study=study)
    return ActivityFactory.create(study=study, subject="Screening log")


def build_url(activity: Activity) -> str:
    return f"{LIST}{activity.uid}/peek/"


def test_it_has_head_fields_and_history_of_the_page_and_no_frame(client: Client, activity: Activity) -> None:
    text = client.get(build_url(activity), headers=FRAGMENT).content.decode()
    for part in ('id="record-head"', "Screening log", 'id="field-date__v"', 'id="record-timeline"'):
        assert part in text
    assert "<html" not in text


def test_without_javascript_the_address_leads_to_the_page(client: Client, activity: Activity) -> None:
    response = client.get(build_url(activity))
    assert (response.status_code, response.headers["Location"]) == (302, f"{LIST}{activity.uid}/")
    assert "HX-Request" in response.headers["Vary"]


@pytest.mark.parametrize("headers", [FRAGMENT, {}])
def test_what_is_not_visible_does_not_exist(client: Client, carla: User, headers: dict[str, str]) -> None:
    assert client.get(build_url(ActivityFactory.create()), headers=headers).status_code == 404


def test_who_must_not_read_the_object_is_refused(client: Client) -> None:
    client.force_login(UserFactory.create(security_profile=SecurityProfileFactory.create(permissions=[])))
    assert client.get(build_url(ActivityFactory.create()), headers=FRAGMENT).status_code == 403


def test_a_look_of_an_inspector_is_noted(client: Client, carla: User, activity: Activity) -> None:
    profile = carla.security_profile
    assert profile is not None
    profile.log_views = True
    save_record(record=profile, actor=build_admin_actor())
    client.get(build_url(activity), headers=FRAGMENT)
    assert PageView.objects.latest("id").record_uid == activity.uid


def test_the_list_is_the_same_with_and_without_the_record_beside_it(client: Client, activity: Activity) -> None:
    for query in (f"peek={activity.uid}", f"q=screening&peek={activity.uid}", "peek=nonsense"):
        response = client.get(f"{LIST}?{query}")
        page = response.context["page"]
        assert page.problems == []
        assert len(page.page.rows) == 1
        assert "peek" not in page.query


def test_the_address_of_the_record_beside_it_survives_when_that_of_the_list_is_put_straight(
    client: Client, carla: User
) -> None:
    uid = uuid.uuid4()
    view = SavedView.objects.create(user=carla, of_object="crm_activity__v", name="Open", parameters="complete__v=no")
    response = client.get(f"{LIST}?view={view.uid}&peek={uid}")
    assert response.headers["Location"].endswith(f"&peek={uid}")
