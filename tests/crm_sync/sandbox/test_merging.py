"""Merging accounts."""

from crm_sync.sandbox import RunningSandbox
from tests.crm_sync.sandbox.conftest import Api, control, describe_error
from tests.crm_sync.sandbox.test_recycle_bin import list_changes, read_row


def test_merged_accounts_are_deleted_and_lead_to_the_master(api: Api, sandbox: RunningSandbox) -> None:
    master, *losers = (api.create("Account", LastName=name, External_ID_vod__c=name) for name in "abc")
    call = api.create("Call2_vod__c", Account_vod__c=losers[0])
    interaction = api.create("Vault_Clinical_Interaction_vod__c", Account_vod__c=losers[1])
    gone = api.create("Call2_vod__c", Account_vod__c=losers[0])
    api.delete(f"/sobjects/Call2_vod__c/{gone}")
    before = {name: read_row(sandbox, "Call2_vod__c", name)["SystemModstamp"] for name in (call, gone)}
    sandbox.misbehaviour.clock_skew_seconds = 60
    merged = control(
        sandbox, "POST", f"records/{master}/merge", {"losers": losers, "values": {"External_ID_vod__c": "b"}}
    )
    assert merged.status_code == 200, merged.text
    for loser in losers:
        row = read_row(sandbox, "Account", loser)
        assert (row["IsDeleted"], row["MasterRecordId"]) == (True, master)
        assert describe_error(api.get(f"/sobjects/Account/{loser}")) == (404, "ENTITY_IS_DELETED")
    assert api.list_values(
        "SELECT MasterRecord.External_ID_vod__c FROM Account WHERE IsDeleted = true", path="/queryAll"
    )
    assert list_changes(api, sandbox, "deleted") == losers
    assert api.get(f"/sobjects/Account/{master}").json()["External_ID_vod__c"] == "b"
    assert api.list_values("SELECT Account_vod__c FROM Call2_vod__c", path="/queryAll") == [master, master]
    assert api.list_values("SELECT Account_vod__c FROM Vault_Clinical_Interaction_vod__c") == [master]
    assert read_row(sandbox, "Call2_vod__c", call)["SystemModstamp"] > before[call]
    assert read_row(sandbox, "Call2_vod__c", gone)["SystemModstamp"] == before[gone]
    assert list_changes(api, sandbox, "updated", name="Vault_Clinical_Interaction_vod__c") == [interaction]


def test_a_merge_that_is_refused_changes_nothing(api: Api, sandbox: RunningSandbox) -> None:
    master, loser, other = (api.create("Account", LastName=name, External_ID_vod__c=name) for name in "abc")
    for losers, values, refusal in (
        ([], {}, (400, "INVALID_INPUT")),
        ([master], {}, (400, "INVALID_INPUT")),
        ([loser, other, "001000000000001AAA"], {}, (400, "INVALID_INPUT")),
        (["001000000000001AAA"], {}, (400, "INVALID_CROSS_REFERENCE_KEY")),
        ([loser], {"External_ID_vod__c": "c"}, (400, "DUPLICATE_VALUE")),
        ([loser], {"Nothing__c": "c"}, (400, "INVALID_FIELD")),
    ):
        refused = control(sandbox, "POST", f"records/{master}/merge", {"losers": losers, "values": values})
        assert describe_error(refused) == refusal, refused.text
    assert sandbox.organisation.count_records(object_name="Account") == 3


def test_an_undeleted_loser_has_no_master_any_more(api: Api, sandbox: RunningSandbox) -> None:
    master, loser = (api.create("Account", LastName=name) for name in "ab")
    call = api.create("Call2_vod__c", Account_vod__c=loser)
    control(sandbox, "POST", f"records/{master}/merge", {"losers": [loser]})
    assert control(sandbox, "POST", f"records/{loser}/undelete").status_code == 200
    assert api.get(f"/sobjects/Account/{loser}").json()["MasterRecordId"] is None
    assert api.get(f"/sobjects/Call2_vod__c/{call}").json()["Account_vod__c"] == master
