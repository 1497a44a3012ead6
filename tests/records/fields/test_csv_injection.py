"""Exported texts are not formulas, however the file is opened, and an import restores them."""

from __future__ import annotations

import csv
import io
from typing import Any

import pytest
from django.test import Client
from hypothesis import given
from hypothesis import strategies as st

from ctms.clinical.models import Study
from ctms.records.bulk.imports.files import read_cell, write_line
from ctms.records.fields.csv_injection import neutralise_line, restore
from tests.factories.accounts import UserFactory
from tests.factories.clinical import StudyFactory
from tests.records.bulk.steps import do_import

SIGNS = ("=", "+", "-", "@")
TEXTS = st.text(alphabet="a1 =+-@'\";,\t\r\n")


def test_only_the_beginning_of_a_cell_makes_a_formula() -> None:
    texts = ["", "a=1", " =1", "=1", "-1", "'=1", "''-5 degrees", "'a'"]
    assert [neutralise_line(text) for text in texts] == [
        *["", "a=1", " =1", "'=1", "'-1", "''=1", "'''-5 degrees", "'a'"]
    ]


def test_in_a_file_a_cell_may_begin_in_the_middle_of_a_text() -> None:
    texts = ["a;=1+1", "a\t@b", "a\n=1", "a\r\n- b", 'a;"=1', "a;'=1", "a; b", "a;b=1", ";;+1"]
    assert [neutralise_line(text) for text in texts] == [
        *["a;'=1+1", "a\t'@b", "a\n'=1", "a\r\n'- b", "a;\"'=1", "a;''=1", "a; b", "a;b=1", ";;'+1"]
    ]


@given(text=TEXTS)
def test_what_was_neutralised_is_restored(text: str) -> None:
    assert restore(neutralise_line(text)) == text
    assert read_cell(neutralise_line(text)) == text.strip()


@given(texts=st.lists(TEXTS, min_size=1, max_size=3), delimiter=st.sampled_from([",", ";", "\t"]))
def test_no_cell_is_a_formula_whatever_separates_the_lists_of_a_spreadsheet(texts: list[str], delimiter: str) -> None:
    rows = csv.reader(io.StringIO(write_line(texts), newline=""), delimiter=delimiter)
    assert [cell for row in rows for cell in row if cell.startswith(SIGNS)] == []


@pytest.mark.django_db
def test_an_export_changes_nothing_when_it_is_imported(client: Client) -> None:
    client.force_login(UserFactory.create(is_superuser=True))
    values = {"study_name": "a;=1+1", "protocol_title": "'-5 degrees", "sponsor": "''@x"}
    study = StudyFactory.create(**values)
    response: Any = client.get(
        "/records/study__v/export.csv?columns=name__v,study_name__v,protocol_title__v,sponsor__v"
    )
    content = response.getvalue()
    assert do_import(client, "study__v", content, key="name__v").counts == {"unchanged": 1}
    do_import(client, "study__v", content.replace(study.name.encode(), b"COPY"), key="name__v")
    copy = Study.objects.get(name="COPY")
    assert {name: getattr(copy, name) for name in values} == values
