"""Identifiers that look alike: the message names the other and what differs."""

from __future__ import annotations

import pytest
from django.db import models

from crm_sync.engine.identity.look_alikes import describe_look_alike, list_look_alikes
from ctms.clinical.models import Person
from tests.crm_sync.world import World
from tests.factories.activities import ActivityFactory
from tests.factories.clinical import PersonFactory


@pytest.mark.parametrize(
    ("value", "other", "difference"),
    [
        ("ABC-1", "abc-1", "case"),
        ("ABC\u200b-1", "ABC-1", "invisible characters"),
        ("Caf\u00e9", "Cafe\u0301", "the form of its Unicode characters"),
        ("ABC 1", "ABC1", "blanks"),
        ("ABC\u00a01", "ABC 1", "the form of its Unicode characters"),
    ],
)
def test_what_differs_is_named(value: str, other: str, difference: str) -> None:
    assert describe_look_alike(value=value, others=["X", other]) == (
        f" There is one with {other!r}, which differs in {difference}."
    )


def test_another_identifier_is_no_look_alike() -> None:
    assert describe_look_alike(value="ABC-1", others=["ABC-2", "ABC-1"]) == ""


def test_plain_spellings_are_looked_for() -> None:
    assert {"ABC-1"} <= list_look_alikes(" ABC\u200b-1 ")
    assert list_look_alikes("ABC-1") == set()


@pytest.mark.django_db
def test_the_user_exception_names_the_account_that_looks_alike(world: World) -> None:
    person = PersonFactory.create()
    # As it was kept before texts were tidied.
    models.QuerySet(Person).filter(pk=person.pk).update(external_id="HCP\u200b-1")
    world.crm.organisation.insert_records(
        object_name="Account", records=[{"LastName": "Weber", "External_ID_vod__c": "HCP-1"}]
    )
    ActivityFactory.create(person=person)
    world.transfer()
    (item,) = world.list_exceptions()
    assert "There is one with 'HCP-1', which differs in invisible characters." in item.error_message


@pytest.mark.django_db
def test_a_call_names_the_person_who_looks_alike(world: World) -> None:
    PersonFactory.create(external_id="HCP-1")
    (account,) = world.crm.organisation.insert_records(
        object_name="Account", records=[{"LastName": "Weber", "External_ID_vod__c": "HCP-1\u200b"}]
    )
    world.add_calls([account])
    world.transfer()
    (item,) = world.list_exceptions()
    assert "There is one with 'HCP-1', which differs in invisible characters." in item.error_message
