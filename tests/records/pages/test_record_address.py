"""The address under which CRM records link back to the Vault."""

from __future__ import annotations

import uuid

import pytest
from django.test import Client

from tests.factories.accounts import SecurityProfileFactory, UserFactory
from tests.factories.clinical import PersonFactory, StudyFactory

pytestmark = pytest.mark.django_db


@pytest.fixture
def admin_client(client: Client) -> Client:
    client.force_login(UserFactory.create(is_superuser=True))
    return client


def test_a_link_from_the_crm_leads_to_the_records_page(admin_client: Client) -> None:
    study = StudyFactory.create()

    answer = admin_client.get(f"/records/study__v/{study.uid}/")

    assert (answer.status_code, f"<h1>{study}</h1>" in answer.content.decode()) == (200, True)


@pytest.mark.parametrize("object_name", ["study__v", "no_such_object__v", "connection__sys"])
def test_an_unknown_record_or_object_is_not_found(admin_client: Client, object_name: str) -> None:
    assert admin_client.get(f"/records/{object_name}/{uuid.uuid4()}/").status_code == 404


def test_what_a_user_may_not_see_is_not_found_or_refused(client: Client) -> None:
    profile = SecurityProfileFactory.create(permissions=["study__v:read"], sees_all_studies=False)
    client.force_login(UserFactory.create(is_staff=True, security_profile=profile))

    assert client.get(f"/records/study__v/{StudyFactory.create().uid}/").status_code == 404
    refused = client.get(f"/records/person__sys/{PersonFactory.create().uid}/")
    assert (refused.status_code, "does not allow you to read people" in refused.content.decode()) == (403, True)


def test_somebody_who_is_not_logged_in_is_asked_to(client: Client) -> None:
    address = f"/records/study__v/{StudyFactory.create().uid}/"
    answer = client.get(address)
    assert (answer.status_code, answer.headers["Location"]) == (302, f"/login/?next={address}")
