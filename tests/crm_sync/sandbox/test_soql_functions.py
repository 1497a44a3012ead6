"""Functions of SOQL: parts of dates, labels, formatted values, subtotals, and what is refused."""

# ruff: noqa: S608  SOQL under test

from __future__ import annotations

from typing import Any

import pytest

from tests.crm_sync.sandbox.conftest import Api, describe_error


@pytest.fixture
def calls(api: Api) -> None:
    """Three calls: two in person in January 2026, one by phone on the last day of the year before."""
    account = api.create("Account", LastName="Silva")
    for moment, channel, status in (
        ("2026-01-31T23:30:00Z", "Face_to_face_vod", "Submitted_vod"),
        ("2026-01-04T09:05:00Z", "Face_to_face_vod", "Planned_vod"),
        ("2025-12-31T12:00:00Z", "Phone_vod", "Submitted_vod"),
    ):
        api.sandbox.organisation.insert_records(
            object_name="Call2_vod__c",
            records=[
                {
                    "Account_vod__c": account,
                    "Call_Datetime_vod__c": moment.replace("Z", ".000+0000"),
                    "Call_Date_vod__c": moment[:10],
                    "Call_Channel_vod__c": channel,
                    "Status_vod__c": status,
                }
            ],
        )


@pytest.mark.parametrize(
    ("expression", "values"),
    [
        ("CALENDAR_YEAR(Call_Date_vod__c)", [2025, 2026]),
        ("FISCAL_QUARTER(Call_Datetime_vod__c)", [1, 4]),
        ("CALENDAR_MONTH(Call_Datetime_vod__c)", [1, 12]),
        ("CALENDAR_MONTH(convertTimezone(Call_Datetime_vod__c))", [1, 12]),
        ("DAY_IN_MONTH(Call_Date_vod__c)", [4, 31]),
        ("DAY_IN_WEEK(Call_Date_vod__c)", [1, 4, 7]),
        ("DAY_IN_YEAR(Call_Date_vod__c)", [4, 31, 365]),
        ("DAY_ONLY(Call_Datetime_vod__c)", ["2025-12-31", "2026-01-04", "2026-01-31"]),
        ("HOUR_IN_DAY(Call_Datetime_vod__c)", [9, 12, 23]),
        ("WEEK_IN_MONTH(Call_Date_vod__c)", [1, 5]),
        ("WEEK_IN_YEAR(Call_Date_vod__c)", [1, 5, 53]),
    ],
)
def test_queries_are_grouped_and_filtered_by_parts_of_dates(
    api: Api, calls: None, expression: str, values: list[Any]
) -> None:
    found = api.query(
        f"SELECT {expression} part, COUNT(Id) total FROM Call2_vod__c GROUP BY {expression} ORDER BY {expression}"
    )["records"]
    assert [record["part"] for record in found] == values
    assert sum(record["total"] for record in found) == 3
    literal = f"{values[-1]}"
    where = f"SELECT COUNT() FROM Call2_vod__c WHERE {expression} = {literal}"
    assert api.query(where)["totalSize"] == found[-1]["total"]


def test_labels_and_values_as_people_read_them(api: Api, calls: None) -> None:
    [record] = api.query(
        "SELECT toLabel(Call_Channel_vod__c), toLabel(Status_vod__c) status, FORMAT(Call_Datetime_vod__c) moment, "
        "FORMAT(Call_Date_vod__c), Call_Datetime_vod__c FROM Call2_vod__c WHERE toLabel(Status_vod__c) = 'planned'"
    )["records"]
    del record["attributes"]
    assert record == {
        "Call_Channel_vod__c": "Face to face",
        "status": "Planned",
        "moment": "1/4/2026, 9:05 AM",
        "Call_Date_vod__c": "1/4/2026",
        "Call_Datetime_vod__c": "2026-01-04T09:05:00.000+0000",
    }
    [total] = api.query("SELECT FORMAT(MAX(Call_Date_vod__c)) last FROM Call2_vod__c")["records"]
    assert total["last"] == "1/31/2026"


def test_subtotals(api: Api, calls: None) -> None:
    select = "SELECT Call_Channel_vod__c c, Status_vod__c s, GROUPING(Status_vod__c) g, COUNT(Id) n FROM Call2_vod__c"
    f2f, phone, planned, submitted = "Face_to_face_vod", "Phone_vod", "Planned_vod", "Submitted_vod"
    rolled = api.query(f"{select} GROUP BY ROLLUP(Call_Channel_vod__c, Status_vod__c)")["records"]
    assert [(row["c"], row["s"], row["g"], row["n"]) for row in rolled] == [
        (f2f, planned, 0, 1),
        (f2f, submitted, 0, 1),
        (f2f, None, 1, 2),
        (phone, submitted, 0, 1),
        (phone, None, 1, 1),
        (None, None, 1, 3),
    ]
    cubed = api.query(
        f"{select} WHERE Call_Date_vod__c > 2026-01-01 GROUP BY CUBE(Call_Channel_vod__c, Status_vod__c) "
        "HAVING COUNT(Id) < 2 ORDER BY Status_vod__c NULLS LAST, Call_Channel_vod__c"
    )["records"]
    assert [(row["c"], row["s"], row["n"]) for row in cubed] == [
        (None, planned, 1),
        (f2f, planned, 1),
        (None, submitted, 1),
        (f2f, submitted, 1),
    ]


@pytest.mark.parametrize(
    ("query", "code", "words"),
    [
        ("SELECT Id FROM Account WHERE COUNT(Id) > 1", "MALFORMED_QUERY", "unexpected token: 'COUNT'"),
        ("SELECT Id FROM Account ORDER BY MAX(Name)", "MALFORMED_QUERY", "unexpected token: 'MAX'"),
        ("SELECT AVG(LastName) FROM Account", "MALFORMED_QUERY", "LastName does not support aggregate operator AVG"),
        ("SELECT MAX(IsDeleted) FROM Account", "MALFORMED_QUERY", "does not support aggregate operator MAX"),
        (
            "SELECT COUNT(Id) FROM Account GROUP BY CreatedDate",
            "MALFORMED_QUERY",
            "'CreatedDate' can not be grouped in a query call",
        ),
        ("SELECT COUNT(Id) FROM Account GROUP BY SUM(Id)", "MALFORMED_QUERY", "unexpected token: 'SUM'"),
        ("SELECT COUNT(Id) FROM Account GROUP BY ROLLUP()", "MALFORMED_QUERY", "takes 1 to 3 fields"),
        ("SELECT COUNT(Id) FROM Account GROUP BY CUBE(Name), Id", "MALFORMED_QUERY", "unexpected token: ','"),
        ("SELECT GROUPING(Name) FROM Account GROUP BY Name", "MALFORMED_QUERY", "GROUP BY ROLLUP or GROUP BY CUBE"),
        ("SELECT CALENDAR_YEAR(CreatedDate) FROM Account", "MALFORMED_QUERY", "must be grouped or aggregated"),
        (
            "SELECT CALENDAR_YEAR(CreatedDate), COUNT(Id) FROM Account GROUP BY Name",
            "MALFORMED_QUERY",
            "must be grouped or aggregated: CreatedDate",
        ),
        ("SELECT Id FROM Account WHERE CALENDAR_YEAR(Name) = 1", "INVALID_FIELD", "does not support CALENDAR_YEAR"),
        ("SELECT Id FROM Call2_vod__c WHERE DAY_ONLY(Call_Date_vod__c) = TODAY", "INVALID_FIELD", "DAY_ONLY"),
        ("SELECT toLabel(Name) FROM Account", "INVALID_FIELD", "toLabel() is not supported on the field 'Name'"),
        ("SELECT Id, toLabel(Id) FROM Account", "INVALID_FIELD", "toLabel"),
        ("SELECT FORMAT(Name), Name FROM Account", "INVALID_FIELD", "duplicate field selected: Name"),
        ("SELECT NOSUCH(Name) FROM Account", "MALFORMED_QUERY", "unexpected token: 'NOSUCH'"),
        ("SELECT MAX(Name, Id) FROM Account", "MALFORMED_QUERY", "unexpected token: 'MAX'"),
        ("SELECT MAX() FROM Account GROUP BY Name", "MALFORMED_QUERY", "unexpected token: 'MAX'"),
    ],
)
def test_refusals_are_those_of_the_crm(api: Api, query: str, code: str, words: str) -> None:
    answer = api.get("/query", params={"q": query})
    assert describe_error(answer) == (400, code)
    assert words in answer.json()[0]["message"]


def test_an_empty_text_comes_before_every_other(api: Api) -> None:
    api.create("Account", LastName="Silva", FirstName="Ana")
    api.create("Account", LastName="Costa")
    found = {
        operator: api.list_values(f"SELECT LastName FROM Account WHERE FirstName {operator} '' ORDER BY LastName")
        for operator in (">", ">=", "<", "<=")
    }
    assert found == {">": ["Silva"], ">=": ["Costa", "Silva"], "<": [], "<=": ["Costa"]}


def test_a_picklist_without_values_has_its_values_as_labels(standard: Api) -> None:
    standard.sandbox.organisation.insert_records(object_name="Group", records=[{"Name": "All", "Type": "Regular"}])
    assert standard.list_values("SELECT toLabel(Type) FROM Group") == ["Regular"]
