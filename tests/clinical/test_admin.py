"""Studies in the admin console: a user sees, and can choose, only the studies that the user is assigned to."""

from __future__ import annotations

import pytest
from django.test import Client
from django.urls import reverse

from ctms.clinical.models import Study, StudyAssignment
from tests.admin_forms import list_errors, submit
from tests.factories.accounts import SecurityProfileFactory, UserFactory
from tests.factories.clinical import StudyAssignmentFactory, StudyFactory

pytestmark = pytest.mark.django_db

ALL = [f"study__v:{action}" for action in ("read", "create", "edit", "delete")]


@pytest.fixture
def studies(client: Client) -> tuple[Study, Study]:
    """A study that the logged-in user is assigned to, and another one."""
    profile = SecurityProfileFactory.create(permissions=[*ALL, "admin:security"])
    user = UserFactory.create(is_staff=True, security_profile=profile)
    mine, foreign = StudyFactory.create_batch(2)
    StudyAssignmentFactory.create(user=user, study=mine)
    client.force_login(user)
    return mine, foreign


def study_url(study: Study, page: str = "change") -> str:
    return reverse(f"admin:clinical_study_{page}", args=(study.pk,))


def test_the_list_holds_the_users_studies(client: Client, studies: tuple[Study, Study]) -> None:
    page = client.get(reverse("admin:clinical_study_changelist"))
    assert list(page.context["cl"].result_list) == [studies[0]]


@pytest.mark.parametrize("page", ["change", "delete", "history"])
def test_a_foreign_study_does_not_exist(client: Client, studies: tuple[Study, Study], page: str) -> None:
    assert client.get(study_url(studies[0], page)).status_code in (200, 302)
    response = client.get(study_url(studies[1], page))
    assert response.headers["Location"] == reverse("admin:clinical_study_changelist")


def test_a_selection_deletes_no_foreign_study(client: Client, studies: tuple[Study, Study]) -> None:
    StudyFactory.create()
    client.post(
        reverse("admin:clinical_study_changelist"),
        {"action": "delete_selected", "_selected_action": [studies[1].pk], "post": "yes"},
    )
    assert Study.objects.filter(pk=studies[1].pk).exists()


def test_an_admin_gives_a_user_access_to_a_study(client: Client, studies: tuple[Study, Study]) -> None:
    user = UserFactory.create()
    url = reverse("admin:clinical_studyassignment_add")
    submit(client, url, form_id="studyassignment_form", user=user.pk, study=studies[0].pk)
    assert StudyAssignment.objects.filter(user=user).get().study == studies[0]


def test_access_to_a_study_is_given_once(client: Client, studies: tuple[Study, Study]) -> None:
    assignment = StudyAssignmentFactory.create(study=studies[0])
    url = reverse("admin:clinical_studyassignment_add")
    response = submit(client, url, form_id="studyassignment_form", user=assignment.user.pk, study=assignment.study.pk)
    assert list(list_errors(response)) == ["__all__"]
