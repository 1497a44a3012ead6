"""The look-up of many keys."""

from __future__ import annotations

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from ctms.clinical.models import Study, StudySite
from ctms.core.lookups import build_among
from tests.factories.clinical import StudyFactory, StudySiteFactory

pytestmark = [pytest.mark.django_db, pytest.mark.both_databases]


def test_it_finds_what_in_finds_by_keys_and_through_references() -> None:
    sites = StudySiteFactory.create_batch(3)
    studies = [each.study_id for each in sites[:2]]
    assert set(Study.objects.filter(build_among("pk", studies))) == {sites[0].study, sites[1].study}
    assert set(StudySite.objects.filter(build_among("study", studies))) == set(sites[:2])
    assert set(StudySite.objects.filter(build_among("study__pk", studies))) == set(sites[:2])
    assert set(StudySite.objects.exclude(build_among("study", studies))) == {sites[2]}


def test_no_keys_find_nothing() -> None:
    StudyFactory.create()
    assert list(Study.objects.filter(build_among("pk", []))) == []
    assert Study.objects.exclude(build_among("pk", [])).count() == 1


def test_any_number_of_keys_are_one_parameter() -> None:
    study = StudyFactory.create()
    with CaptureQueriesContext(
        connection,
    ) as captured:
        assert list(Study.objects.filter(build_among("pk", [*range(-100_000, 0), study.pk]))) == [study]
    assert len(captured) == 1


def test_many_keys_find_what_a_few_do() -> None:
    first, second, _ = StudyFactory.create_batch(3)
    found = Study.objects.filter(pk__among_many=[first.pk, second.pk])
    assert set(found) == {first, second}
    assert list(found.filter(pk__in=[second.pk])) == [second]
    assert list(Study.objects.filter(pk__among_many=[])) == []
