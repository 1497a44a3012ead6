"""Addresses of related records."""

import pytest

from tests.crm_sync.sandbox.conftest import Api, describe_error


@pytest.fixture
def account(api: Api) -> str:
    return api.create("Account", LastName="Moreau")


def test_the_parent_is_read_changed_and_deleted(api: Api, account: str) -> None:
    call = api.create("Call2_vod__c", Account_vod__c=account)
    address = f"/sobjects/Call2_vod__c/{call}/Account_vod__r"
    parent = api.get(address).json()
    assert (parent["attributes"]["type"], parent["Id"], parent["Name"]) == ("Account", account, "Moreau")
    assert api.get(address, params={"fields": "LastName"}).json().keys() == {"attributes", "LastName"}
    assert (
        api.patch(f"/sobjects/Call2_vod__c/{call[:15]}/account_VOD__r", json={"LastName": "Petit"}).status_code == 204
    )
    assert api.list_values("SELECT Name FROM Account") == ["Petit"]
    owner = api.get(f"/sobjects/Call2_vod__c/{call}/Owner").json()
    assert owner["attributes"]["type"] == "User"
    study = api.create("Clinical_Study_vod__c", Name="S", Vault_External_ID_vod__c="S1")
    site = api.create("Clinical_Site_vod__c", Name="T", Vault_External_ID_vod__c="T1", Clinical_Study_vod__c=study)
    assert api.get(f"/sobjects/Clinical_Site_vod__c/{site}/Clinical_Study_vod__r").json()["Id"] == study


def test_children_come_as_a_query_answers_them(api: Api, account: str) -> None:
    calls = [api.create("Call2_vod__c", Account_vod__c=account) for _ in range(3)]
    api.create("Call2_vod__c", Account_vod__c=api.create("Account", LastName="Petit"))
    api.delete(f"/sobjects/Call2_vod__c/{calls[0]}")
    answer = api.get(f"/sobjects/Account/{account}/Call2_vod__r", params={"fields": "Id,Account_vod__c"}).json()
    assert (answer["totalSize"], answer["done"]) == (2, True)
    assert [(each["Id"], each["Account_vod__c"]) for each in answer["records"]] == [
        (call, account) for call in calls[1:]
    ]


def test_what_is_not_there_is_not_found(api: Api, account: str) -> None:
    interaction = api.create("Vault_Clinical_Interaction_vod__c", Vault_External_ID_vod__c="I1", Account_vod__c=account)
    for address in (
        f"Account/{account}/Nothing__r",
        "Account/001000000000001AAA/Call2_vod__r",
        f"Account/{account[:15]}/MasterRecord",
        f"Vault_Clinical_Interaction_vod__c/{interaction}/Clinical_Study_vod__r",
    ):
        assert describe_error(api.get(f"/sobjects/{address}")) == (404, "NOT_FOUND"), address
    assert describe_error(api.delete(f"/sobjects/Account/{account}/Call2_vod__r")) == (404, "NOT_FOUND")
    refused = api.patch(f"/sobjects/Account/{account}/Owner", json={"LastName": "x"})
    assert describe_error(refused) == (400, "CANNOT_INSERT_UPDATE_ACTIVATE_ENTITY")
