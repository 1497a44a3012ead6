"""Cells that name another record by a key: a UID, or the external ID, which is often the key in another Vault."""

from __future__ import annotations

from uuid import uuid4

import pytest
from django.test import Client

from activities.models import Activity
from ctms.accounts.models import User
from ctms.clinical.models import Person
from tests.factories.accounts import UserFactory
from tests.factories.clinical import PersonFactory
from tests.records.bulk.steps import confirm, do_import, list_problems, run_job, upload

pytestmark = [pytest.mark.django_db, pytest.mark.both_databases]

ACTIVITY, PERSON = "crm_activity__v", "person__sys"
# Keys of Salesforce differ in nothing but case.
CRM_KEYS = ("001Qx00000AbCdE", "001Qx00000AbCde")


@pytest.fixture(autouse=True)
def user(client: Client) -> User:
    made = UserFactory.create(username="carla", is_superuser=True)
    client.force_login(made)
    return made


def write(*persons: str) -> str:
    rows = [f"{person},2026-03-{number:02},Email" for number, person in enumerate(persons, start=1)]
    return "\n".join(["Person,Date,Channel", *rows])


def list_persons() -> list[Person]:
    return [each.person for each in Activity.objects.order_by("date")]


def test_keys_of_a_crm_are_told_apart_by_case(client: Client) -> None:
    persons = [PersonFactory.create(external_id=key) for key in CRM_KEYS]
    do_import(client, ACTIVITY, write(*CRM_KEYS, *reversed(CRM_KEYS)), key="none")
    assert list_persons() == [*persons, *reversed(persons)]


def test_a_key_in_another_case_is_none(client: Client) -> None:
    PersonFactory.create(external_id=CRM_KEYS[0])
    operation = upload(client, ACTIVITY, write(CRM_KEYS[0].lower()), key="none")
    assert [label for _, label, _ in list_problems(operation)] == ["Person"]


def test_rows_find_the_records_that_they_change_by_such_keys(client: Client) -> None:
    persons = [PersonFactory.create(external_id=key, phone="") for key in CRM_KEYS]
    content = "\n".join(["External ID,Phone", f"{CRM_KEYS[1]},2", f"{CRM_KEYS[0]},1"])
    assert do_import(client, PERSON, content).counts == {"changed": 2}
    assert [Person.objects.get(pk=each.pk).phone for each in persons] == ["1", "2"]


def test_a_key_of_another_vault_is_found_although_it_looks_like_a_uid(client: Client) -> None:
    there = uuid4()
    keys = [str(there), there.hex, str(there).upper(), f"{{{uuid4()}}}"]
    persons = [PersonFactory.create(external_id=key) for key in keys]
    do_import(client, ACTIVITY, write(*keys), key="none")
    assert list_persons() == persons


def test_a_uid_comes_before_the_external_id_of_another_record(client: Client) -> None:
    person = PersonFactory.create()
    PersonFactory.create(external_id=str(person.uid))
    do_import(client, ACTIVITY, write(str(person.uid)), key="none")
    assert list_persons() == [person]


def test_a_uid_is_found_in_every_spelling_of_one_file(client: Client) -> None:
    person = PersonFactory.create()
    spellings = [str(person.uid), str(person.uid).upper(), person.uid.hex, f"{{{person.uid}}}"]
    do_import(client, ACTIVITY, write(*spellings), key="none")
    assert list_persons() == [person] * 4


def test_an_external_id_that_lost_its_zeros_is_asked_about(client: Client) -> None:
    person = PersonFactory.create(external_id="00042")
    operation = upload(client, ACTIVITY, write("42", "042", "00042"), key="none")
    messages = [
        f"There is no “{text}”, but there is “00042”. Say above whether the file has lost leading zeros."
        for text in ("42", "042")
    ]
    assert list_problems(operation) == [(2, "Person", messages[0]), (3, "Person", messages[1])]
    client.post(f"/records/{ACTIVITY}/import/{operation.uid}/reading/", {"zeros": "restore"})
    operation.refresh_from_db()
    assert operation.counts == {"created": 3}
    confirm(client, operation)
    run_job(operation)
    assert list_persons() == [person] * 3


def test_an_external_id_comes_before_the_name_of_another_record_in_another_case(client: Client) -> None:
    person = PersonFactory.create(external_id="ann lee")
    PersonFactory.create(first_name="Ann", last_name="Lee")
    do_import(client, ACTIVITY, write("ann lee"), key="none")
    assert list_persons() == [person]
