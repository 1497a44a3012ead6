"""Standard objects, and objects from files."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from crm_sync.sandbox import RunningSandbox
from crm_sync.sandbox.data.schema import ALL
from crm_sync.sandbox.data.schema_files import read_schema
from tests.crm_sync.sandbox.conftest import Api, describe_error, serve

METADATA = """<?xml version="1.0" encoding="UTF-8"?>
<CustomObject xmlns="http://soap.sforce.com/2006/04/metadata">
  <label>Delivery</label><pluralLabel>Deliveries</pluralLabel>
  <nameField><label>Delivery Number</label><type>AutoNumber</type></nameField>
  <fields><fullName>Account__c</fullName><label>Account</label><type>Lookup</type><referenceTo>Account</referenceTo>
    <relationshipName>Deliveries</relationshipName></fields>
  <fields><fullName>Weight__c</fullName><label>Weight</label><type>Number</type><scale>2</scale><required>true</required>
  </fields>
  <fields><fullName>Key__c</fullName><label>Key</label><type>Text</type><length>20</length><externalId>true</externalId>
    <unique>true</unique></fields>
  <fields><fullName>Days__c</fullName><label>Days</label><type>MultiselectPicklist</type><valueSet>
    <restricted>true</restricted><valueSetDefinition><value><fullName>Mon</fullName><label>Monday</label></value>
    <value><fullName>Tue</fullName><label>Tuesday</label></value></valueSetDefinition></valueSet></fields>
  <fields><fullName>Total__c</fullName><label>Total</label><type>Currency</type>
    <formula>Weight__c * 2</formula></fields>
</CustomObject>
"""
SHORT = """
Truck__c:
  label: Truck
  fields:
    Seats__c: {type: int}
    Starts__c: {type: time}
    Share__c: {type: percent, scale: 1}
    Delivery__c: {type: reference, referenceTo: [Delivery__c], childRelationshipName: Trucks__r}
"""


@pytest.fixture
def own(tmp_path: Path) -> Iterator[Api]:
    """An organisation with objects from a file of each kind, beside the standard ones."""
    (tmp_path / "Delivery__c.object").write_text(METADATA)
    (tmp_path / "trucks.yaml").write_text(SHORT)
    sources = ["standard", str(tmp_path / "Delivery__c.object"), str(tmp_path / "trucks.yaml")]
    yield from serve(RunningSandbox(schema=read_schema(sources)))


def test_the_standard_objects_are_described_as_clients_expect(standard: Api) -> None:
    listed = {each["name"]: each for each in standard.get("/sobjects").json()["sobjects"]}
    assert {"Account", "Contact", "Lead", "Opportunity", "Case", "Task", "Event", "Campaign", "Product2"} <= set(listed)
    assert listed["Contact"]["keyPrefix"] == "003"
    account = standard.get("/sobjects/Account/describe").json()
    names = {field["name"] for field in account["fields"]}
    assert {"NPI_vod__c", "Website", "AnnualRevenue", "BillingCity"} <= names
    children = {each["relationshipName"]: each["childSObject"] for each in account["childRelationships"]}
    assert (children["Contacts"], children["Opportunities"]) == ("Contact", "Opportunity")
    who = next(each for each in standard.get("/sobjects/Task/describe").json()["fields"] if each["name"] == "WhoId")
    assert (who["referenceTo"], who["polymorphicForeignKey"]) == (["Contact", "Lead"], True)


@pytest.mark.parametrize("name", [each.name for each in ALL.objects])
def test_every_standard_field_can_be_queried(standard: Api, name: str) -> None:
    fields = [field["name"] for field in standard.get(f"/sobjects/{name}/describe").json()["fields"]]
    standard.query(f"SELECT {', '.join(fields)} FROM {name}")  # noqa: S608


def test_records_of_standard_objects_live_as_in_the_crm(standard: Api) -> None:
    account = standard.create("Account", Name="Acme", AnnualRevenue=1000.5, NumberOfEmployees="12")
    contact = standard.create("Contact", LastName="Silva", FirstName="Ana", AccountId=account)
    opportunity = standard.create(
        "Opportunity", Name="Deal", StageName="Prospecting", CloseDate="2026-12-31", AccountId=account
    )
    case = standard.create("Case", ContactId=contact, Subject="Help")
    task = standard.create("Task", Subject="Call", WhoId=contact, WhatId=opportunity)
    assert standard.get(f"/sobjects/Contact/{contact}").json()["Name"] == "Ana Silva"
    assert standard.get(f"/sobjects/Case/{case}").json()["CaseNumber"] == "00000001"
    assert standard.list_values("SELECT WhatId FROM Task") == [opportunity]
    standard.patch(f"/sobjects/Contact/{contact}", json={"FirstName": "Eva"})
    [row] = standard.query("SELECT Name, Account.Name, (SELECT Subject FROM Cases) FROM Contact")["records"]
    assert (row["Name"], row["Account"]["Name"]) == ("Eva Silva", "Acme")
    assert row["Cases"]["records"][0]["Subject"] == "Help"
    wrong = standard.post("/sobjects/Task", json={"WhoId": account})
    assert describe_error(wrong) == (400, "FIELD_INTEGRITY_EXCEPTION")
    missing = standard.post("/sobjects/Opportunity", json={"Name": "Deal"})
    assert missing.json()[0]["fields"] == ["StageName", "CloseDate"]
    assert standard.delete(f"/sobjects/Contact/{contact}").status_code == 204
    assert standard.list_values(f"SELECT WhoId FROM Task WHERE Id = '{task}'") == [None]  # noqa: S608
    assert standard.query("SELECT SUM(AnnualRevenue) total FROM Account")["records"][0]["total"] == 1000.5


def test_objects_of_files_are_as_the_files_say(own: Api) -> None:
    account = own.create("Account", Name="Acme")
    delivery = own.create("Delivery__c", Account__c=account, Weight__c="1.5", Key__c="k1", Days__c="Mon;Tue")
    truck = own.create("Truck__c", Name="Red", Seats__c=3, Starts__c="07:30", Share__c=12.5, Delivery__c=delivery)
    [row] = own.query(
        "SELECT Name, Weight__c, Account__r.Name, (SELECT Seats__c, Starts__c FROM Trucks__r) FROM Delivery__c"
    )["records"]
    assert (row["Name"], row["Weight__c"], row["Account__r"]["Name"]) == ("NAM-00000001", 1.5, "Acme")
    [child] = row["Trucks__r"]["records"]
    assert (child["Seats__c"], child["Starts__c"]) == (3, "07:30:00.000Z")
    assert own.list_values("SELECT (SELECT Name FROM Deliveries__r) FROM Account")[0]["totalSize"] == 1
    described = {each["name"]: each for each in own.get("/sobjects/Delivery__c/describe").json()["fields"]}
    assert (described["Key__c"]["externalId"], described["Key__c"]["length"]) == (True, 20)
    assert (described["Total__c"]["type"], described["Total__c"]["createable"]) == ("currency", False)
    for values, code in (
        ({"Weight__c": 1, "Days__c": "Sun"}, "INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST"),
        ({"Weight__c": None}, "REQUIRED_FIELD_MISSING"),
        ({"Weight__c": 1, "Key__c": "k1"}, "DUPLICATE_VALUE"),
    ):
        assert describe_error(own.post("/sobjects/Delivery__c", json=values)) == (400, code)
    wrong = own.patch(f"/sobjects/Truck__c/{truck}", json={"Seats__c": 1.5})
    assert describe_error(wrong) == (400, "JSON_PARSER_ERROR")


@pytest.mark.parametrize(
    ("condition", "found"),
    [
        ("Days__c INCLUDES ('Mon')", ["both", "mon"]),
        ("Days__c INCLUDES ('Mon;Tue')", ["both"]),
        ("Days__c INCLUDES ('Tue', 'Mon')", ["both", "mon"]),
        ("Days__c EXCLUDES ('Tue')", ["mon", "none"]),
    ],
)
def test_multi_select_picklists_are_asked_for_their_values(own: Api, condition: str, found: list[str]) -> None:
    for key, days in (("both", "Mon;Tue"), ("mon", "Mon"), ("none", None)):
        own.create("Delivery__c", Weight__c=1, Key__c=key, Days__c=days)
    assert own.list_values(f"SELECT Key__c FROM Delivery__c WHERE {condition} ORDER BY Key__c") == found  # noqa: S608
    refused = own.get("/query", params={"q": "SELECT Id FROM Delivery__c WHERE Key__c INCLUDES ('a')"})
    assert describe_error(refused) == (400, "INVALID_QUERY_FILTER_OPERATOR")


def test_an_organisation_describes_itself_into_another(own: Api, tmp_path: Path) -> None:
    described = [own.get(f"/sobjects/{name}/describe").json() for name in ("Delivery__c", "Truck__c", "Account")]
    path = tmp_path / "described.json"
    path.write_text(json.dumps(described))
    for other in serve(RunningSandbox(schema=read_schema([str(path)]))):
        again = other.get("/sobjects/Delivery__c/describe").json()
        first = {each["name"]: each for each in described[0]["fields"]}
        kept = (
            "type",
            "length",
            "externalId",
            "unique",
            "referenceTo",
            "relationshipName",
            "picklistValues",
            "nillable",
        )
        for each in again["fields"]:
            assert {key: each[key] for key in kept} == {key: first[each["name"]][key] for key in kept}, each["name"]


@pytest.mark.parametrize(
    ("name", "text", "words"),
    [
        ("a.json", "{", "Expecting property name"),
        ("a.yaml", "Thing__c: {fields: {A__c: {type: colour}}}", "A__c: the type colour is not known"),
        ("a.yaml", "Thing__c: {fields: {A__c: {type: reference}}}", "A__c: a reference needs referenceTo"),
        ("a.object", "<!DOCTYPE x><CustomObject/>", "a document type is not allowed"),
        ("a.txt", "x", "name it vendor, standard, or a file"),
    ],
)
def test_a_file_that_cannot_be_read_is_named_with_the_reason(tmp_path: Path, name: str, text: str, words: str) -> None:
    path = tmp_path / name
    path.write_text(text)
    with pytest.raises(ValueError, match=words) as refused:
        read_schema([str(path)])
    assert str(path) in str(refused.value)


def test_a_missing_file_is_named() -> None:
    with pytest.raises(ValueError, match=r"nothing\.json: it cannot be read"):
        read_schema(["nothing.json"])


def test_pages_of_an_organisation_without_the_package_show_what_it_has() -> None:
    with RunningSandbox(schema=read_schema(["standard"])) as sandbox:
        [account] = sandbox.organisation.insert_records(object_name="Account", records=[{"Name": "Acme"}])
        for path in ("", "misbehaviour", "recycle-bin", "log"):
            page = requests.get(f"{sandbox.base_url}/{path}", timeout=30)
            assert page.status_code == 200, path
            assert "/interactions" not in page.text
        for path in ("accounts", "calls", "calls/new", f"accounts/{account}"):
            assert requests.get(f"{sandbox.base_url}/{path}", timeout=30).status_code == 404, path
        assert requests.post(f"{sandbox.base_url}/calls/{account}/send", timeout=30).status_code == 404


def test_rows_of_persons_get_their_name_from_its_parts() -> None:
    with RunningSandbox(schema=read_schema(["standard"])) as sandbox:
        sandbox.organisation.insert_records(
            object_name="Contact", records=[{"LastName": "Silva", "FirstName": "Ana"}, {"LastName": "Cher"}]
        )
        names = [row["Name"] for row in sandbox.organisation.list_records(object_name="Contact")]
    assert names == ["Ana Silva", "Cher"]
