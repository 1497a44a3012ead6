"""Texts at the doors: put right, or refused with the field named; study numbers that look the same."""

from __future__ import annotations

import importlib

import pytest
from django.apps import apps
from django.core.exceptions import ValidationError
from django.core.management.base import CommandError
from django.db import IntegrityError, models
from django.test import Client

from connections.models import Connection
from ctms.accounts.models import User
from ctms.audit.actors import Actor
from ctms.audit.services import create_records, save_record, update_records
from ctms.clinical.models import Person, Study, StudySite
from ctms.core.models import SAME_NUMBERS
from ctms.core.text.numbers import build_number_key
from tests.factories.accounts import UserFactory
from tests.factories.clinical import PersonFactory, StudyCountryFactory, StudyFactory, StudySiteFactory
from tests.records.bulk.steps import do_import, list_problems
from tests.records.writing.writing_steps import change, create_member, list_refusals, open_, open_as

pytestmark = [pytest.mark.django_db, pytest.mark.both_databases]
PERSON, STUDY, SITE = "person__sys", "study__v", "site__v"
ZERO_WIDTH = (
    "There is an invisible character (zero width space, U+200B) after “Mül”. Delete it, or type that part again."
)


@pytest.fixture
def admin() -> User:
    return UserFactory.create(is_superuser=True, is_staff=True)


def test_a_name_is_kept_in_composed_form_and_with_plain_blanks() -> None:
    person = PersonFactory.create(first_name="Ann", last_name="Lee")
    change(open_(PERSON), person, first_name__sys="Zoe\u0308\xa0Marie", last_name__sys="O'Connor-Łukasz")
    person.refresh_from_db()
    assert person.name == "Zoë Marie O'Connor-Łukasz"


def test_the_same_name_in_another_form_is_no_change() -> None:
    person = PersonFactory.create(first_name="Zoë")
    assert not change(open_(PERSON), person, first_name__sys="Zoe\u0308")
    assert Person.objects.get().version == 1


def test_an_invisible_character_is_refused_at_its_field() -> None:
    person = PersonFactory.create()
    with pytest.raises(ValidationError) as refusal:
        change(open_(PERSON), person, last_name__sys="Mül\u200bler")
    assert list_refusals(refusal) == {"last_name__sys": [ZERO_WIDTH]}


def test_what_is_not_touched_is_neither_refused_nor_changed() -> None:
    person = PersonFactory.create()
    models.QuerySet(Person).filter(pk=person.pk).update(last_name="Mül\u200bler", name="Ann Mül\u200bler")
    change(open_(PERSON), Person.objects.get(), phone__v="1")
    assert Person.objects.get().last_name == "Mül\u200bler"


def test_an_import_names_the_character_in_its_row(client: Client, admin: User) -> None:
    client.force_login(admin)
    operation = do_import(client, PERSON, "Object type,Last name\nPerson,Mül\u200bler\nPerson,Zoe\u0308\n", key="none")
    assert list_problems(operation) == [(2, "Last name", ZERO_WIDTH)]
    assert Person.objects.get().last_name == "Zoë"


def test_the_writer_keeps_nothing_unfit_and_loses_nothing_else() -> None:
    actor = Actor(user=UserFactory.create(), source="job")
    [person] = create_records(records=[Person(first_name="A\u200bnn\x00", last_name="Le\xa0e")], actor=actor)
    assert Person.objects.get().name == "Ann Le e"
    person.last_name = "Smi\u202eth"
    update_records(records=[person], actor=actor)
    assert Person.objects.get().name == "Ann Smith"
    person.custom_fields = {"note__c": "a\x00b"}
    save_record(record=person, actor=actor)
    assert Person.objects.get().custom_fields == {"note__c": "ab"}


def test_the_console_refuses_it_too(client: Client, admin: User) -> None:
    client.force_login(admin)
    page = client.post("/admin/connections/connection/add/", {"name": "Acme\u200b CRM"})
    assert "zero width space, U+200B) after “Acme”" in page.content.decode()
    assert not Connection.objects.exists()


@pytest.mark.parametrize("same", ["onc-01", "ONC–01", "ONC -01"])
def test_study_numbers_that_look_the_same_are_the_same(same: str) -> None:
    StudyFactory.create(name="ONC-01")
    other = StudyFactory.create(name="ONC-02")
    with pytest.raises(ValidationError) as refusal:
        change(open_(STUDY), other, name__v=same)
    named = f"A study of this number exists. {SAME_NUMBERS} It is spelled “ONC-01” there."
    assert list_refusals(refusal) == {"__all__": [named]}


def test_a_study_that_is_hidden_is_not_named() -> None:
    StudyFactory.create(name="ONC-01")
    mine = StudyFactory.create(name="ONC-02")
    access = open_as(create_member("study__v:read", "study__v:edit", study=mine), STUDY)
    with pytest.raises(ValidationError) as refusal:
        change(access, mine, name__v="onc-01")
    assert list_refusals(refusal) == {"__all__": [f"A study of this number exists. {SAME_NUMBERS}"]}


def test_the_database_refuses_them() -> None:
    StudyFactory.create(name="ONC-01")
    with pytest.raises(IntegrityError):
        create_records(records=[Study(name="onc–01")], actor=Actor(user=UserFactory.create(), source="job"))


def test_a_site_number_may_be_there_once_in_each_study() -> None:
    first = StudySiteFactory.create(name="A-1")
    elsewhere = StudySiteFactory.create(name="a–1", study_country=StudyCountryFactory.create())
    with pytest.raises(ValidationError) as refusal:
        change(open_(SITE), StudySiteFactory.create(name="A-2", study_country=first.study_country), name__v="a\u22121")
    assert "It is spelled “A-1” there." in list_refusals(refusal)["__all__"][0]
    assert StudySite.objects.get(pk=elsewhere.pk).number_key == first.number_key


def test_an_import_finds_a_study_by_a_number_that_looks_the_same(client: Client, admin: User) -> None:
    client.force_login(admin)
    StudyFactory.create(name="ONC-01")
    operation = do_import(client, STUDY, "Study number,Sponsor\nonc–01,ACME\n", key="name__v")
    study = Study.objects.get()
    assert (operation.counts, study.sponsor) == ({"changed": 1}, "ACME")


def test_the_migration_names_the_numbers_that_are_the_same() -> None:
    study = StudyFactory.create(name="ONC-01")
    other = StudyFactory.create(name="ONC-02")
    models.QuerySet(Study).filter(pk=other.pk).update(name="onc–01")
    migration = importlib.import_module("ctms.clinical.migrations.0004_numbers_alike")
    with pytest.raises(CommandError, match=r"Studies: 'ONC-01', 'onc–01'\."):
        migration.fill_keys(apps, None)
    assert study.number_key == build_number_key("onc–01")
