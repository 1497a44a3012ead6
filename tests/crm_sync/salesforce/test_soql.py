"""SOQL is built from checked names and escaped literals, and fits into a URL."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta, timezone
from itertools import chain

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crm_sync.crm.errors import ConfigurationError
from crm_sync.salesforce import soql


@pytest.mark.parametrize("name", ["Account", "External_ID_vod__c", "CreatedBy.FirstName", "a.b.c", "X1"])
def test_names_of_objects_and_related_fields_are_accepted(name: str) -> None:
    assert soql.check_name(name) == name


@pytest.mark.parametrize(
    "name",
    ["", "1A", "_a", "a b", "a,b", "a'", "a;", "a.", ".a", "a..b", "Account\n", "Ä", "(SELECT Id FROM X)"],
)
def test_anything_else_is_refused_and_quoted_in_the_message(name: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        soql.check_name(name)
    assert caught.value.message == f"{name!r} is not a name of an object or field of the CRM."
    assert caught.value.error_type == "configuration"


@pytest.mark.parametrize(
    ("value", "literal"),
    [
        ("Meyer", "'Meyer'"),
        ("O'Brien", r"'O\'Brien'"),
        ("a\\", r"'a\\'"),
        ("\\' OR Name != '", r"'\\\' OR Name != \''"),
        ("two\nlines\r\t\f", r"'two\nlines\r\t\f'"),
        ("bell\x07 nul\x00 del\x7f", r"'bell\u0007 nul\u0000 del\u007f'"),
        ("half \ud83d", r"'half \ud83d'"),
        ("Zoë 李 😀", "'Zoë 李 😀'"),
        ("", "''"),
    ],
)
def test_strings_are_escaped(value: str, literal: str) -> None:
    assert soql.quote(value) == literal


def unescape(literal: str) -> str:
    """Read a literal as the CRM does, and fail if it ends before its last quote."""
    plain = {"n": "\n", "r": "\r", "t": "\t", "f": "\f", "'": "'", "\\": "\\"}
    inner, value, position = literal[1:-1], "", 0
    while position < len(inner):
        character = inner[position]
        assert character != "'"
        if character != "\\":
            value, position = value + character, position + 1
        elif inner[position + 1] == "u":
            value, position = value + chr(int(inner[position + 2 : position + 6], 16)), position + 6
        else:
            value, position = value + plain[inner[position + 1]], position + 2
    return value


@given(st.text(st.characters()))
def test_no_string_leaves_its_literal_and_every_string_is_read_back(value: str) -> None:
    assert unescape(soql.quote(value)) == value


def test_a_datetime_is_written_in_utc_and_cut_to_milliseconds() -> None:
    moment = datetime(2026, 3, 1, 1, 30, 15, 999_999, tzinfo=timezone(timedelta(hours=2)))
    assert soql.format_datetime(moment) == "2026-02-28T23:30:15.999Z"


def test_a_datetime_without_time_zone_is_refused() -> None:
    with pytest.raises(ValueError, match="needs a time zone"):
        soql.format_datetime(datetime(2026, 3, 1))  # noqa: DTZ001  the point of the test


@pytest.mark.parametrize(
    ("value", "condition"),
    [
        ("Saved_vod", "A = 'Saved_vod'"),
        (True, "A = true"),
        (False, "A = false"),
        (None, "A = null"),
        (7, "A = 7"),
        (date(2026, 3, 1), "A = 2026-03-01"),
        (datetime(2026, 3, 1, tzinfo=UTC), "A = 2026-03-01T00:00:00.000Z"),
    ],
)
def test_a_condition_writes_its_value_by_type(value: soql.Literal, condition: str) -> None:
    assert soql.compare("A", "=", value) == condition


def test_a_condition_takes_no_operator_that_soql_does_not_have() -> None:
    with pytest.raises(ValueError, match="no comparison"):
        soql.compare("A", "= 'x' OR A =", "x")


def test_a_select_names_fields_conditions_and_order() -> None:
    query = soql.build_select(
        "Call2_vod__c",
        ["Id", "Name", "CreatedBy.Email", "id"],
        where=[
            soql.compare("Send_to_Vault_Clinical_vod__c", "=", True),
            soql.compare("SystemModstamp", ">=", datetime(2026, 3, 1, tzinfo=UTC)),
            soql.is_in("Status_vod__c", ["Saved_vod", "Submitted_vod"]),
        ],
        order_by="SystemModstamp, Id desc",
        limit=5,
    )
    assert query == (
        "SELECT Id, Name, CreatedBy.Email FROM Call2_vod__c WHERE Send_to_Vault_Clinical_vod__c = true"
        " AND SystemModstamp >= 2026-03-01T00:00:00.000Z AND Status_vod__c IN ('Saved_vod', 'Submitted_vod')"
        " ORDER BY SystemModstamp, Id DESC LIMIT 5"
    )


def test_a_select_without_condition_has_no_where() -> None:
    assert soql.build_select("Account", ["Id"], where="", order_by=["Id"]) == "SELECT Id FROM Account ORDER BY Id"


@pytest.mark.parametrize(
    ("object_name", "fields", "order_by"),
    [("Account a", ["Id"], ""), ("Account", ["Id", "x'y"], ""), ("Account", ["Id"], "1=1")],
)
def test_a_select_refuses_a_bad_name_anywhere(object_name: str, fields: list[str], order_by: str) -> None:
    with pytest.raises(ConfigurationError, match="is not a name of an object or field"):
        soql.build_select(object_name, fields, order_by=order_by)


def test_a_select_refuses_what_is_no_direction_and_no_fields() -> None:
    with pytest.raises(ValueError, match="is no ordering"):
        soql.build_select("Account", ["Id"], order_by="Id LIMIT 1")
    with pytest.raises(ValueError, match="at least one field"):
        soql.build_select("Account", [])


def test_an_empty_list_of_values_is_refused() -> None:
    with pytest.raises(ValueError, match="must not be empty"):
        soql.is_in("Id", [])


def test_numbers_stand_without_quotes_and_nothing_else_does() -> None:
    assert soql.is_in("Number__c", ["7", "12.5"], are_numbers=True) == "Number__c IN (7, 12.5)"
    with pytest.raises(ValueError, match="is no number of SOQL"):
        soql.is_in("Number__c", ["7) OR (Id != null"], are_numbers=True)


def test_short_values_come_two_hundred_at_a_time() -> None:
    values = [f"P-{number}" for number in range(450)]
    chunks = list(soql.chunk_values_by_url(values))
    assert [len(chunk) for chunk in chunks] == [200, 200, 50]
    assert list(chain.from_iterable(chunks)) == values


@given(st.lists(st.text(max_size=255), max_size=300))
def test_every_chunk_of_identifiers_fits_into_a_url(values: list[str]) -> None:
    chunks = list(soql.chunk_values_by_url(values))
    assert list(chain.from_iterable(chunks)) == values
    for chunk in chunks:
        assert soql.measure_in_url(", ".join(map(soql.quote, chunk))) <= 12_000


def test_a_value_longer_than_the_bound_comes_alone() -> None:
    assert list(soql.chunk_values_by_url(["a", "x" * 50, "b"], 40)) == [["a"], ["x" * 50], ["b"]]
