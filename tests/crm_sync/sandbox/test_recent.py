"""Recently used records, list views and the scopes of queries."""

# ruff: noqa: S608  SOQL under test

from typing import Any

import pytest
from simple_salesforce.api import Salesforce

from crm_sync.sandbox.data.recent import MOST_RECENT
from tests.crm_sync.sandbox.conftest import Api, control, describe_error, log_in


def list_recent_ids(api: Api, path: str = "/recent") -> list[str]:
    """Return the ids of the recent records, newest first."""
    return [record["Id"] for record in api.get(path).json()]


def test_what_was_written_or_retrieved_is_recent(standard: Api) -> None:
    assert list_recent_ids(standard) == []
    account = standard.create("Account", Name="Acme")
    contact = standard.create("Contact", LastName="Silva")
    case = standard.create("Case", Subject="Help")
    assert list_recent_ids(standard) == [case, contact, account]
    standard.get(f"/sobjects/Account/{account}")
    standard.patch(f"/sobjects/Contact/{contact}", json={"FirstName": "Ana"})
    assert standard.get("/recent").json() == [
        {
            "attributes": {"type": "Contact", "url": f"/services/data/v60.0/sobjects/Contact/{contact}"},
            "Id": contact,
            "Name": "Ana Silva",
        },
        {
            "attributes": {"type": "Account", "url": f"/services/data/v60.0/sobjects/Account/{account}"},
            "Id": account,
            "Name": "Acme",
        },
        {
            "attributes": {"type": "Case", "url": f"/services/data/v60.0/sobjects/Case/{case}"},
            "Id": case,
            "CaseNumber": "00000001",
        },
    ]
    assert list_recent_ids(standard, "/recent?limit=1") == [contact]
    assert [each["Id"] for each in standard.get("/sobjects/Account").json()["recentItems"]] == [account]
    assert standard.get("/").json()["recent"] == "/services/data/v60.0/recent"


def test_refused_writes_and_plain_queries_note_nothing(standard: Api) -> None:
    standard.sandbox.organisation.insert_records(object_name="Account", records=[{"Name": "Acme"}])
    assert standard.post("/sobjects/Contact", json={}).status_code == 400
    standard.query("SELECT Id FROM Account")
    assert list_recent_ids(standard) == []
    [account] = standard.list_values("SELECT Id FROM Account FOR VIEW")
    assert list_recent_ids(standard) == [account]


def test_for_reference_notes_the_first_record_as_the_newest(standard: Api) -> None:
    rows = [{"Name": name} for name in "cab"]
    standard.sandbox.organisation.insert_records(object_name="Account", records=rows)
    found = standard.list_values("SELECT Id FROM Account ORDER BY Name FOR REFERENCE")
    assert list_recent_ids(standard) == found


def test_deleted_and_hidden_records_are_not_recent(standard: Api) -> None:
    deleted, hidden, kept = (standard.create("Account", Name=name) for name in "abc")
    standard.delete(f"/sobjects/Account/{deleted}")
    assert control(standard.sandbox, "POST", f"records/{hidden}/hide").ok
    assert list_recent_ids(standard) == [kept]


def test_no_more_are_kept_than_in_the_crm(standard: Api) -> None:
    for first in (0, 150):
        records = [{"attributes": {"type": "Account"}, "Name": str(first + each)} for each in range(150)]
        assert standard.post("/composite/sobjects", json={"records": records}).status_code == 200
    names = [record["Name"] for record in standard.get("/recent").json()]
    assert names == [str(number) for number in range(299, 299 - MOST_RECENT, -1)]


@pytest.mark.parametrize("limit", ["0", "201", "x", "-1"])
def test_a_wrong_limit_is_refused(api: Api, limit: str) -> None:
    assert describe_error(api.get("/recent", params={"limit": limit})) == (400, "ILLEGAL_QUERY_PARAMETER_VALUE")


def test_scopes_leave_records_out(standard: Api) -> None:
    organisation = standard.sandbox.organisation
    [other] = organisation.insert_records(
        object_name="User", records=[{"LastName": "Other", "Username": "o@example.com"}]
    )
    organisation.insert_records(object_name="Account", records=[{"Name": "Theirs", "OwnerId": other}])
    mine = standard.create("Account", Name="Mine")
    standard.get(f"/sobjects/Account/{mine}")
    for scope, found in (("everything", ["Theirs", "Mine"]), ("mine", ["Mine"]), ("mru", ["Mine"])):
        assert standard.list_values(f"SELECT Name FROM Account USING SCOPE {scope}") == found
    described = {name: standard.get(f"/sobjects/{name}/describe").json() for name in ("Account", "User")}
    scopes = {name: [each["name"] for each in found["supportedScopes"]] for name, found in described.items()}
    assert scopes == {"Account": ["everything", "mine"], "User": ["everything"]}
    for query in ("SELECT Id FROM Account USING SCOPE nobody", "SELECT Id FROM User USING SCOPE mine"):
        assert describe_error(standard.get("/query", params={"q": query})) == (400, "MALFORMED_QUERY")


def test_each_object_has_list_views(standard: Api) -> None:
    answer = standard.get("/sobjects/Account/listviews/").json()
    assert (answer["size"], answer["done"], answer["sobjectType"]) == (3, True, "Account")
    assert [(view["developerName"], view["label"]) for view in answer["listviews"]] == [
        ("AllAccounts", "All Accounts"),
        ("RecentlyViewedAccounts", "Recently Viewed Accounts"),
        ("MyAccounts", "My Accounts"),
    ]
    view = answer["listviews"][0]
    assert standard.get(f"/sobjects/Account/listviews/{view['id'][:15]}").json() == view
    users = standard.get("/sobjects/User/listviews").json()["listviews"]
    assert [each["developerName"] for each in users] == ["AllUsers", "RecentlyViewedUsers"]
    ids = [
        each["id"]
        for name in ("Account", "User", "Call2_vod__c")
        for each in standard.get(f"/sobjects/{name}/listviews").json()["listviews"]
    ]
    assert len(set(ids)) == len(ids) == 8


def test_list_views_are_described_by_a_query_that_runs(standard: Api) -> None:
    standard.create("Account", Name="Acme")
    for listed in standard.get("/sobjects").json()["sobjects"]:
        for view in standard.get(f"/sobjects/{listed['name']}/listviews").json()["listviews"]:
            described = standard.session.get(standard.sandbox.base_url + view["describeUrl"], timeout=30).json()
            columns = [column["selectListItem"] for column in described["columns"]]
            assert described["query"].startswith(f"SELECT {', '.join(columns)} FROM {listed['name']} ")
            standard.query(described["query"])
    first = standard.get("/sobjects/Account/listviews").json()["listviews"][0]
    described = standard.session.get(standard.sandbox.base_url + first["describeUrl"], timeout=30).json()
    assert described["columns"][0] == {
        "ascendingLabel": "Z-A",
        "descendingLabel": "A-Z",
        "fieldNameOrPath": "Name",
        "hidden": False,
        "label": "Account Name",
        "selectListItem": "Name",
        "sortDirection": "ascending",
        "sortIndex": 0,
        "sortable": True,
        "type": "string",
    }
    assert [column["fieldNameOrPath"] for column in described["columns"] if column["hidden"]] == [
        "Id",
        "CreatedDate",
        "LastModifiedDate",
        "SystemModstamp",
    ]


def test_results_are_those_of_the_rows(standard: Api) -> None:
    organisation = standard.sandbox.organisation
    stamp = "2026-02-03T04:05:06.000+0000"
    rows = [{"Name": name, "CreatedDate": stamp} for name in ("C", "A", "B")]
    organisation.insert_records(object_name="Account", records=rows)
    every, recent, _ = standard.get("/sobjects/Account/listviews").json()["listviews"]

    def read_names(address: str) -> list[str]:
        answer = standard.session.get(standard.sandbox.base_url + address, timeout=30).json()
        assert answer["size"] == len(answer["records"])
        return [record["columns"][0]["value"] for record in answer["records"]]

    assert read_names(every["resultsUrl"]) == ["A", "B", "C"]
    assert read_names(f"{every['resultsUrl']}?limit=1&offset=1") == ["B"]
    assert read_names(recent["resultsUrl"]) == []
    [identifier] = standard.list_values("SELECT Id FROM Account WHERE Name = 'C'")
    standard.get(f"/sobjects/Account/{identifier}")
    assert read_names(recent["resultsUrl"]) == ["C"]
    answer = standard.session.get(standard.sandbox.base_url + recent["resultsUrl"], timeout=30).json()
    values = {column["fieldNameOrPath"]: column["value"] for column in answer["records"][0]["columns"]}
    assert (values["Id"], values["CreatedDate"]) == (identifier, "Tue Feb 03 04:05:06 GMT 2026")
    used = standard.get("/sobjects/Account/listviews/recent").json()["listviews"]
    assert [view["id"] for view in used] == [recent["id"], every["id"]]


def test_other_list_views_and_objects_are_not_found(standard: Api) -> None:
    contact_view = standard.get("/sobjects/Contact/listviews").json()["listviews"][0]["id"]
    for path in (
        "/sobjects/Nothing/listviews",
        f"/sobjects/Account/listviews/{contact_view}",
        f"/sobjects/Account/listviews/{contact_view}/results",
        "/sobjects/Account/listviews/00B000000000001AAA/describe",
    ):
        assert describe_error(standard.get(path)) == (404, "NOT_FOUND"), path
    view = standard.get("/sobjects/Account/listviews").json()["listviews"][0]["id"]
    refused = standard.get(f"/sobjects/Account/listviews/{view}/results", params={"limit": "2001"})
    assert describe_error(refused) == (400, "ILLEGAL_QUERY_PARAMETER_VALUE")


def test_simple_salesforce_reads_them(standard: Api) -> None:
    account = standard.create("Account", Name="Acme")
    client = Salesforce(session_id=log_in(standard.sandbox), instance="na.crm.test", session=standard.session)
    client.base_url = standard.url("/")
    recent: Any = client.restful("recent", params={"limit": 5})
    assert [record["Id"] for record in recent] == [account]
    views: Any = client.restful("sobjects/Account/listviews")
    assert views["size"] == 3
