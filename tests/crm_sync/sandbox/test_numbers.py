"""Number fields: what they take, how they are described and returned, and that queries compare them without quotes."""

# ruff: noqa: S608  SOQL under test

from typing import Any

import pytest

from tests.crm_sync.sandbox.conftest import Api, describe_error

NUMBER = "Customer_Number__c"


def create(api: Api, value: object) -> Any:
    return api.post("/sobjects/Account", json={"LastName": "Weber", NUMBER: value})


def read(api: Api, condition: str) -> Any:
    return api.get("/query", params={"q": f"SELECT {NUMBER} FROM Account WHERE {condition}"})


def test_a_number_is_described_with_its_digits(api: Api) -> None:
    fields = api.get("/sobjects/Account/describe").json()["fields"]
    field = next(each for each in fields if each["name"] == NUMBER)
    assert {key: field[key] for key in ("type", "soapType", "precision", "length", "unique", "externalId")} == {
        "type": "double",
        "soapType": "xsd:double",
        "precision": 18,
        "length": 0,
        "unique": True,
        "externalId": True,
    }


@pytest.mark.parametrize(
    ("sent", "stored"), [(4711, 4711.0), ("4711", 4711.0), (-12.5, -12.5), ("", None), (None, None)]
)
def test_numbers_are_taken_as_numbers_or_text(api: Api, sent: object, stored: object) -> None:
    assert create(api, sent).status_code == 201
    [row] = read(api, "LastName = 'Weber'").json()["records"]
    assert row[NUMBER] == stored


@pytest.mark.parametrize(
    ("sent", "code"),
    [
        ("x", "JSON_PARSER_ERROR"),
        (True, "JSON_PARSER_ERROR"),
        ("NaN", "NUMBER_OUTSIDE_VALID_RANGE"),
        (10**18, "NUMBER_OUTSIDE_VALID_RANGE"),
    ],
)
def test_what_is_no_number_is_refused(api: Api, sent: object, code: str) -> None:
    assert describe_error(create(api, sent)) == (400, code)


def test_a_number_is_unique(api: Api) -> None:
    create(api, 7)
    assert describe_error(create(api, "7")) == (400, "DUPLICATE_VALUE")


def test_queries_compare_numbers_without_quotes_and_refuse_them_with_quotes(api: Api) -> None:
    for number in (7, 12.5, -5):
        create(api, number)
    assert [row[NUMBER] for row in read(api, f"{NUMBER} IN (7, -5) ORDER BY {NUMBER}").json()["records"]] == [-5.0, 7.0]
    assert [row[NUMBER] for row in read(api, f"{NUMBER} = 12.5").json()["records"]] == [12.5]
    assert [row[NUMBER] for row in read(api, f"{NUMBER} > 0 ORDER BY {NUMBER}").json()["records"]] == [7.0, 12.5]
    refused = read(api, f"{NUMBER} IN ('7')")
    assert describe_error(refused) == (400, "INVALID_FIELD")
    message = refused.json()[0]["message"]
    assert f"value of filter criterion for field '{NUMBER}' must be of type double" in message
    assert message.endswith("should not be enclosed in quotes")
