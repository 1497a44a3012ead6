"""Searches: SOSL and parameterizedSearch."""

from typing import Any

import pytest

from tests.crm_sync.sandbox.conftest import Api, describe_error


@pytest.fixture
def people(api: Api) -> dict[str, str]:
    """The ids of four people, by first name."""
    rows = [
        {"FirstName": "Aline", "LastName": "Moreau", "PersonEmail": "aline.moreau@clinic.example"},
        {"FirstName": "Bruno", "LastName": "Moreau-Petit", "External_ID_vod__c": "P-7 north"},
        {"FirstName": "Clara", "LastName": "Petit", "NPI_vod__c": "1234567890"},
        {"FirstName": "Moreau", "LastName": "Zola (Dr)"},
    ]
    return {row["FirstName"]: api.create("Account", **row) for row in rows}


def find(api: Api, sosl: str) -> list[dict[str, Any]]:
    response = api.get("/search", params={"q": sosl})
    assert response.status_code == 200, response.text
    records: list[dict[str, Any]] = response.json()["searchRecords"]
    return records


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("moreau", {"Aline", "Bruno", "Moreau"}),
        ("Mor*", {"Aline", "Bruno", "Moreau"}),
        ("Mor", set()),
        ("M?reau", {"Aline", "Bruno", "Moreau"}),
        ("moreau petit", {"Bruno"}),
        ("clara OR bruno", {"Clara", "Bruno"}),
        ("moreau AND NOT petit", {"Aline", "Moreau"}),
        ("petit AND (clara OR aline)", {"Clara"}),
        ('"Moreau Petit"', {"Bruno"}),
        ('"Petit Moreau"', set()),
        (r"aline\.moreau\@clinic.example", {"Aline"}),
        (r"P\-7", {"Bruno"}),
        (r"zola \(dr\)", {"Moreau"}),
        ("1234567890", {"Clara"}),
        ("1234", set()),
    ],
)
def test_words_are_found_as_wholes_in_any_field(
    api: Api, people: dict[str, str], text: str, expected: set[str]
) -> None:
    found = find(api, f"FIND {{{text}}} RETURNING Account(Id, FirstName)")
    assert {record["FirstName"] for record in found} == expected


@pytest.mark.parametrize(
    ("group", "text", "expected"),
    [("NAME", "petit", 2), ("EMAIL", "aline", 1), ("EMAIL", "bruno", 0), ("SIDEBAR", "aline", 1), ("ALL", "north", 1)],
)
def test_a_group_of_fields_is_searched(api: Api, people: dict[str, str], group: str, text: str, expected: int) -> None:
    assert len(find(api, f"FIND {{{text}}} IN {group} FIELDS RETURNING Account")) == expected


def test_each_object_returns_its_own_fields_in_order_and_number(api: Api, people: dict[str, str]) -> None:
    api.create("Clinical_Study_vod__c", Name="Moreau (1)", Vault_External_ID_vod__c="S1")
    sosl = (
        "FIND {moreau} IN ALL FIELDS RETURNING "
        "Account(Id, Name WHERE LastName != 'a(b)' ORDER BY Name DESC LIMIT 2), Clinical_Study_vod__c (Name) LIMIT 20"
    )
    found = find(api, sosl)
    assert [record["attributes"]["type"] for record in found] == ["Account", "Account", "Clinical_Study_vod__c"]
    assert [record["Name"] for record in found] == ["Moreau Zola (Dr)", "Bruno Moreau-Petit", "Moreau (1)"]
    assert "Id" not in found[2]
    assert len(find(api, f"{sosl[:-2]}1")) == 1


def test_without_objects_all_are_searched_and_ids_returned(api: Api, people: dict[str, str]) -> None:
    [record] = find(api, "FIND {Aline}")
    url = f"/services/data/v60.0/sobjects/Account/{people['Aline']}"
    assert record == {"attributes": {"type": "Account", "url": url}, "Id": people["Aline"]}


def test_deleted_and_hidden_records_are_not_found(api: Api, people: dict[str, str]) -> None:
    api.delete(f"/sobjects/Account/{people['Aline']}")
    api.session.post(f"{api.sandbox.base_url}/_sandbox/records/{people['Bruno']}/hide", timeout=30)
    assert [each["Id"] for each in find(api, "FIND {moreau}")] == [people["Moreau"]]


def test_old_versions_answer_with_an_array(api: Api, people: dict[str, str]) -> None:
    api.version = "v36.0"
    assert [each["Id"] for each in api.get("/search", params={"q": "FIND {clara}"}).json()] == [people["Clara"]]


@pytest.mark.parametrize(
    ("sosl", "code"),
    [
        ("", "MALFORMED_SEARCH"),
        ("clara", "MALFORMED_SEARCH"),
        ("FIND {a}", "MALFORMED_SEARCH"),
        ("FIND {}", "MALFORMED_SEARCH"),
        ("FIND {clara AND}", "MALFORMED_SEARCH"),
        ("FIND {(clara}", "MALFORMED_SEARCH"),
        ("FIND {clara)}", "MALFORMED_SEARCH"),
        ("FIND {clara} RETURNING", "MALFORMED_SEARCH"),
        ("FIND {clara} RETURNING Account(Id", "MALFORMED_SEARCH"),
        ("FIND {clara} LIMIT many", "MALFORMED_SEARCH"),
        ("FIND {clara} RETURNING Nothing__c", "INVALID_TYPE"),
        ("FIND {clara} RETURNING Account(Nothing__c)", "INVALID_FIELD"),
        ("FIND {clara} RETURNING Account(COUNT())", "MALFORMED_QUERY"),
    ],
)
def test_what_cannot_be_searched_is_refused(api: Api, sosl: str, code: str) -> None:
    assert describe_error(api.get("/search", params={"q": sosl})) == (400, code)


def test_parameters_say_what_is_searched(api: Api, people: dict[str, str]) -> None:
    address = "/parameterizedSearch?q=moreau&sobject=Account&sobject=Clinical_Study_vod__c&Account.fields=Id,FirstName"
    found = api.get(f"{address}&Account.orderBy=FirstName&Account.limit=2").json()["searchRecords"]
    assert [each["FirstName"] for each in found] == ["Aline", "Bruno"]
    assert len(api.get(f"{address}&overallLimit=1").json()["searchRecords"]) == 1
    body = {
        "q": "moreau",
        "fields": ["Id", "FirstName"],
        "sobjects": [{"name": "Account", "where": "LastName LIKE 'Z%'"}, {"name": "User", "fields": ["Id"]}],
        "in": "NAME",
        "overallLimit": 10,
        "defaultLimit": 5,
    }
    found = api.post("/parameterizedSearch", json=body).json()["searchRecords"]
    assert [(each["Id"], each["FirstName"]) for each in found] == [(people["Moreau"], "Moreau")]


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"q": ""},
        {"q": "clara", "sobjects": [{}]},
        {"q": "clara", "in": "NEITHER"},
        {"q": "clara", "overallLimit": "x"},
    ],
)
def test_parameters_that_do_not_fit_are_refused(api: Api, body: dict[str, Any]) -> None:
    assert describe_error(api.post("/parameterizedSearch", json=body)) == (400, "MALFORMED_SEARCH")
