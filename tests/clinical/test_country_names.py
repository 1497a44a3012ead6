"""Study countries of an earlier version, which were called by their code."""

from __future__ import annotations

from importlib import import_module

import pytest
from django.apps import apps
from django.db import connection

from ctms.clinical.models import StudyCountry
from tests.factories.clinical import StudyCountryFactory

pytestmark = [pytest.mark.django_db, pytest.mark.both_databases]

migration = import_module("ctms.clinical.migrations.0010_country_names")


def test_those_called_by_their_code_get_the_name_of_the_country() -> None:
    coded, named, odd = (StudyCountryFactory.create(country=code, name=name) for code, name in _COUNTRIES)
    with connection.cursor() as cursor:
        cursor.execute("UPDATE clinical_studycountry SET name = country WHERE id IN (%s, %s)", [coded.pk, odd.pk])
    migration.name_countries(apps, None)
    names = dict(StudyCountry.objects.values_list("pk", "name"))
    assert names == {coded.pk: "Argentina", named.pk: "The south of Chile", odd.pk: "QQ"}


_COUNTRIES = (("AR", ""), ("CL", "The south of Chile"), ("QQ", ""))
