"""Custom fields while several transactions write: unique values, and rules that an admin changes meanwhile."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from time import monotonic, sleep

import pytest
from django.core.exceptions import ValidationError
from django.db import IntegrityError, connections, transaction

from ctms.audit.services import save_record
from ctms.clinical.models import Person
from ctms.configuration.models import CustomField, UniqueValue
from ctms.configuration.services import create_custom_field, update_custom_field
from tests.factories.base import build_admin_actor
from tests.factories.clinical import PersonFactory
from tests.locks import count_waiting

NAME = "badge__c"
_MOST_SECONDS = 60


def add(*, is_unique: bool = False) -> CustomField:
    field = CustomField(of_object="person__sys", label="Badge", api_name=NAME, is_unique=is_unique)
    create_custom_field(field=field, actor=build_admin_actor())
    return field


@contextmanager
def another_writing(badge: str) -> Iterator[None]:
    """Let another transaction write a person with that badge first, and end once somebody waits for a lock of it."""
    PersonFactory.create()  # creates what both transactions refer to
    is_written = threading.Event()
    has_waited: list[bool] = []

    def write_slowly() -> None:
        with transaction.atomic():
            PersonFactory.create(custom_fields={NAME: badge})
            is_written.set()
            has_waited.append(wait_until(lambda: count_waiting() > 0))
        connections.close_all()

    user = threading.Thread(target=write_slowly)
    user.start()
    try:
        assert is_written.wait(timeout=_MOST_SECONDS)
        yield
    finally:
        user.join()
    assert has_waited == [True]


def wait_until(holds: Callable[[], bool]) -> bool:
    end = monotonic() + _MOST_SECONDS
    while monotonic() < end:
        if holds():
            return True
        sleep(0.02)
    return False


@pytest.mark.postgresql
@pytest.mark.django_db(transaction=True)
def test_of_two_transactions_that_write_one_unique_value_one_is_refused() -> None:
    add(is_unique=True)
    with another_writing("B-1"), pytest.raises((IntegrityError, ValidationError)):
        PersonFactory.create(custom_fields={NAME: "B-1"})
    assert Person.objects.filter(custom_fields__has_key=NAME).count() == 1


@pytest.mark.postgresql
@pytest.mark.django_db(transaction=True)
def test_a_rule_waits_for_those_who_write_and_is_refused_by_what_they_wrote() -> None:
    field = add()
    field.max_length = 3
    with another_writing("B-1234"), pytest.raises(ValidationError) as refused:
        update_custom_field(field=field, actor=build_admin_actor())
    assert refused.value.message_dict == {
        "max_length": ["A record has 6 characters. Enter at least that, or shorten it first."]
    }
    assert CustomField.objects.get().max_length is None


@pytest.mark.postgresql
@pytest.mark.django_db(transaction=True)
def test_a_new_label_waits_for_nobody() -> None:
    field = add()
    PersonFactory.create()
    field.label = "Pass"
    is_written, may_end = threading.Event(), threading.Event()

    def write_slowly() -> None:
        with transaction.atomic():
            PersonFactory.create(custom_fields={NAME: "B-1"})
            is_written.set()
            may_end.wait(timeout=_MOST_SECONDS)
        connections.close_all()

    user = threading.Thread(target=write_slowly)
    user.start()
    try:
        assert is_written.wait(timeout=_MOST_SECONDS)
        update_custom_field(field=field, actor=build_admin_actor())
        assert user.is_alive()
    finally:
        may_end.set()
        user.join()
    assert CustomField.objects.get().label == "Pass"


@pytest.mark.django_db
@pytest.mark.both_databases
def test_the_database_lets_no_two_fields_of_one_object_have_one_label() -> None:
    add()
    second = CustomField(of_object="person__sys", label="BADGE", api_name="other__c")
    with pytest.raises(IntegrityError), transaction.atomic():
        save_record(record=second, actor=build_admin_actor(), validate=False)
    elsewhere = CustomField(of_object="study__v", label="Badge", api_name=NAME)
    save_record(record=elsewhere, actor=build_admin_actor(), validate=False)


@pytest.mark.django_db
@pytest.mark.both_databases
def test_two_unique_fields_of_one_object_are_unique_each_by_itself() -> None:
    first = add(is_unique=True)
    second = CustomField(of_object="person__sys", label="Card", api_name="card__c", is_unique=True)
    create_custom_field(field=second, actor=build_admin_actor())
    ann = PersonFactory.create(custom_fields={NAME: "1", "card__c": "2"})
    bob = PersonFactory.create(custom_fields={NAME: "2", "card__c": "1"})
    for field, value in ((first, "2"), (second, "1")):
        with pytest.raises(IntegrityError), transaction.atomic():
            UniqueValue.objects.create(field=field, value=value, record_uid=ann.uid)
        assert UniqueValue.objects.get(field=field, value=value).record_uid == bob.uid
