"""Each operator on each kind of field, compared with a plain predicate in Python over the same records."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import pytest
import time_machine
from django.http import QueryDict
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from ctms.audit.services import create_records
from ctms.clinical.models import Person
from ctms.configuration.models import CustomField
from ctms.configuration.snapshot import load_configuration
from ctms.records.conditions.addresses import read_address, write_address
from ctms.records.conditions.askers import UserAsker, VaultAsker
from ctms.records.conditions.compiling import compile_conditions
from ctms.records.conditions.errors import ConditionError
from ctms.records.conditions.matching import limit_records
from ctms.records.fields.comparing.askers import Asker
from ctms.records.lists.filters import read_filters
from tests.factories.base import build_admin_actor
from tests.factories.clinical import PersonFactory
from tests.records.trainings import OBJECT, add_custom_fields, open_trainings
from tests.sample.models import Training

pytestmark = [pytest.mark.django_db, pytest.mark.both_databases]

TODAY = dt.date(2026, 3, 4)
# Two conditions on one field that must both hold, and that no value can fulfil, are refused.
_REVERSED = "is after “until”"
_TEXTS = ["dose", "Dose 2", "50%", "a_b", "Acme, Inc."]
_DAYS = ["2025-12-31", "2026-02-02", "2026-03-03", "2026-03-04", "2026-03-05", "2026-03-08", "2026-04-01", "2027-01-01"]
_AMOUNTS = ["0", "1.5", "7", "33"]
_NUMBERS = ["0", "1", "1.5", "2", "7", "33"]
_PERIODS: Mapping[str, Callable[[dt.date], bool]] = {
    "today": lambda day: day == TODAY,
    "yesterday": lambda day: day == dt.date(2026, 3, 3),
    "tomorrow": lambda day: day == dt.date(2026, 3, 5),
    "before_today": lambda day: day < TODAY,
    "after_today": lambda day: day > TODAY,
    "last_30_days": lambda day: dt.date(2026, 2, 2) <= day <= TODAY,
    "next_1_months": lambda day: TODAY <= day <= dt.date(2026, 4, 4),
    "last_2_weeks": lambda day: dt.date(2026, 2, 18) <= day <= TODAY,
    "this_week": lambda day: dt.date(2026, 3, 2) <= day <= dt.date(2026, 3, 8),
    "next_month": lambda day: (day.year, day.month) == (2026, 4),
    "last_quarter": lambda day: dt.date(2025, 10, 1) <= day <= dt.date(2025, 12, 31),
    "next_year": lambda day: day.year == 2027,
}


@dataclass(frozen=True)
class _Kind:
    """How to ask about a kind of field, and how Python answers."""

    values: list[str]
    operators: tuple[str, ...]
    read: Callable[[str], Any] = str


_TEXT = _Kind([*_TEXTS, "DOSE", "os"], ("is", "is_not", "contains", "not_contains", "begins"))
_LISTED = _Kind(["classroom__v", "online__v"], ("is", "is_not"))
_COLOUR = _Kind(["red", "blue"], ("is", "is_not"))
_YES_NO = _Kind(["true", "false"], ("is",), lambda text: text == "true")
_NUMBER = _Kind(_NUMBERS, ("is", "is_not", "from", "until", "between"), Decimal)
_DAY = _Kind(_DAYS, ("is", "is_not", "from", "until", "between", "within", "not_within"), dt.date.fromisoformat)
_PERSON = _Kind([], ("is", "is_not"))
_COLOURS = _Kind(["red", "blue"], ("is", "is_not", "has_all"))


class _Money:
    """An amount, with or without a currency. Without one, it is compared with amounts in any."""

    def __init__(self, text: str) -> None:
        amount, _, self.currency = text.partition(" ")
        self.amount = Decimal(amount)

    def _fits(self, other: _Money) -> bool:
        return not other.currency or self.currency == other.currency

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Money) and self._fits(other) and self.amount == other.amount

    def __ge__(self, other: _Money) -> bool:
        return self._fits(other) and self.amount >= other.amount

    def __le__(self, other: _Money) -> bool:
        return self._fits(other) and self.amount <= other.amount

    __hash__ = None  # type: ignore[assignment]


_MONEY = _Kind(["0", "1.5", "1.5 EUR", "7 USD", "33 EUR"], ("is", "is_not", "from", "until"), _Money)


def _custom(name: str, read: Callable[[Any], Any] = lambda value: value) -> Callable[[Training], Any]:
    return lambda record: read(record.custom_fields[name]) if name in record.custom_fields else None


def _follow_custom(record: Training) -> str | None:
    uid = record.custom_fields.get("person__c")
    return Person.objects.get(uid=uid).last_name if uid else None


# Path → kind, how Python reads it from a record, and whether rules may ask it too.
_FIELDS: Mapping[str, tuple[_Kind, Callable[[Training], Any], bool]] = {
    "name__v": (_TEXT, lambda record: record.name, True),
    "remarks__v": (_TEXT, lambda record: record.remarks, True),
    "method__v": (_LISTED, lambda record: record.method, True),
    "passed__v": (_YES_NO, lambda record: record.passed, True),
    "hours__v": (_NUMBER, lambda record: record.hours, True),
    "date__v": (_DAY, lambda record: record.date, True),
    "trainee__v": (_PERSON, lambda record: str(record.trainee.uid), True),
    "trainee__v.last_name__sys": (_TEXT, lambda record: record.trainee.last_name, True),
    "trainee__v.phone__v": (_TEXT, lambda record: record.trainee.phone, True),
    "text__c": (_TEXT, _custom("text__c"), True),
    "number__c": (_NUMBER, _custom("number__c", lambda value: Decimal(str(value))), True),
    "date__c": (_DAY, _custom("date__c", dt.date.fromisoformat), True),
    "datetime__c": (_DAY, _custom("datetime__c", lambda text: dt.datetime.fromisoformat(text).date()), True),
    "yes_no__c": (_YES_NO, _custom("yes_no__c"), True),
    "picklist__c": (_COLOUR, _custom("picklist__c"), True),
    "multi_select__c": (_COLOURS, _custom("multi_select__c", lambda text: text.split(";")), True),
    "currency__c": (_MONEY, _custom("currency__c", lambda kept: _Money(f"{kept['amount']} {kept['currency']}")), True),
    "person__c": (_PERSON, _custom("person__c"), True),
    "person__c.last_name__sys": (_TEXT, _follow_custom, False),
}


def holds(record: Training, stored: dict[str, Any]) -> bool:
    """Whether a record fulfils a stored condition or group, said without a database."""
    for joint, join in (("all", all), ("any", any)):
        if joint in stored:
            return join(holds(record, each) for each in stored[joint])
    kind, read, _ = _FIELDS[stored["field"]]
    value, operator = read(record), stored["operator"]
    asked = [each if operator.endswith("within") else kind.read(each) for each in stored["values"]]
    if operator in ("is_not", "not_contains", "not_within", "not_empty"):
        return not holds(record, {**stored, "operator": operator.replace("is_not", "is").removeprefix("not_")})
    if operator == "empty":
        return value in (None, "")
    if value in (None, ""):
        return False
    answers: dict[str, Callable[[], bool]] = {
        "is": lambda: (
            any(each in value for each in asked) if kind is _COLOURS else any(value == each for each in asked)
        ),
        "has_all": lambda: all(each in value for each in asked),
        "contains": lambda: any(each.lower() in value.lower() for each in asked),
        "begins": lambda: any(value.lower().startswith(each.lower()) for each in asked),
        "from": lambda: value >= asked[0],
        "until": lambda: value <= asked[0],
        "between": lambda: asked[0] <= value <= asked[-1],
        "within": lambda: _PERIODS[asked[0]](value),
    }
    return answers[operator]()


@st.composite
def conditions(draw: st.DrawFn, *, paths: tuple[str, ...], people: tuple[str, ...]) -> dict[str, Any]:
    path = draw(st.sampled_from(paths))
    kind = _FIELDS[path][0]
    operator = draw(st.sampled_from([*kind.operators, "empty", "not_empty"]))
    choices = list(people) if kind is _PERSON else kind.values
    if operator in ("empty", "not_empty"):
        values = []
    elif operator in ("within", "not_within"):
        values = [draw(st.sampled_from(sorted(_PERIODS)))]
    elif operator in ("from", "until"):
        values = [draw(st.sampled_from(choices))]
    elif operator == "between":
        values = sorted(draw(st.lists(st.sampled_from(choices), min_size=2, max_size=2)), key=kind.read)
    else:
        values = draw(st.lists(st.sampled_from(choices), min_size=1, max_size=3, unique=True))
    return {"field": path, "operator": operator, "values": values}


def trees(*, paths: tuple[str, ...], people: tuple[str, ...]) -> st.SearchStrategy[list[dict[str, Any]]]:
    """Return conditions that must all hold, with groups as deep as they may stand in each other."""
    single = conditions(paths=paths, people=people)
    inner = st.one_of(single, st.lists(single, min_size=1, max_size=3).map(lambda each: {"all": each}))
    group = st.lists(inner, min_size=1, max_size=3).map(lambda each: {"any": each})
    return st.lists(st.one_of(single, single, group), min_size=1, max_size=3)


@pytest.fixture
def records() -> list[Training]:
    """Trainings with values of every kind; each field is empty in some of them."""
    add_custom_fields()
    others = [
        CustomField(
            of_object=OBJECT,
            api_name="multi_select__c",
            label="Colours",
            kind="multi_select",
            picklist_values=["red", "blue"],
        ),
        CustomField(of_object=OBJECT, api_name="currency__c", label="Money", kind="currency"),
    ]
    create_records(records=others, actor=build_admin_actor())
    people = [
        PersonFactory.create(last_name=name, phone=phone, email=f"person-{phone}@example.org")
        for name, phone in (("Dose 2", "1"), ("Acme, Inc.", ""), ("50%", "2"))
    ]
    made = []
    for number in range(24):
        day, text = _DAYS[number % 8], _TEXTS[number % 5]
        custom = {
            "text__c": text,
            "number__c": float(_NUMBERS[number % 6]),
            "date__c": day,
            "datetime__c": f"{day}T23:30:00+00:00",
            "yes_no__c": bool(number % 2),
            "picklist__c": "red" if number % 3 else "blue",
            "multi_select__c": ["red", "blue", "red;blue"][number % 3],
            "currency__c": {"amount": _AMOUNTS[number % 4], "currency": "EUR" if number % 2 else "USD"},
            "person__c": str(people[number % 3].uid),
        }
        gone = list(custom)[number % 7 :: 3]  # each is missing somewhere
        made.append(
            Training(
                name=text,
                trainee=people[number // 8],
                date=dt.date.fromisoformat(day) if number % 5 else None,
                hours=number % 4 * 11 if number % 3 else None,
                method=["", "online__v", "classroom__v"][number % 3],
                passed=bool(number % 2),
                remarks=text if number % 4 else "",
                custom_fields={name: value for name, value in custom.items() if name not in gone},
            )
        )
    return create_records(records=made, actor=build_admin_actor())


def _select(*, asker: Asker, stored: list[dict[str, Any]]) -> set[int]:
    group = compile_conditions(asker=asker, object_name=OBJECT, stored=stored)
    limited = limit_records(records=Training.objects.all(), group=group, asker=asker)
    return set(limited.values_list("pk", flat=True))


_MANY = hypothesis_settings(
    max_examples=120, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)


@time_machine.travel(dt.datetime(2026, 3, 4, 12, tzinfo=dt.UTC), tick=False)
def test_what_the_database_selects_is_what_python_selects(records: list[Training]) -> None:
    user, people = UserAsker(access=open_trainings()), tuple(str(each.uid) for each in Person.objects.order_by("pk"))
    vault = VaultAsker(configuration=load_configuration())

    @_MANY
    @given(trees(paths=tuple(_FIELDS), people=people))
    def check(stored: list[dict[str, Any]]) -> None:
        expected = {each.pk for each in records if all(holds(each, part) for part in stored)}
        try:
            assert _select(asker=user, stored=stored) == expected
        except ConditionError as error:
            assert _REVERSED in error.text  # noqa: PT017  refused at every door
            return
        if all(_FIELDS[path][2] for path in _list_paths(stored)):
            assert _select(asker=vault, stored=stored) == expected

    check()


@time_machine.travel(dt.datetime(2026, 3, 4, 12, tzinfo=dt.UTC), tick=False)
def test_an_address_says_what_is_stored(records: list[Training]) -> None:
    access, people = open_trainings(), tuple(str(each.uid) for each in Person.objects.order_by("pk"))
    asker = UserAsker(access=access)

    @_MANY
    @given(trees(paths=tuple(_FIELDS), people=people))
    def check(stored: list[dict[str, Any]]) -> None:
        query = QueryDict(mutable=True)
        for name, value in write_address(stored):
            query.appendlist(name, value)
        address = read_address(asker=asker, object_name=OBJECT, parameters=query)
        assert (address.problems, address.unknown) == ({}, [])
        filters = read_filters(access=access, parameters=QueryDict(query.urlencode()))
        expected = {each.pk for each in records if all(holds(each, part) for part in stored)}
        if filters.problems:
            assert all(_REVERSED in text for texts in filters.problems.values() for text in texts)
        else:
            assert set(filters.limit(Training.objects.all()).values_list("pk", flat=True)) == expected

    check()


def _list_paths(stored: list[dict[str, Any]]) -> list[str]:
    found: list[str] = []
    for each in stored:
        group = each.get("all") or each.get("any")
        found += _list_paths(group) if group else [each["field"]]
    return found
