"""Rows of a file that are like a record which is there already use that one, if their user says so."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client

from ctms.accounts.models import User
from ctms.audit.services import save_record
from ctms.clinical.models import Person
from ctms.configuration.models import ReasonRule
from ctms.records.models import BulkOperation
from tests.factories.accounts import UserFactory
from tests.factories.base import build_admin_actor
from tests.factories.clinical import PersonFactory
from tests.records.bulk.steps import confirm, list_problems, list_sources, run_job, upload
from tests.records.undo.steps import delete, undo_last

pytestmark = [pytest.mark.django_db, pytest.mark.both_databases]

PERSON = "person__sys"
CONTENT = (
    "Object type,First name,Last name,Email,Phone\n"
    "Person,Ann,Lee,Ann@example.org,1\n"
    "Person,Bob,Ray,bob@example.org,2\n"
    "Person,Ann,Lee,ann@example.org,3\n"
)


@pytest.fixture(autouse=True)
def user(client: Client) -> User:
    made = UserFactory.create(username="carla", is_superuser=True)
    client.force_login(made)
    return made


def create_person(first: str, last: str, email: str) -> Person:
    return PersonFactory.create(first_name=first, last_name=last, email=email, phone="", npi="")


def choose(client: Client, operation: BulkOperation, **choice: str) -> str:
    """Press a button beside a warning, and return what the page then says."""
    address = f"/records/{PERSON}/import/{operation.uid}/existing/"
    page: Any = client.post(address, choice, follow=True)
    operation.refresh_from_db()
    return " ".join(page.content.decode().split())


def list_kinds(operation: BulkOperation) -> list[tuple[int, str]]:
    return list(operation.problems.values_list("position", "kind"))


def test_a_row_uses_the_record_that_is_there_and_both_come_back_with_one_undo(client: Client) -> None:
    there = create_person("Ann", "Lee", "ann@example.org")
    operation = upload(client, PERSON, "\n".join(CONTENT.split("\n")[:3]), key="none")
    page = " ".join(client.get(f"/records/{PERSON}/import/{operation.uid}/").content.decode().split())
    assert (operation.counts, list_kinds(operation)) == ({"created": 2}, [(2, "alike")])
    assert 'name="use" value="2"' in page
    page = choose(client, operation, use="2")
    assert (operation.counts, list_kinds(operation)) == ({"changed": 1, "created": 1}, [(2, "used")])
    assert "Uses Ann Lee (ann@example.org), as you chose." in page
    confirm(client, operation)
    run_job(operation)
    there.refresh_from_db()
    assert (there.phone, Person.objects.count()) == ("1", 2)
    assert list_sources(there.uid)[-1][0] == "import"
    undo_last(client, there)
    there.refresh_from_db()
    assert (there.phone, list(Person.objects.all())) == ("", [there])


def test_a_choice_is_taken_back(client: Client) -> None:
    create_person("Ann", "Lee", "ann@example.org")
    operation = upload(client, PERSON, "\n".join(CONTENT.split("\n")[:3]), key="none")
    choose(client, operation, use="2")
    choose(client, operation, create="2")
    assert (operation.counts, list_kinds(operation)) == ({"created": 2}, [(2, "alike")])


def test_all_are_chosen_at_once_but_each_record_by_one_line(client: Client) -> None:
    create_person("Ann", "Lee", "ann@example.org")
    create_person("Bob", "Ray", "bob@example.org")
    operation = upload(client, PERSON, CONTENT, key="none")
    choose(client, operation, use="all")
    assert operation.counts == {"changed": 2, "failed": 1}
    assert (4, "", "Line 2 uses the same record, as you chose. Leave one of the two.") in list_problems(operation)


def test_a_record_is_not_used_by_one_line_and_found_by_the_key_of_another(client: Client) -> None:
    create_person("Ann", "Lee", "ann@example.org")
    content = (
        "Object type,First name,Last name,Email,External ID\nPerson,Ann,Lee,ann@example.org,\nPerson,Ann,Lee,,P-1\n"
    )
    operation = upload(client, PERSON, content)
    assert list_kinds(operation) == [(2, "alike")]
    choose(client, operation, use="2")
    assert operation.counts == {"unchanged": 1, "created": 1}
    there = Person.objects.get()
    there.external_id = "P-1"
    save_record(record=there, actor=build_admin_actor())
    choose(client, operation)
    assert (3, "", "Line 2 uses the same record, as you chose. Leave one of the two.") in list_problems(operation)


def test_a_chosen_record_that_is_gone_is_said_and_nothing_is_created(client: Client) -> None:
    there = create_person("Ann", "Lee", "ann@example.org")
    operation = upload(client, PERSON, "\n".join(CONTENT.split("\n")[:2]), key="none")
    choose(client, operation, use="2")
    delete(client, there)
    choose(client, operation)
    message = "The record that was chosen for this line is not there any more. Choose again."
    assert (list_problems(operation), Person.objects.count()) == ([(2, "", message)], 0)


def test_only_what_is_offered_can_be_used(client: Client) -> None:
    other = create_person("Eva", "Other", "eva@example.org")
    operation = upload(client, PERSON, "\n".join(CONTENT.split("\n")[:2]), key="none")
    page = choose(client, operation, use="2")
    assert "There is no such record to use any more." in page
    choose(client, operation, use=str(other.uid))
    assert operation.counts == {"created": 1}


def test_what_somebody_changed_since_the_check_stays(client: Client) -> None:
    there = create_person("Ann", "Lee", "ann@example.org")
    operation = upload(client, PERSON, "\n".join(CONTENT.split("\n")[:2]), key="none")
    choose(client, operation, use="2")
    there.refresh_from_db()
    there.phone = "99"
    save_record(record=there, actor=build_admin_actor())
    confirm(client, operation)
    run_job(operation)
    there.refresh_from_db()
    assert (operation.counts, there.phone) == ({"failed": 1}, "99")


def test_the_reason_for_changing_it_is_asked_for(client: Client) -> None:
    save_record(record=ReasonRule(of_object=PERSON, field_name="phone__v"), actor=build_admin_actor())
    there = create_person("Ann", "Lee", "ann@example.org")
    operation = upload(client, PERSON, "\n".join(CONTENT.split("\n")[:2]), key="none")
    assert "Say why Phone is changed in records that exist already." in choose(client, operation, use="2")
    assert operation.counts == {"created": 1}
    choose(client, operation, use="2", change_reason="The card says so.")
    confirm(client, operation)
    run_job(operation)
    there.refresh_from_db()
    assert (operation.counts, there.phone) == ({"changed": 1}, "1")


def test_records_that_stay_as_they_are_stay_so_when_they_are_used(client: Client) -> None:
    create_person("Ann", "Lee", "ann@example.org")
    operation = upload(client, PERSON, "\n".join(CONTENT.split("\n")[:2]), key="none", update_existing="")
    choose(client, operation, use="2")
    assert operation.counts == {"left_out": 1}
