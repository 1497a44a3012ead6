"""Records that the users of the API may not see."""

import pytest
import requests

from crm_sync.sandbox import RunningSandbox
from tests.crm_sync.sandbox.conftest import Api, control, describe_error
from tests.crm_sync.sandbox.test_recycle_bin import list_changes

UNKNOWN = "duplicate value found: <unknown> duplicates value on record with id: <unknown>"
STUDY_KEY = "Clinical_Study_vod__c/Vault_External_ID_vod__c"


@pytest.fixture
def hidden(api: Api, sandbox: RunningSandbox) -> str:
    """A hidden study with the external id V1."""
    study = api.create("Clinical_Study_vod__c", Name="S", Vault_External_ID_vod__c="V1")
    assert control(sandbox, "POST", f"records/{study}/hide").status_code == 200
    return study


def test_a_hidden_record_is_absent_until_it_is_shown_again(api: Api, sandbox: RunningSandbox, hidden: str) -> None:
    def is_found() -> set[bool]:
        answer = api.get("/composite/sobjects/Clinical_Study_vod__c", params={"ids": hidden, "fields": "Id"}).json()
        return {
            api.query("SELECT COUNT() FROM Clinical_Study_vod__c")["totalSize"] == 1,
            api.list_values("SELECT Id FROM Clinical_Study_vod__c", path="/queryAll") == [hidden],
            api.get(f"/sobjects/Clinical_Study_vod__c/{hidden}").status_code == 200,
            api.get(f"/sobjects/{STUDY_KEY}/V1").status_code == 200,
            answer != [None],
            list_changes(api, sandbox, "updated", name="Clinical_Study_vod__c") == [hidden],
        }

    assert is_found() == {False}
    assert describe_error(api.get(f"/sobjects/Clinical_Study_vod__c/{hidden}")) == (404, "NOT_FOUND")
    control(sandbox, "POST", f"records/{hidden}/show")
    assert is_found() == {True}


def test_a_hidden_record_is_not_written(api: Api, sandbox: RunningSandbox, hidden: str) -> None:
    address = f"/sobjects/Clinical_Study_vod__c/{hidden}"
    assert describe_error(api.patch(address, json={"Name": "T"})) == (404, "NOT_FOUND")
    assert describe_error(api.delete(address)) == (404, "NOT_FOUND")
    record = {"attributes": {"type": "Clinical_Study_vod__c"}, "Id": hidden, "Name": "T"}
    [updated] = api.patch("/composite/sobjects", json={"records": [record]}).json()
    [deleted] = api.delete("/composite/sobjects", params={"ids": hidden}).json()
    for result in (updated, deleted):
        assert [error["statusCode"] for error in result["errors"]] == ["INVALID_CROSS_REFERENCE_KEY"]
    assert sandbox.organisation.list_records(object_name="Clinical_Study_vod__c")[0]["Name"] == "S"


def test_a_hidden_record_keeps_its_external_id(api: Api, hidden: str) -> None:
    record = {"attributes": {"type": "Clinical_Study_vod__c"}, "Vault_External_ID_vod__c": "V1", "Name": "T"}
    [upserted] = api.patch(f"/composite/sobjects/{STUDY_KEY}", json={"records": [record]}).json()
    assert upserted["errors"][0]["statusCode"] == "INSUFFICIENT_ACCESS_OR_READONLY"
    single = api.patch(f"/sobjects/{STUDY_KEY}/V1", json={"Name": "T"})
    assert describe_error(single) == (403, "INSUFFICIENT_ACCESS_OR_READONLY")
    [created] = api.post("/composite/sobjects", json={"records": [record]}).json()
    assert (created["errors"][0]["statusCode"], created["errors"][0]["message"]) == ("DUPLICATE_VALUE", UNKNOWN)


def test_nothing_may_refer_to_a_hidden_record(api: Api, sandbox: RunningSandbox, hidden: str) -> None:
    by_id = api.post("/sobjects/Clinical_Site_vod__c", json={"Name": "1", "Clinical_Study_vod__c": hidden})
    assert describe_error(by_id) == (400, "INSUFFICIENT_ACCESS_ON_CROSS_REFERENCE_ENTITY")
    by_key = api.post(
        "/sobjects/Clinical_Site_vod__c",
        json={"Name": "1", "Clinical_Study_vod__r": {"Vault_External_ID_vod__c": "V1"}},
    )
    assert describe_error(by_key) == (400, "INVALID_FIELD")


def test_the_parent_of_a_visible_record_may_be_hidden(api: Api, sandbox: RunningSandbox) -> None:
    study = api.create("Clinical_Study_vod__c", Name="S")
    api.create("Clinical_Site_vod__c", Name="1", Clinical_Study_vod__c=study)
    control(sandbox, "POST", f"records/{study}/hide")
    [site] = api.query("SELECT Clinical_Study_vod__c, Clinical_Study_vod__r.Name FROM Clinical_Site_vod__c")["records"]
    assert (site["Clinical_Study_vod__c"], site["Clinical_Study_vod__r"]) == (study, None)


def test_deletions_of_hidden_records_are_not_told(api: Api, sandbox: RunningSandbox) -> None:
    account = api.create("Account", LastName="x")
    api.delete(f"/sobjects/Account/{account}")
    control(sandbox, "POST", f"records/{account}/hide")
    assert list_changes(api, sandbox, "deleted") == []
    control(sandbox, "POST", f"records/{account}/purge")
    assert list_changes(api, sandbox, "deleted") == []
    control(sandbox, "POST", f"records/{account}/show")
    assert list_changes(api, sandbox, "deleted") == [account]


def test_the_pages_show_hidden_records(sandbox: RunningSandbox, hidden: str) -> None:
    assert requests.get(f"{sandbox.base_url}/studies/{hidden}", timeout=30).status_code == 200
