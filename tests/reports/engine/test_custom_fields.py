"""Custom fields of every kind in reports: columns, order, groups and figures are those of their values."""

from __future__ import annotations

import datetime as dt
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from django.utils import timezone

from ctms.accounts.models import User
from ctms.audit.services import create_records, save_record
from ctms.configuration.models import CustomField
from ctms.core.choices import RecordStatus
from ctms.records.fields.references import HIDDEN
from ctms.reports.definition import TypeDefinition, build_definition
from ctms.reports.engine.columns import can_group, list_columns
from ctms.reports.engine.measures import list_functions
from ctms.reports.engine.opening import OpenReport, open_report
from ctms.reports.engine.rows import count_rows, iterate_rows, read_rows
from ctms.reports.engine.summaries import read_summary
from tests.factories.base import build_admin_actor, get_admin_user
from tests.factories.clinical import PersonFactory
from tests.kinds import choose_values, list_custom_names
from tests.reports.engine.test_engine import ask, list_texts, show
from tests.reports.engine.test_hidden import create_reader
from tests.sample.models import Training

pytestmark = [pytest.mark.django_db, pytest.mark.both_databases]

OBJECT = "training__v"
TRAININGS = TypeDefinition(primary=OBJECT)


def add_field(kind: str) -> CustomField:
    field = CustomField(
        of_object=OBJECT,
        api_name=f"{kind}__c",
        label=f"Own {kind}",
        kind=kind,
        picklist_values=choose_values(kind, "red", "blue"),
        reference_object="person__sys" if kind == "reference" else "",
    )
    create_records(records=[field], actor=build_admin_actor())
    return field


def create_trainings(*values: Any, kind: str) -> None:
    trainee = PersonFactory.create()
    create_records(
        records=[
            Training(
                name=f"T{number}",
                trainee=trainee,
                custom_fields={} if value is None else {f"{kind}__c": value},
            )
            for number, value in enumerate(values)
        ],
        actor=build_admin_actor(),
    )


def ask_trainings(user: User | None = None, **stored: Any) -> OpenReport:
    return ask(user or get_admin_user(), TRAININGS, **stored)


def walk(opened: OpenReport) -> list[list[str]]:
    found, place = [], ""
    while True:
        page = read_rows(opened, size=1, place=place)
        found += [[cell.text for cell in row] for row in page.rows]
        place = page.next
        if not place:
            return found


VALUES: dict[str, list[Any]] = {
    "text": ["b", "a", None, "a"],
    "long_text": ["b\nc", "a", None],
    "number": [2, 10.5, None, 2],
    "date": ["2026-03-01", "2026-02-28", None],
    "datetime": ["2026-02-28T23:30:00+00:00", "2026-03-01T00:30:00.250000+00:00", None],
    "yes_no": [True, False, None],
    "picklist": ["red", "blue", None],
    "multi_select": ["red;blue", "red", None],
    "currency": [{"amount": "5.00", "currency": "EUR"}, {"amount": "5.00", "currency": "USD"}, None],
    "url": ["https://example.org/b", "https://example.org/a", None],
}


@pytest.mark.parametrize("kind", sorted(list_custom_names()))
def test_each_kind_is_a_column_a_group_and_a_figure_as_far_as_it_can(kind: str) -> None:
    add_field(kind)
    person = PersonFactory.create()
    values = VALUES.get(kind) or [str(person.uid), None]
    create_trainings(*values, kind=kind)
    key = f"{kind}__c"
    [column] = [each for each in list_columns(ask_trainings().primary) if each.key == key]
    rows = list_texts(ask_trainings(columns=[key], sort=["name__v"]))
    assert [bool(row[0]) for row in rows] == [value is not None for value in values]
    for descending in (False, True):
        opened = open_report(
            definition=build_definition(
                type_definition=TRAININGS, stored={"columns": [key], "sort": [f"-{key}" if descending else key]}
            ),
            user=get_admin_user(),
        )
        if opened.problems:
            assert kind in ("long_text", "multi_select", "reference")
            continue
        texts = [[cell.text for cell in row] for row in iterate_rows(opened)]
        assert walk(opened) == texts
        assert texts[-1] == [""]
    measures = [{"function": str(each), "column": key} for each in list_functions(column)]
    total = read_summary(ask_trainings(groups=[{"column": "status__v"}], measures=[{}, *measures][:6]), size=9).total
    assert total.figures[0].value == len(values)
    if can_group(column.field):
        opened = ask_trainings(columns=[key], groups=[{"column": key}])
        lines = read_summary(opened, size=20).lines
        assert sum(count_rows(opened, at=line.at) for line in lines) == len(values)
        assert [count_rows(opened, at=line.at) for line in lines] == [line.figures[0].value for line in lines]
        assert lines[-1].values[0].text == "(empty)"


def test_amounts_are_added_by_currency_and_never_a_group() -> None:
    add_field("currency")
    amounts = [("10.10", "EUR"), ("0.20", "EUR"), ("7", "JPY"), ("-3.30", "USD")]
    create_trainings(*({"amount": amount, "currency": code} for amount, code in amounts), None, kind="currency")
    measures = [{"function": name, "column": "currency__c"} for name in ("sum", "least", "count")]
    page = read_summary(ask_trainings(groups=[{"column": "status__v"}], measures=measures), size=5)
    assert [each.text for each in page.lines[0].figures] == [
        "10.30 EUR; 7 JPY; -3.30 USD",
        "0.20 EUR; 7 JPY; -3.30 USD",
        "4",
    ]
    assert [each.text for each in page.total.figures] == [each.text for each in page.lines[0].figures]
    for stored in (
        {"groups": [{"column": "currency__c"}]},
        {"groups": [{"column": "status__v", "by_measure": 0}], "measures": measures[:1]},
    ):
        definition = build_definition(type_definition=TRAININGS, stored=stored)
        assert [each.part for each in open_report(definition=definition, user=get_admin_user()).problems] == ["groups"]


def test_groups_of_yes_no_and_choices_have_their_words() -> None:
    add_field("yes_no")
    create_trainings(True, False, True, kind="yes_no")
    opened = ask_trainings(groups=[{"column": "yes_no__c", "by_measure": 0, "descending": True}])
    assert show(read_summary(opened, size=5)) == [(["Yes"], ["2"]), (["No"], ["1"])]


def test_moments_belong_to_the_month_and_the_day_of_the_readers_time_zone() -> None:
    add_field("datetime")
    create_trainings(*VALUES["datetime"], kind="datetime")
    for zone, months in (
        ("UTC", ["February 2026", "March 2026"]),
        ("Europe/Vienna", ["March 2026"]),
        ("America/New_York", ["February 2026"]),
    ):
        with timezone.override(ZoneInfo(zone)):
            opened = ask_trainings(groups=[{"column": "datetime__c", "period": "month"}])
            lines = read_summary(opened, size=5).lines
            assert [line.values[0].text for line in lines] == [*months, "(empty)"]
            assert [count_rows(opened, at=line.at) for line in lines] == [line.figures[0].value for line in lines]


def test_custom_moments_of_the_last_day_are_those_of_24_hours() -> None:
    add_field("datetime")
    now = timezone.now()
    moments = [now - dt.timedelta(hours=23), now - dt.timedelta(hours=25), now + dt.timedelta(hours=1)]
    create_trainings(*(each.astimezone(dt.UTC).isoformat() for each in moments), kind="datetime")
    filters = [{"field": "datetime__c", "operator": "within", "values": ["last_1_days"]}]
    assert list_texts(ask_trainings(columns=["name__v"], filters=filters)) == [["T0"]]


def test_a_custom_reference_to_what_is_hidden_says_so() -> None:
    add_field("reference")
    person = PersonFactory.create(last_name="Stranger")
    create_trainings(str(person.uid), None, kind="reference")
    rows = list_texts(ask_trainings(columns=["reference__c"], sort=["name__v"]))
    assert [bool("Stranger" in row[0]) for row in rows] == [True, False]
    reader = create_reader(None, OBJECT)
    assert list_texts(ask_trainings(reader, columns=["reference__c"], sort=["name__v"])) == [[HIDDEN], [""]]


def test_a_report_whose_field_became_inactive_says_so_and_does_not_run() -> None:
    field = add_field("text")
    create_trainings("a", kind="text")
    stored: dict[str, Any] = {
        "columns": ["text__c"],
        "sort": ["text__c"],
        "groups": [{"column": "text__c"}],
        "measures": [{"function": "count", "column": "text__c"}],
        "filters": [{"field": "text__c", "operator": "is", "values": ["a"]}],
    }
    ask_trainings(**stored)
    field.status = RecordStatus.INACTIVE
    save_record(record=field, actor=build_admin_actor())
    definition = build_definition(type_definition=TRAININGS, stored=stored)
    found = open_report(definition=definition, user=get_admin_user()).problems
    assert sorted(each.part for each in found) == ["columns", "filters", "groups", "measures", "sort"]
    assert all("text__c" in each.text for each in found)
