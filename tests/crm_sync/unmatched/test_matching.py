"""An identifier is given to one person, although two admins enter it at the same moment."""

from __future__ import annotations

import threading
from contextlib import suppress
from typing import Any

import pytest
from django.core.exceptions import ValidationError
from django.db import connection

from crm_sync.engine.rules.identifiers import IdentifierMapping
from crm_sync.unmatched.matching import create_person, enter_identifier
from ctms.accounts.models import User
from ctms.audit.actors import Actor
from ctms.clinical.models import Person
from ctms.configuration.registry import get_object, resolve_path
from ctms.records.access import open_object
from ctms.records.writing.services import write_values
from tests.factories.accounts import UserFactory
from tests.factories.clinical import PersonFactory

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.both_databases]


@pytest.fixture
def identifiers() -> IdentifierMapping:
    _, field = resolve_path(vault_object=get_object("person__sys"), path="external_id__v")
    return IdentifierMapping(person_field=field, account_field="External_ID_vod__c")


@pytest.fixture
def meet(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let both be past the look for another person before either writes, unless one is kept from it."""
    together = threading.Barrier(2)

    def wait_and_write(**given: Any) -> bool:
        with suppress(threading.BrokenBarrierError):
            together.wait(timeout=1.5)
        return write_values(**given)

    monkeypatch.setattr("crm_sync.unmatched.matching.write_values", wait_and_write)


def do_together(*acts: Any) -> list[str]:
    """Do both in threads with connections of their own, and return the refusals."""
    refusals: list[str] = []

    def do(act: Any) -> None:
        try:
            act()
        except ValidationError as error:
            refusals.extend(error.messages)
        finally:
            connection.close()

    threads = [threading.Thread(target=do, args=(act,)) for act in acts]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    return refusals


def enter(user: User, person: Person, identifiers: IdentifierMapping) -> bool:
    return enter_identifier(
        access=open_object(user=user, object_name=Person.object_name),
        person=Person.objects.get(pk=person.pk),
        identifiers=identifiers,
        value="P-42",
        actor=Actor(user=user, source="admin"),
        version=person.version,
    )


def create(user: User, identifiers: IdentifierMapping) -> Person:
    return create_person(
        access=open_object(user=user, object_name=Person.object_name),
        values={"first_name__sys": "Grace", "last_name__sys": "Hopper", "email__sys": ""},
        object_type="investigator__v",
        identifiers=identifiers,
        identifier="P-42",
        actor=Actor(user=user, source="admin"),
    )


def test_the_second_is_refused_with_the_name_of_the_person_who_has_it(
    identifiers: IdentifierMapping, meet: None
) -> None:
    users = UserFactory.create_batch(2, is_superuser=True)
    people = PersonFactory.create_batch(2, external_id=None)

    refusals = do_together(*(lambda at=at: enter(users[at], people[at], identifiers) for at in range(2)))

    (winner,) = Person.objects.filter(external_id="P-42")
    (refusal,) = refusals
    assert refusal == (
        f"External ID: {winner} has 'P-42' already, and persons who share it have no account. Correct it on that "
        "person first, or merge the two."
    )


def test_one_of_entering_and_creating_wins(identifiers: IdentifierMapping, meet: None) -> None:
    users = UserFactory.create_batch(2, is_superuser=True)
    person = PersonFactory.create(external_id=None)

    refusals = do_together(lambda: enter(users[0], person, identifiers), lambda: create(users[1], identifiers))

    (winner,) = Person.objects.filter(external_id="P-42")
    assert [refusal.partition(" has ")[0] for refusal in refusals] == [f"External ID: {winner}"]
