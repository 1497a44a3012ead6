"""Folded texts, and the order of texts: the same on both databases."""

from __future__ import annotations

import functools
import unicodedata

import pytest
from django.db import connection
from hypothesis import given, settings
from hypothesis import strategies as st

from ctms.clinical.models import Study
from ctms.core.text.folding import fold_text
from ctms.core.text.sorting import compare_texts
from tests.factories.clinical import StudyFactory
from tests.text_order import has_icu

pytestmark = [pytest.mark.django_db, pytest.mark.both_databases]


@pytest.mark.parametrize(
    ("text", "folded"),
    [
        ("Łukasz MÜLLER", "lukasz muller"),
        ("Zoe\u0308 O\u2019Connor", "zoe o'connor"),
        ("Straße", "strasse"),
        ("+49 (0)30 / 123-45", "493012345"),
        ("NPI 12.345-6", "npi 123456"),
        ("ONC\u201301", "onc-01"),
        ("Mül\u200bler", "muller"),
        ("C++", "c++"),
    ],
)
def test_a_text_is_folded_as_people_search_for_it(text: str, folded: str) -> None:
    assert fold_text(text) == folded


def fold_there(texts: list[str]) -> list[str]:
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            cursor.execute(
                "SELECT vault_fold(t) FROM unnest(%s::text[]) WITH ORDINALITY AS u(t, n) ORDER BY n", [texts]
            )
            return [row[0] for row in cursor.fetchall()]
        return [cursor.execute("SELECT vault_fold(%s)", [text]).fetchone()[0] for text in texts]


def test_the_database_folds_every_letter_alike() -> None:
    letters = [chr(code) for code in range(0x20, 0x2000) if unicodedata.category(chr(code))[0] in "LNPSZ"]
    there = fold_there(letters)
    assert [
        (each, here, other) for each, other in zip(letters, there, strict=True) if (here := fold_text(each)) != other
    ] == []


@settings(max_examples=60, deadline=None)
@given(st.lists(st.text(alphabet="aÄłŁß\u0308\u2019 -.()/+0123Σς", max_size=12), min_size=1, max_size=30))
def test_the_database_folds_texts_alike(texts: list[str]) -> None:
    assert fold_there(texts) == [fold_text(each) for each in texts]


@pytest.mark.postgresql
@settings(max_examples=100, deadline=None)
@given(st.lists(st.text(alphabet="aAäÄbBlŁłoØøzsß _-.'0129", max_size=6), min_size=2, max_size=30, unique=True))
def test_both_databases_have_the_same_order(texts: list[str]) -> None:
    with connection.cursor() as cursor:
        cursor.execute('SELECT t FROM unnest(%s::text[]) AS u(t) ORDER BY t COLLATE "vault_sort"', [texts])
        there = [row[0] for row in cursor.fetchall()]
    assert sorted(texts, key=functools.cmp_to_key(compare_texts) if has_icu() else None) == there


def test_a_text_longer_than_any_pattern_is_found_nowhere() -> None:
    """SQLite refuses a pattern of more than 50,000 bytes; a pasted document is no reason for an error."""
    study = StudyFactory.create()
    for name in ("folded_contains", "folded_startswith", "folded_exact"):
        for text in ("x" * 60_000, "\u0142" * 30_000):
            assert not Study.objects.filter(**{f"name__{name}": text}).exists()
            assert Study.objects.exclude(**{f"name__{name}": text}).get() == study
