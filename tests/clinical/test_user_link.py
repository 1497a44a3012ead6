"""The user whom a person is in this Vault: set once, offered at an equal address, gone with an erasure, no access."""

from __future__ import annotations

import pytest
from django.db import IntegrityError, transaction
from django.test import Client

from ctms.accounts.models import User
from ctms.audit.actors import Actor
from ctms.audit.services import save_record
from ctms.clinical.erasure import erase_person
from ctms.clinical.models import Person
from ctms.records.access import open_object
from ctms.records.merging.services import merge_records
from tests.factories.accounts import SecurityProfileFactory, UserFactory
from tests.factories.base import build_admin_actor
from tests.factories.clinical import PersonFactory, StudyAssignmentFactory, StudyPersonFactory

pytestmark = [pytest.mark.django_db, pytest.mark.both_databases]


@pytest.fixture(autouse=True)
def admin(client: Client) -> User:
    made = UserFactory.create(is_superuser=True, is_staff=True)
    client.force_login(made)
    return made


def read_page(client: Client, person: Person) -> str:
    return client.get(f"/records/person__sys/{person.uid}/").content.decode()


def test_a_person_is_linked_to_a_user_and_both_pages_show_it(client: Client) -> None:
    person, user = PersonFactory.create(), UserFactory.create(first_name="Carla", last_name="Craig")
    url = f"/records/person__sys/{person.uid}/fields/user__sys/"
    response = client.post(url, {"user__sys": str(user.uid), "expected_version": person.version})
    assert response.status_code == 302
    assert "Carla Craig" in read_page(client, person)
    page = client.get(f"/admin/accounts/user/{user.pk}/change/").content.decode()
    assert f'href="/records/person__sys/{person.uid}/"' in page


def test_the_own_profile_names_the_person_to_who_may_read_it(client: Client) -> None:
    user = UserFactory.create(security_profile=SecurityProfileFactory.create(permissions=["person__sys:read"]))
    client.force_login(user)
    person = PersonFactory.create(user=user)  # entered by somebody else, and in no study of the user's
    assert f"/records/person__sys/{person.uid}/" not in client.get("/profile/").content.decode()
    study_person = StudyPersonFactory.create(person=person)
    StudyAssignmentFactory.create(user=user, study=study_person.study)
    read = ("person__sys:read", "study_person__clin:read", "site__v:read", "study__v:read")
    for permissions, is_named in ((read, True), (read[1:], False)):
        user.security_profile = SecurityProfileFactory.create(permissions=[*permissions])
        user.save()
        page = client.get("/profile/").content.decode()
        assert (f'<a href="/records/person__sys/{person.uid}/">{person}</a>' in page) is is_named


def test_two_persons_are_never_the_same_user(client: Client) -> None:
    user, other = UserFactory.create(), PersonFactory.create()
    PersonFactory.create(user=user)
    url = f"/records/person__sys/{other.uid}/fields/user__sys/"
    response = client.post(url, {"user__sys": str(user.uid), "expected_version": other.version})
    assert b"another person is this user already" in response.content
    with pytest.raises(IntegrityError), transaction.atomic():
        PersonFactory.create(user=user)


def test_a_user_of_the_same_address_is_offered_until_one_is_linked(client: Client) -> None:
    user = UserFactory.create(first_name="Carla", last_name="Craig", email="Carla@example.org")
    person = PersonFactory.create(email="carla@example.org")
    assert "Carla Craig logs in to this Vault with the same e-mail address" in read_page(client, person)
    person.user = user
    save_record(record=person, actor=build_admin_actor())
    assert "the same e-mail address" not in read_page(client, person)
    other = PersonFactory.create(email="carla@example.org")
    assert "the same e-mail address" not in read_page(client, other)


def test_the_link_gives_no_access(client: Client) -> None:
    profile = SecurityProfileFactory.create(permissions=["person__sys:read", "study_person__clin:read"])
    user = UserFactory.create(security_profile=profile)
    role = StudyPersonFactory.create(person=PersonFactory.create(user=user))
    for name, record in (("study_person__clin", role), ("person__sys", role.person)):
        assert not open_object(user=user, object_name=name).list_records().filter(pk=record.pk).exists()


def test_it_goes_when_the_person_is_erased() -> None:
    person = PersonFactory.create(user=UserFactory.create())
    erase_person(person=person, actor=build_admin_actor(), reason="Asked on 1 May")
    person.refresh_from_db()
    assert person.user is None


@pytest.mark.parametrize("is_active", [True, False])
def test_it_survives_a_merge_even_of_a_user_who_left(admin: User, *, is_active: bool) -> None:
    user = UserFactory.create()
    kept, other = PersonFactory.create(), PersonFactory.create(user=user)
    user.is_active = is_active
    user.save()
    merge_records(
        access=open_object(user=admin, object_name="person__sys"),
        winner=kept,
        loser=other,
        actor=Actor(user=admin, source="page"),
        taken=["user__sys"],
        expected_versions=(kept.version, other.version),
    )
    kept.refresh_from_db()
    assert kept.user == user
