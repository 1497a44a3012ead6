"""The results of queries over HTTP."""

# ruff: noqa: S608  SOQL under test

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from crm_sync.sandbox import RunningSandbox
from tests.crm_sync.sandbox.conftest import Api, describe_error, measure_to_noon


@pytest.fixture
def people(sandbox: RunningSandbox) -> dict[str, str]:
    """Create five accounts that differ in the fields queried. Return their ids by last name."""
    organisation = sandbox.organisation
    rows: list[dict[str, Any]] = [
        {"LastName": "Émile", "FirstName": "A", "External_ID_vod__c": "x1", "NPI_vod__c": "abc"},
        {"LastName": "émile", "FirstName": "B", "External_ID_vod__c": "X1", "NPI_vod__c": "ABC"},
        {"LastName": "O'Brien", "External_ID_vod__c": "50%", "PersonEmail": "o@example.com"},
        {"LastName": "under_score", "External_ID_vod__c": "b\\s"},
        {"LastName": "Deleted", "IsDeleted": True},
    ]
    ids = organisation.insert_records(object_name="Account", records=rows)
    return dict(zip([row["LastName"] for row in rows], ids, strict=True))


@pytest.mark.parametrize(
    ("condition", "found"),
    [
        ("LastName = 'ÉMILE'", ["Émile", "émile"]),
        ("External_ID_vod__c = 'x1'", ["Émile"]),
        ("External_ID_vod__c IN ('X1', 'nothing')", ["émile"]),
        ("NPI_vod__c = 'Abc'", ["Émile", "émile"]),
        ("LastName = 'O\\'Brien'", ["O'Brien"]),
        ("External_ID_vod__c = 'b\\\\s'", ["under_score"]),
        ("External_ID_vod__c LIKE '50\\%'", ["O'Brien"]),
        ("LastName LIKE '%émi%'", ["Émile", "émile"]),
        ("LastName LIKE 'under\\_%'", ["under_score"]),
        ("LastName LIKE '_''_'", None),
        ("PersonEmail = null", ["Émile", "émile", "under_score"]),
        ("PersonEmail != null", ["O'Brien"]),
        ("PersonEmail = ''", ["Émile", "émile", "under_score"]),
        ("PersonEmail != 'o@example.com'", ["Émile", "émile", "under_score"]),
        ("NOT PersonEmail = 'o@example.com'", ["Émile", "émile", "under_score"]),
        ("PersonEmail NOT IN ('o@example.com')", ["Émile", "émile", "under_score"]),
        ("NPI_vod__c IN ('abc', null)", ["Émile", "émile", "O'Brien", "under_score"]),
        ("FirstName > 'a'", ["émile"]),
        ("FirstName <= 'a'", ["Émile"]),
        ("IsPersonAccount = true AND (FirstName = 'A' OR FirstName = 'b')", ["Émile", "émile"]),
        ("IsDeleted = false AND LastName LIKE 'd%'", []),
        ("CreatedBy.LastName = 'integration' AND FirstName = 'A'", ["Émile"]),
        ("Id IN (SELECT Account_vod__c FROM Call2_vod__c)", []),
        ("Id NOT IN (SELECT Account_vod__c FROM Call2_vod__c) AND FirstName != null", ["Émile", "émile"]),
    ],
)
def test_conditions_find(api: Api, people: dict[str, str], condition: str, found: list[str] | None) -> None:
    query = f"SELECT LastName FROM Account WHERE {condition} ORDER BY Id"
    if found is None:
        assert describe_error(api.get("/query", params={"q": query})) == (400, "MALFORMED_QUERY")
    else:
        assert api.list_values(query) == found


def test_query_all_includes_the_deleted(api: Api, people: dict[str, str]) -> None:
    query = "SELECT COUNT() FROM Account"
    assert api.query(query)["totalSize"] == 4
    assert api.query(query, path="/queryAll")["totalSize"] == 5
    assert api.query(f"{query} ALL ROWS")["totalSize"] == 5
    assert api.list_values("SELECT LastName FROM Account WHERE IsDeleted = true", path="/queryAll") == ["Deleted"]


def test_either_form_of_an_id_is_understood_and_its_case_counts(api: Api, people: dict[str, str]) -> None:
    identifier = people["O'Brien"]
    for value in (identifier, identifier[:15]):
        assert api.list_values(f"SELECT LastName FROM Account WHERE Id = '{value}'") == ["O'Brien"]
    refused = api.get("/query", params={"q": f"SELECT Id FROM Account WHERE Id = '{identifier.lower()}'"})
    assert describe_error(refused) == (400, "INVALID_QUERY_FILTER_OPERATOR")


def test_records_have_the_crms_shape(api: Api, people: dict[str, str]) -> None:
    [call] = api.sandbox.organisation.insert_records(
        object_name="Call2_vod__c",
        records=[
            {"Account_vod__c": people["Émile"], "Call_Datetime_vod__c": datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)}
        ],
    )
    answer = api.query(
        "SELECT id, account_vod__r.external_id_vod__c, Account_vod__r.CreatedBy.Email, Account_vod__c, OwnerId, "
        "Send_to_Vault_Clinical_vod__c, Call_Datetime_vod__c, Call_Channel_vod__c FROM call2_VOD__c"
    )
    user = api.sandbox.user
    assert answer == {
        "totalSize": 1,
        "done": True,
        "records": [
            {
                "attributes": {"type": "Call2_vod__c", "url": f"/services/data/v60.0/sobjects/Call2_vod__c/{call}"},
                "Id": call,
                "Account_vod__r": {
                    "attributes": {
                        "type": "Account",
                        "url": f"/services/data/v60.0/sobjects/Account/{people['Émile']}",
                    },
                    "External_ID_vod__c": "x1",
                    "CreatedBy": {
                        "attributes": {"type": "User", "url": f"/services/data/v60.0/sobjects/User/{user.id}"},
                        "Email": user.email,
                    },
                },
                "Account_vod__c": people["Émile"],
                "OwnerId": user.id,
                "Send_to_Vault_Clinical_vod__c": False,
                "Call_Datetime_vod__c": "2026-01-02T03:04:05.000+0000",
                "Call_Channel_vod__c": None,
            }
        ],
    }


def test_an_empty_reference_is_null(api: Api) -> None:
    api.create("Clinical_Site_vod__c", Name="101")
    [record] = api.query("SELECT Clinical_Study_vod__r.Name FROM Clinical_Site_vod__c")["records"]
    assert record["Clinical_Study_vod__r"] is None


@pytest.mark.parametrize(
    ("order", "expected"),
    [
        ("NPI_vod__c", [None, "a", "B"]),
        ("NPI_vod__c DESC", [None, "B", "a"]),
        ("NPI_vod__c ASC NULLS LAST", ["a", "B", None]),
        ("NPI_vod__c NULLS LAST LIMIT 1", ["a"]),
        ("NPI_vod__c LIMIT 2 OFFSET 1", ["a", "B"]),
    ],
)
def test_order_limit_and_offset(api: Api, order: str, expected: list[str | None]) -> None:
    api.sandbox.organisation.insert_records(
        object_name="Account", records=[{"LastName": "x", "NPI_vod__c": npi} for npi in ("B", None, "a")]
    )
    assert api.list_values(f"SELECT NPI_vod__c FROM Account ORDER BY {order}") == expected


def test_moments_with_offsets_and_days_are_compared(api: Api, sandbox: RunningSandbox) -> None:
    sandbox.misbehaviour.clock_skew_seconds = measure_to_noon(sandbox)
    [account] = sandbox.organisation.insert_records(object_name="Account", records=[{"LastName": "x"}])
    today = sandbox.organisation.read_clock().date()
    sandbox.organisation.insert_records(
        object_name="Call2_vod__c",
        records=[
            {
                "Account_vod__c": account,
                "Name": name,
                "Call_Date_vod__c": today + timedelta(days=days),
                "Call_Datetime_vod__c": datetime(2026, 5, 1, hour, tzinfo=UTC),
            }
            for name, days, hour in (("old", -40, 10), ("yesterday", -1, 11), ("today", 0, 12))
        ],
    )
    for condition, expected in (
        ("Call_Datetime_vod__c >= 2026-05-01T13:00:00+02:00", ["yesterday", "today"]),
        ("Call_Datetime_vod__c > 2026-05-01T11:00:00Z", ["today"]),
        ("Call_Datetime_vod__c = 2026-05-01T10:00:00.000+0000", ["old"]),
        (f"Call_Date_vod__c = {today}", ["today"]),
        ("Call_Date_vod__c = TODAY", ["today"]),
        ("Call_Date_vod__c < TODAY", ["old", "yesterday"]),
        ("Call_Date_vod__c >= YESTERDAY", ["yesterday", "today"]),
        ("Call_Date_vod__c = LAST_N_DAYS:7", ["yesterday", "today"]),
        ("Call_Date_vod__c != LAST_N_DAYS:7", ["old"]),
        ("SystemModstamp <= TODAY AND CreatedDate > YESTERDAY", ["old", "yesterday", "today"]),
    ):
        assert api.list_values(f"SELECT Name FROM Call2_vod__c WHERE {condition} ORDER BY Id") == expected, condition


def test_groups_are_counted(api: Api, people: dict[str, str]) -> None:
    answer = api.query(
        "SELECT NPI_vod__c npi, COUNT(Id), COUNT(PersonEmail) mails FROM Account GROUP BY NPI_vod__c "
        "HAVING COUNT(Id) > 1 ORDER BY NPI_vod__c"
    )
    assert [
        (record["npi"] and record["npi"].lower(), record["expr0"], record["mails"]) for record in answer["records"]
    ] == [
        (None, 2, 1),
        ("abc", 2, 0),
    ]
    assert api.query("SELECT COUNT(Id) total FROM Account")["records"] == [
        {"attributes": {"type": "AggregateResult"}, "total": 4}
    ]


def test_children_are_nested(api: Api, people: dict[str, str]) -> None:
    api.sandbox.organisation.insert_records(
        object_name="Call2_vod__c", records=[{"Account_vod__c": people["Émile"], "Name": name} for name in ("1", "2")]
    )
    records = api.query("SELECT LastName, (SELECT Name FROM Call2_vod__r ORDER BY Name DESC) FROM Account ORDER BY Id")[
        "records"
    ]
    assert [child["Name"] for child in records[0]["Call2_vod__r"]["records"]] == ["2", "1"]
    assert [record["Call2_vod__r"] for record in records[1:]] == [None, None, None]


def test_all_fields_at_once(api: Api, people: dict[str, str]) -> None:
    [record] = api.query("SELECT FIELDS(ALL) FROM Account WHERE LastName = 'O\\'Brien' LIMIT 1")["records"]
    described = api.get("/sobjects/Account/describe").json()["fields"]
    assert set(record) - {"attributes"} == {field["name"] for field in described}
    [custom] = api.query("SELECT FIELDS(CUSTOM) FROM Account LIMIT 1")["records"]
    assert set(custom) == {"attributes", "Customer_Number__c", "External_ID_vod__c", "NPI_vod__c"}


@pytest.mark.parametrize(
    ("query", "code", "words"),
    [
        ("SELECT Foo FROM Account", "INVALID_FIELD", "No such column 'Foo' on entity 'Account'."),
        ("SELECT Foo__r.Id FROM Account", "INVALID_FIELD", "Didn't understand relationship 'Foo__r' in field path."),
        ("SELECT Id FROM Foo", "INVALID_TYPE", "sObject type 'Foo' is not supported."),
        (
            "SELECT Id FROM Account WHERE CreatedDate > '2020-01-01'",
            "INVALID_FIELD",
            "must be of type dateTime and should not be enclosed in quotes",
        ),
        ("SELECT Id FROM Account WHERE CreatedDate > 2020-01-01", "INVALID_FIELD", "must be of type dateTime"),
        (
            "SELECT Id FROM Call2_vod__c WHERE Call_Date_vod__c = '2020-01-01'",
            "INVALID_FIELD",
            "must be of type date and should not",
        ),
        (
            "SELECT Id FROM Account WHERE Name = 5",
            "INVALID_FIELD",
            "must be of type string and should be enclosed in quotes",
        ),
        ("SELECT Id FROM Account WHERE IsDeleted = 'true'", "INVALID_FIELD", "must be of type boolean"),
        ("SELECT Id FROM Account WHERE IsDeleted > true", "INVALID_QUERY_FILTER_OPERATOR", "invalid operator"),
        ("SELECT Id FROM Account WHERE Id LIKE '001%'", "INVALID_QUERY_FILTER_OPERATOR", "invalid operator"),
        ("SELECT Id FROM Account WHERE Name = TODAY", "INVALID_FIELD", "must be of type string"),
        ("SELECT Id FROM Account WHERE CreatedDate = SOMEDAY", "MALFORMED_QUERY", "unexpected token: 'SOMEDAY'"),
        ("SELECT Id, Name, Id FROM Account", "INVALID_FIELD", "duplicate field selected: Id"),
        ("SELECT Id n FROM Account", "MALFORMED_QUERY", "only aggregate expressions use field aliasing"),
        ("SELECT Name, COUNT(Id) FROM Account", "MALFORMED_QUERY", "Field must be grouped or aggregated: Name"),
        ("SELECT FIELDS(ALL) FROM Account", "MALFORMED_QUERY", "must have a LIMIT of at most 200"),
        (
            "SELECT Id, (SELECT Id FROM Nothing__r) FROM Account",
            "INVALID_TYPE",
            "Didn't understand relationship 'Nothing__r'",
        ),
        ("SELECT Id FROM Account LIMIT 1 OFFSET 2001", "NUMBER_OUTSIDE_VALID_RANGE", "2000"),
    ],
)
def test_refusals_say_why(api: Api, query: str, code: str, words: str) -> None:
    response = api.get("/query", params={"q": query})
    assert describe_error(response) == (400, code)
    assert words in response.json()[0]["message"]
