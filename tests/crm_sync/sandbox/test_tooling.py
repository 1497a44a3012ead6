"""The Tooling API: what it tells of objects and fields."""

from pathlib import Path

import pytest
from simple_salesforce.api import Salesforce

from crm_sync.sandbox import RunningSandbox
from crm_sync.sandbox.data.schema_files import read_schema
from tests.crm_sync.sandbox.conftest import Api, describe_error, log_in

QUERY = "/tooling/query"


def test_objects_are_those_that_are_described(standard: Api) -> None:
    query = "SELECT QualifiedApiName, Label, KeyPrefix FROM EntityDefinition ORDER BY QualifiedApiName"
    answer = standard.query(query, path=QUERY)
    listed = sorted(standard.get("/sobjects").json()["sobjects"], key=lambda each: str(each["name"]))
    assert [(each["QualifiedApiName"], each["Label"], each["KeyPrefix"]) for each in answer["records"]] == [
        (each["name"], each["label"], each["keyPrefix"]) for each in listed
    ]
    [record] = standard.query("SELECT DurableId FROM EntityDefinition WHERE KeyPrefix = '001'", path=QUERY)["records"]
    assert record == {
        "attributes": {
            "type": "EntityDefinition",
            "url": "/services/data/v60.0/tooling/sobjects/EntityDefinition/Account",
        },
        "DurableId": "Account",
    }


def test_fields_are_those_that_are_described(standard: Api) -> None:
    query = (
        "SELECT QualifiedApiName, DataType, EntityDefinition.Label, IsNillable FROM FieldDefinition "
        "WHERE EntityDefinition.QualifiedApiName = 'task'"
    )
    records = {each["QualifiedApiName"]: each for each in standard.query(query, path=QUERY)["records"]}
    described = standard.get("/sobjects/Task/describe").json()["fields"]
    assert set(records) == {field["name"] for field in described}
    assert records["WhoId"]["DataType"] == "Lookup(Contact,Lead)"
    assert (records["Description"]["DataType"], records["ActivityDate"]["DataType"]) == (
        "Long Text Area(32000)",
        "Date",
    )
    assert (records["Id"]["IsNillable"], records["Subject"]["EntityDefinition"]["Label"]) == (False, "Task")
    query = "SELECT DataType FROM FieldDefinition WHERE DurableId IN ('Account.AnnualRevenue', 'Case.CaseNumber')"
    assert sorted(standard.list_values(query, path=QUERY)) == ["Auto Number", "Currency(16, 2)"]


def test_fields_are_children_of_their_object(standard: Api) -> None:
    query = (
        "SELECT QualifiedApiName, (SELECT QualifiedApiName FROM Fields WHERE IsCompound = true ORDER BY "
        "QualifiedApiName) FROM EntityDefinition WHERE QualifiedApiName = 'Contact'"
    )
    [record] = standard.query(query, path=QUERY)["records"]
    assert [each["QualifiedApiName"] for each in record["Fields"]["records"]] == ["MailingAddress", "OtherAddress"]


def test_every_object_has_data_types(standard: Api) -> None:
    for sobject in standard.sandbox.organisation.schema.objects:
        query = f"SELECT DataType FROM FieldDefinition WHERE EntityDefinitionId = '{sobject.name}'"  # noqa: S608
        types = standard.list_values(query, path=QUERY)
        assert len(types) == len(sobject.readable_fields)
        assert "" not in types


def test_an_answer_of_many_rows_has_pages(standard: Api) -> None:
    names = [sobject.name for sobject in standard.sandbox.organisation.schema.objects]
    listed = ", ".join(f"'{name}'" for name in names)
    query = f"SELECT DurableId FROM FieldDefinition WHERE EntityDefinitionId IN ({listed})"  # noqa: S608
    headers = {"Sforce-Query-Options": "batchSize=200"}
    page = standard.query(query, path=QUERY, **headers)
    found = [record["DurableId"] for record in page["records"]]
    assert (page["done"], len(found)) == (False, 200)
    while not page["done"]:
        assert page["nextRecordsUrl"].startswith("/services/data/v60.0/tooling/query/")
        page = standard.session.get(standard.sandbox.base_url + page["nextRecordsUrl"], timeout=30).json()
        found += [record["DurableId"] for record in page["records"]]
    assert len(found) == len(set(found)) == page["totalSize"]


def test_each_organisation_tells_of_its_own_objects(api: Api) -> None:
    assert api.query("SELECT COUNT() FROM EntityDefinition", path=QUERY)["totalSize"] == 6
    query = "SELECT Id FROM EntityDefinition WHERE QualifiedApiName = 'Lead'"
    assert api.list_values(query, path=QUERY) == []


def test_a_sandbox_that_starts_again_tells_of_the_same(tmp_path: Path) -> None:
    for _ in range(2):
        with RunningSandbox(data_dir=tmp_path) as sandbox:
            client = Salesforce(session_id=log_in(sandbox), instance="na.crm.test")
            client.base_url = f"{sandbox.base_url}/services/data/v60.0/"
            client.tooling_url = f"{client.base_url}tooling/"
            found = client.toolingexecute("query/", params={"q": "SELECT QualifiedApiName FROM EntityDefinition"})
            assert found["totalSize"] == 6


@pytest.mark.parametrize("name", ["EntityDefinition", "FieldDefinition", "Name"])
def test_a_file_may_not_define_the_objects_that_are_there(tmp_path: Path, name: str) -> None:
    path = tmp_path / "own.yaml"
    path.write_text(f"{name}:\n  fields:\n    A__c: {{type: int}}\n")
    with pytest.raises(ValueError, match="leave it out"):
        read_schema([str(path)])


@pytest.mark.parametrize(
    ("query", "code", "words"),
    [
        ("SELECT Id FROM FieldDefinition", "MALFORMED_QUERY", "a filter on a reified column is required"),
        ("SELECT Id FROM FieldDefinition WHERE Label = 'x'", "MALFORMED_QUERY", "a filter on a reified column"),
        (
            "SELECT Id FROM FieldDefinition WHERE DurableId = 'Account.Name' OR Label = 'x'",
            "MALFORMED_QUERY",
            "a filter on a reified column",
        ),
        ("SELECT Id FROM FieldDefinition WHERE DurableId != 'x'", "MALFORMED_QUERY", "a filter on a reified column"),
        ("SELECT Label FROM EntityDefinition GROUP BY Label", "MALFORMED_QUERY", "GROUP BY"),
        ("SELECT Id FROM ApexClass", "INVALID_TYPE", "sObject type 'ApexClass' is not supported"),
        ("SELECT Id FROM Account", "INVALID_TYPE", "sObject type 'Account' is not supported"),
        ("SELECT Foo FROM EntityDefinition", "INVALID_FIELD", "No such column 'Foo' on entity 'EntityDefinition'"),
        ("SELECT", "MALFORMED_QUERY", "unexpected token"),
        ("", "MALFORMED_QUERY", "A query string has to be specified"),
    ],
)
def test_other_queries_are_refused(api: Api, query: str, code: str, words: str) -> None:
    response = api.get(QUERY, params={"q": query})
    assert describe_error(response) == (400, code)
    assert words in response.json()[0]["message"]


def test_its_addresses_lead_on(api: Api) -> None:
    root = api.get("/").json()["tooling"]
    index = api.session.get(api.sandbox.base_url + root, timeout=30).json()
    listed = api.session.get(api.sandbox.base_url + index["sobjects"], timeout=30).json()["sobjects"]
    assert [each["name"] for each in listed] == ["EntityDefinition", "FieldDefinition"]
    for each in listed:
        described = api.session.get(api.sandbox.base_url + each["urls"]["describe"], timeout=30).json()
        assert "QualifiedApiName" in [field["name"] for field in described["fields"]]
    for path in ("/tooling/sobjects/ApexClass/describe", "/tooling/executeAnonymous", "/tooling/query/01gx-2/y"):
        assert describe_error(api.get(path)) == (404, "NOT_FOUND"), path
    assert describe_error(api.get("/tooling/query/01g000000000000AAA-200")) == (400, "INVALID_QUERY_LOCATOR")
    assert describe_error(api.post(QUERY)) == (405, "METHOD_NOT_ALLOWED")
    # The objects of the catalogue are there for the Tooling API alone.
    assert describe_error(api.get("/query", params={"q": "SELECT Id FROM EntityDefinition"})) == (400, "INVALID_TYPE")
