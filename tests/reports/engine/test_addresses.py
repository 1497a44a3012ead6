"""What addresses name: groups that there are, groups that there are not, and what nobody should have written."""

from __future__ import annotations

from typing import Any

import pytest

from ctms.reports.definition import TypeDefinition
from ctms.reports.engine.keyset import InvalidPlaceError
from ctms.reports.engine.rows import UnknownGroupError, count_rows, iterate_rows, read_rows
from ctms.reports.engine.summaries import read_summary
from tests.factories.activities import ActivityFactory
from tests.factories.base import get_admin_user
from tests.reports.engine.test_custom_fields import add_field, ask_trainings, create_trainings
from tests.reports.engine.test_engine import ask

pytestmark = [pytest.mark.django_db, pytest.mark.both_databases]

HOSTILE: list[Any] = [
    "\x00",
    "a\x00b",
    "\ud800",
    "' OR 1=1 --",
    "%",
    "9" * 400,
    "-1",
    "0",
    "1e400",
    "1e-400",
    "NaN",
    "Infinity",
    "1.5",
    "hidden",
    "true",
    "True",
    "0001-01-01",
    "9999-12-31",
    "2026-02-30",
    "2026-W01-1",
    "x" * 100_000,
    5,
    2.5,
    True,
    ["a"],
    {"a": 1},
]
COLUMNS = [
    {"column": "person__v"},
    {"column": "site__v"},
    {"column": "created_by__v"},
    {"column": "subject__v"},
    {"column": "complete__v"},
    {"column": "channel__v"},
    {"column": "date__v"},
    {"column": "date__v", "period": "month"},
    {"column": "created_date__v", "period": "year"},
]


@pytest.mark.parametrize("group", COLUMNS, ids=str)
def test_a_group_that_is_none_of_the_report_has_no_rows_or_is_said_to_be_none(group: dict[str, str]) -> None:
    ActivityFactory.create()
    opened = ask(get_admin_user(), columns=["subject__v"], groups=[group])
    known = [line.at[0] for line in read_summary(opened, size=5).lines]
    for identity in HOSTILE:
        if identity in known:
            continue
        try:
            assert count_rows(opened, at=[identity]) == 0, identity
            assert list(iterate_rows(opened, at=[identity])) == []
        except UnknownGroupError as error:
            assert "There is no group" in str(error)  # noqa: PT017  both answers are right


@pytest.mark.parametrize("kind", ["number", "text", "date", "datetime", "yes_no", "picklist"])
def test_so_it_is_with_groups_of_custom_fields(kind: str) -> None:
    add_field(kind)
    values = {"number": 2, "yes_no": True, "date": "2026-03-01", "datetime": "2026-03-01T10:00:00+00:00"}
    create_trainings(values.get(kind, "red"), kind=kind)
    opened = ask_trainings(columns=["name__v"], groups=[{"column": f"{kind}__c"}])
    known = [line.at[0] for line in read_summary(opened, size=5).lines]
    for identity in HOSTILE:
        if identity in known:
            continue
        try:
            assert count_rows(opened, at=[identity]) == 0, identity
        except UnknownGroupError as error:
            assert "There is no group" in str(error)  # noqa: PT017  both answers are right


def test_more_groups_than_the_report_has_are_refused() -> None:
    opened = ask(get_admin_user(), columns=["subject__v"], groups=[{"column": "channel__v"}])
    with pytest.raises(UnknownGroupError, match="has 1 groups"):
        read_rows(opened, size=1, at=["a", "b"])


def test_a_place_of_another_report_order_or_group_is_refused() -> None:
    for subject in ("a", "b"):
        ActivityFactory.create(subject=subject)
    first = ask(get_admin_user(), columns=["subject__v"], sort=["subject__v"], groups=[{"column": "channel__v"}])
    other = ask(get_admin_user(), columns=["subject__v"], sort=["-subject__v"], groups=[{"column": "channel__v"}])
    place = read_rows(first, size=1).next
    assert read_rows(first, size=1, place=place).rows
    for opened, at in ((other, []), (first, ["phone__v"])):
        with pytest.raises(InvalidPlaceError):
            read_rows(opened, size=1, place=place, at=at)
    for wrong in (place[:-1], "x", "\x00", "ö"):
        with pytest.raises(InvalidPlaceError):
            read_rows(first, size=1, place=wrong)
    trainings = ask(get_admin_user(), TypeDefinition(primary="training__v"), columns=["name__v"], sort=["name__v"])
    with pytest.raises(InvalidPlaceError):
        read_rows(trainings, size=1, place=place)
