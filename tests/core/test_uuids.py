from __future__ import annotations

import pytest
from django.db.models import F

from ctms.clinical.models import Person
from ctms.core.uuids import UuidText
from tests.factories.clinical import PersonFactory

pytestmark = [pytest.mark.django_db, pytest.mark.both_databases]


def test_the_text_of_a_uuid_has_its_hyphens_on_every_database() -> None:
    person = PersonFactory.create()
    found = Person.objects.annotate(text=UuidText(F("uid"))).filter(text=str(person.uid))
    assert [(each.pk, each.text) for each in found] == [(person.pk, str(person.uid))]


def test_it_follows_a_reference() -> None:
    person = PersonFactory.create()
    assert Person.objects.filter(pk=person.pk).values_list(UuidText(F("created_by__uid")), flat=True).get() == str(
        person.created_by.uid
    )
