"""References to several objects: TYPEOF, and field paths through them."""

# ruff: noqa: S608  SOQL under test

from typing import Any

import pytest

from tests.crm_sync.sandbox.conftest import Api, describe_error

BASE = "/services/data/v60.0/sobjects"


@pytest.fixture
def ids(standard: Api) -> dict[str, str]:
    """Create four tasks that refer to different objects, and what they refer to. Return ids by name."""
    found = {"account": standard.create("Account", Name="Acme", Phone="1")}
    found["contact"] = standard.create("Contact", LastName="Silva", Email="s@example.com", AccountId=found["account"])
    found["lead"] = standard.create("Lead", LastName="Moreau", Company="Petit")
    found["deal"] = standard.create(
        "Opportunity", Name="Deal", StageName="Prospecting", CloseDate="2026-12-31", AccountId=found["account"]
    )
    for subject, who, what in (
        ("a", "contact", "account"),
        ("b", "lead", "deal"),
        ("c", "contact", "deal"),
        ("d", "", ""),
    ):
        found[subject] = standard.create("Task", Subject=subject, WhoId=found.get(who), WhatId=found.get(what))
    return found


def read_field(api: Api, query: str, name: str) -> list[Any]:
    """Return one field of every record of a query."""
    return [record[name] for record in api.query(query)["records"]]


def test_fields_depend_on_the_object(standard: Api, ids: dict[str, str]) -> None:
    query = (
        "SELECT Subject, TYPEOF What WHEN Account THEN Phone, Name WHEN opportunity THEN Amount, Account.Name END, "
        "TYPEOF Who WHEN Lead THEN Company ELSE Name, Type, Email END FROM Task ORDER BY Subject"
    )
    first, second, third, fourth = standard.query(query)["records"]
    assert first["What"] == {
        "attributes": {"type": "Account", "url": f"{BASE}/Account/{ids['account']}"},
        "Phone": "1",
        "Name": "Acme",
    }
    assert first["Who"] == {
        "attributes": {"type": "Name", "url": f"{BASE}/Contact/{ids['contact']}"},
        "Name": "Silva",
        "Type": "Contact",
        "Email": "s@example.com",
    }
    deal = {"type": "Opportunity", "url": f"{BASE}/Opportunity/{ids['deal']}"}
    above = {"attributes": {"type": "Account", "url": f"{BASE}/Account/{ids['account']}"}, "Name": "Acme"}
    assert second["What"] == third["What"] == {"attributes": deal, "Amount": None, "Account": above}
    assert second["Who"]["Company"] == "Petit"
    assert (fourth["What"], fourth["Who"]) == (None, None)
    assert list(first) == ["attributes", "Subject", "What", "Who"]


def test_without_else_other_objects_are_null(standard: Api, ids: dict[str, str]) -> None:
    query = "SELECT TYPEOF t.What WHEN Account THEN Id END FROM Task t ORDER BY Subject"
    assert [each and each["Id"] for each in read_field(standard, query, "What")] == [ids["account"], None, None, None]


def test_owners_are_users_or_groups(standard: Api, ids: dict[str, str]) -> None:
    query = "SELECT TYPEOF Owner WHEN User THEN Username WHEN Group THEN DeveloperName END FROM Lead"
    assert [each["Username"] for each in read_field(standard, query, "Owner")] == [standard.sandbox.user.username]
    described = {field["name"]: field for field in standard.get("/sobjects/Lead/describe").json()["fields"]}
    assert (described["OwnerId"]["referenceTo"], described["OwnerId"]["namePointing"]) == (["User", "Group"], True)


def test_it_may_stand_in_a_query_of_children(standard: Api, ids: dict[str, str]) -> None:
    query = (
        "SELECT (SELECT TYPEOF What WHEN Account THEN Name ELSE Type END FROM Tasks ORDER BY Subject) FROM Contact "
        f"WHERE Id = '{ids['contact']}'"
    )
    [tasks] = read_field(standard, query, "Tasks")
    assert [(task["What"].get("Name"), task["What"].get("Type")) for task in tasks["records"]] == [
        ("Acme", None),
        (None, "Opportunity"),
    ]


def test_pages_of_its_query_follow(standard: Api, ids: dict[str, str]) -> None:
    organisation = standard.sandbox.organisation
    rows = [{"Subject": "many", "WhatId": ids["account"]} for _ in range(203)]
    organisation.insert_records(object_name="Task", records=rows)
    query = "SELECT TYPEOF What WHEN Account THEN Name END FROM Task WHERE Subject = 'many'"
    headers = {"Sforce-Query-Options": "batchSize=200"}
    page = standard.query(query, **headers)
    assert (page["done"], len(page["records"])) == (False, 200)
    following = standard.session.get(standard.sandbox.base_url + page["nextRecordsUrl"], timeout=30).json()
    assert [record["What"]["Name"] for record in following["records"]] == ["Acme"] * 3


def test_paths_lead_to_the_name_of_any_object(standard: Api, ids: dict[str, str]) -> None:
    query = "SELECT Who.Name, Who.Type, What.Name FROM Task ORDER BY Subject"
    assert [each and (each["Name"], each["Type"]) for each in read_field(standard, query, "Who")] == [
        ("Silva", "Contact"),
        ("Moreau", "Lead"),
        ("Silva", "Contact"),
        None,
    ]
    assert [each and each["Name"] for each in read_field(standard, query, "What")] == ["Acme", "Deal", "Deal", None]
    for condition, subjects in (
        ("What.Type IN ('Account')", ["a"]),
        ("What.Type = 'opportunity'", ["b", "c"]),
        ("Who.LastName = 'SILVA'", ["a", "c"]),
        ("Who.Type = null", ["d"]),
    ):
        query = f"SELECT Subject FROM Task WHERE {condition} ORDER BY Subject"
        assert standard.list_values(query) == subjects, condition


def test_hidden_records_are_null(standard: Api, ids: dict[str, str]) -> None:
    address = f"{standard.sandbox.base_url}/_sandbox/records/{ids['account']}/hide"
    assert standard.session.post(address, timeout=30).ok
    query = "SELECT TYPEOF What WHEN Account THEN Name ELSE Name END FROM Task WHERE Subject = 'a'"
    assert read_field(standard, query, "What") == [None]


@pytest.mark.parametrize(
    ("query", "code", "words"),
    [
        ("SELECT TYPEOF Account WHEN Account THEN Id END FROM Contact", "INVALID_FIELD", "not polymorphic"),
        ("SELECT TYPEOF Foo WHEN Account THEN Id END FROM Task", "INVALID_FIELD", "Didn't understand relationship"),
        ("SELECT TYPEOF What WHEN Foo THEN Id END FROM Task", "INVALID_TYPE", "sObject type 'Foo' is not supported"),
        ("SELECT TYPEOF What WHEN Lead THEN Id END FROM Task", "INVALID_TYPE", "does not refer to 'Lead'"),
        ("SELECT TYPEOF What WHEN Account THEN Foo END FROM Task", "INVALID_FIELD", "'Foo' on entity 'Account'"),
        (
            "SELECT TYPEOF What WHEN Account THEN Id ELSE Industry END FROM Task",
            "INVALID_FIELD",
            "'Industry' on entity 'Name'",
        ),
        ("SELECT What.Industry FROM Task", "INVALID_FIELD", "No such column 'Industry' on entity 'Name'"),
        (
            "SELECT TYPEOF What WHEN Account THEN Id WHEN Account THEN Name END FROM Task",
            "MALFORMED_QUERY",
            "duplicate WHEN clause: Account",
        ),
        ("SELECT TYPEOF What WHEN Account THEN Id, Id END FROM Task", "INVALID_FIELD", "duplicate field selected: Id"),
        ("SELECT What.Name, TYPEOF What WHEN Account THEN Id END FROM Task", "INVALID_FIELD", "duplicate field"),
        ("SELECT TYPEOF What WHEN Account THEN Id END, What.Name FROM Task", "INVALID_FIELD", "duplicate field"),
        (
            "SELECT TYPEOF What WHEN Account THEN Id END, COUNT(Id) FROM Task GROUP BY WhatId",
            "MALFORMED_QUERY",
            "GROUP BY",
        ),
        ("SELECT TYPEOF What WHEN Account THEN Id END, FORMAT(ActivityDate) FROM Task", "MALFORMED_QUERY", "functions"),
        ("SELECT TYPEOF What WHEN Account THEN FORMAT(Id) END FROM Task", "MALFORMED_QUERY", "unexpected token: '('"),
        ("SELECT COUNT(), TYPEOF What WHEN Account THEN Id END FROM Task", "MALFORMED_QUERY", "functions"),
        ("SELECT TYPEOF What END FROM Task", "MALFORMED_QUERY", "unexpected token: 'END'"),
        ("SELECT TYPEOF What WHEN Account THEN Id FROM Task", "MALFORMED_QUERY", "unexpected token: 'FROM'"),
        (
            "SELECT Id FROM Account WHERE Id IN (SELECT TYPEOF What WHEN Account THEN Id END FROM Task)",
            "MALFORMED_QUERY",
            "semi join",
        ),
        ("SELECT Id FROM Task WHERE TYPEOF What = 'Account'", "MALFORMED_QUERY", "unexpected token"),
    ],
)
def test_misuse_is_refused(standard: Api, query: str, code: str, words: str) -> None:
    response = standard.get("/query", params={"q": query})
    assert describe_error(response) == (400, code)
    assert words in response.json()[0]["message"]


def test_bulk_queries_do_not_take_it(standard: Api) -> None:
    query = "SELECT TYPEOF What WHEN Account THEN Id END FROM Task"
    refused = standard.post("/jobs/query", json={"operation": "query", "query": query})
    assert describe_error(refused) == (400, "API_ERROR")


def test_its_columns_are_described(standard: Api) -> None:
    query = "SELECT Id, TYPEOF What WHEN Account THEN Phone ELSE Name END FROM Task"
    columns = standard.get("/query", params={"q": query, "columns": "true"}).json()["columnMetadata"]
    assert [column["columnName"] for column in columns] == ["Id", "What"]
    assert [column["columnName"] for column in columns[1]["joinColumns"]] == ["Phone", "Name"]
