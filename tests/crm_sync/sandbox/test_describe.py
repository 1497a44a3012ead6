"""Descriptions of objects and fields."""

# ruff: noqa: S608  SOQL with described names

from typing import Any

import pytest

from crm_sync.sandbox.data.schema import VENDOR
from tests.crm_sync.sandbox.conftest import Api


def read_fields(api: Api, name: str) -> dict[str, dict[str, Any]]:
    """Return the described fields of an object by name."""
    return {field["name"]: field for field in api.get(f"/sobjects/{name}/describe").json()["fields"]}


def test_external_ids_say_that_they_are_unique_and_that_case_counts(api: Api) -> None:
    field = read_fields(api, "Vault_Clinical_Interaction_vod__c")["Vault_External_ID_vod__c"]
    assert {
        key: field[key] for key in ("type", "externalId", "unique", "caseSensitive", "idLookup", "custom", "length")
    } == {
        "type": "string",
        "externalId": True,
        "unique": True,
        "caseSensitive": True,
        "idLookup": True,
        "custom": True,
        "length": 120,
    }
    assert read_fields(api, "Account")["NPI_vod__c"]["unique"] is False


def test_picklists_list_their_values(api: Api) -> None:
    field = read_fields(api, "call2_vod__c")["Status_vod__c"]
    assert field["restrictedPicklist"] is True
    assert [(entry["value"], entry["defaultValue"]) for entry in field["picklistValues"]] == [
        ("Planned_vod", True),
        ("Saved_vod", False),
        ("Submitted_vod", False),
    ]


def test_references_name_their_object_and_relationship(api: Api) -> None:
    fields = read_fields(api, "Clinical_Site_vod__c")
    assert (fields["Clinical_Study_vod__c"]["referenceTo"], fields["Clinical_Study_vod__c"]["relationshipName"]) == (
        ["Clinical_Study_vod__c"],
        "Clinical_Study_vod__r",
    )
    assert fields["CreatedById"]["relationshipName"] == "CreatedBy"
    children = api.get("/sobjects/Account/describe").json()["childRelationships"]
    assert [(child["childSObject"], child["relationshipName"]) for child in children] == [
        ("Call2_vod__c", "Call2_vod__r"),
        ("Vault_Clinical_Interaction_vod__c", "Vault_Clinical_Interactions_vod__r"),
    ]


@pytest.mark.parametrize("sobject", VENDOR.objects, ids=lambda sobject: sobject.name)
def test_every_described_field_can_be_queried(api: Api, sobject: Any) -> None:
    names = list(read_fields(api, sobject.name))
    answer = api.query(f"SELECT {', '.join(names)} FROM {sobject.name}")
    assert answer["done"] is True
    assert names == [field.name for field in sobject.fields]


def test_describe_global_and_the_object_in_brief_agree(api: Api) -> None:
    answer = api.get("/sobjects").json()
    assert (answer["encoding"], answer["maxBatchSize"]) == ("UTF-8", 200)
    for entry in answer["sobjects"]:
        assert api.get(f"/sobjects/{entry['name']}").json() == {"objectDescribe": entry, "recentItems": []}
