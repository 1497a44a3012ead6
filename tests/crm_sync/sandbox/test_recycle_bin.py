"""The recycle bin: undelete, purge, and the lists of changes that follow from them."""

import sqlite3
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import requests

from crm_sync.sandbox import Organisation, RunningSandbox
from tests.crm_sync.sandbox.conftest import Api, control, describe_error

ACCOUNT = "Account"
SPAN_MINUTES = 60


def list_changes(api: Api, sandbox: RunningSandbox, which: str, *, name: str = ACCOUNT, days: float = 1) -> list[str]:
    """Return the ids that `getDeleted` or `getUpdated` list for the last day or days and the coming hour."""
    now = sandbox.organisation.read_clock()
    answer = api.get(
        f"/sobjects/{name}/{which}",
        params={"start": (now - timedelta(days=days)).isoformat(), "end": (now + timedelta(hours=1)).isoformat()},
    )
    assert answer.status_code == 200, answer.text
    body = answer.json()
    return [entry["id"] for entry in body["deletedRecords"]] if which == "deleted" else list(body["ids"])


def read_row(sandbox: RunningSandbox, name: str, record_id: str) -> dict[str, Any]:
    """Return a record as it is stored, deleted or not."""
    [row] = [
        row
        for row in sandbox.organisation.list_records(object_name=name, include_deleted=True)
        if row["Id"] == record_id
    ]
    return row


def test_an_undeleted_record_is_back_with_a_new_stamp(api: Api, sandbox: RunningSandbox) -> None:
    account = api.create(ACCOUNT, LastName="x")
    api.delete(f"/sobjects/Account/{account}")
    deleted = read_row(sandbox, ACCOUNT, account)
    assert list_changes(api, sandbox, "deleted") == [account]
    sandbox.misbehaviour.clock_skew_seconds = 120
    assert control(sandbox, "POST", f"records/{account[:15]}/undelete").json() == {"id": account, "success": True}
    row = read_row(sandbox, ACCOUNT, account)
    assert (row["IsDeleted"], row["SystemModstamp"] > deleted["SystemModstamp"]) == (False, True)
    assert api.get(f"/sobjects/Account/{account}").json()["LastName"] == "x"
    assert api.list_values("SELECT Id FROM Account WHERE IsDeleted = false", path="/queryAll") == [account]
    assert list_changes(api, sandbox, "deleted") == []
    assert list_changes(api, sandbox, "updated") == [account]


def test_only_what_is_in_the_bin_leaves_it(api: Api, sandbox: RunningSandbox) -> None:
    account = api.create(ACCOUNT, LastName="x")
    refused = control(sandbox, "POST", f"records/{account}/undelete")
    assert describe_error(refused) == (400, "UNDELETE_FAILED")
    assert refused.json()[0]["message"] == "Entity is not in the recycle bin"
    assert describe_error(control(sandbox, "POST", f"records/{account}/purge")) == (400, "DELETE_FAILED")
    assert describe_error(control(sandbox, "POST", f"records/{account}/dance")) == (404, "NOT_FOUND")
    assert describe_error(control(sandbox, "POST", "records/nonsense/undelete")) == (404, "NOT_FOUND")


def test_an_external_id_that_is_taken_by_now_refuses_the_undelete(api: Api, sandbox: RunningSandbox) -> None:
    first = api.create("Clinical_Study_vod__c", Name="S", Vault_External_ID_vod__c="V1")
    api.delete(f"/sobjects/Clinical_Study_vod__c/{first}")
    api.create("Clinical_Study_vod__c", Name="S", Vault_External_ID_vod__c="V1")
    assert describe_error(control(sandbox, "POST", f"records/{first}/undelete")) == (400, "DUPLICATE_VALUE")


def test_a_record_comes_back_only_after_the_record_that_it_needs(api: Api, sandbox: RunningSandbox) -> None:
    account = api.create(ACCOUNT, LastName="x")
    call = api.create("Call2_vod__c", Account_vod__c=account)
    api.delete(f"/sobjects/Call2_vod__c/{call}")
    api.delete(f"/sobjects/Account/{account}")
    assert describe_error(control(sandbox, "POST", f"records/{call}/undelete")) == (400, "UNDELETE_FAILED")
    assert control(sandbox, "POST", f"records/{account}/undelete").status_code == 200
    assert control(sandbox, "POST", f"records/{call}/undelete").status_code == 200


def test_undeleting_restores_the_references_that_nothing_has_replaced(api: Api, sandbox: RunningSandbox) -> None:
    study, other = (api.create("Clinical_Study_vod__c", Name=name) for name in "SO")
    kept, moved = (api.create("Clinical_Site_vod__c", Name=name, Clinical_Study_vod__c=study) for name in "12")
    api.delete(f"/sobjects/Clinical_Study_vod__c/{study}")
    assert api.get(f"/sobjects/Clinical_Site_vod__c/{kept}").json()["Clinical_Study_vod__c"] is None
    api.patch(f"/sobjects/Clinical_Site_vod__c/{moved}", json={"Clinical_Study_vod__c": other})
    control(sandbox, "POST", f"records/{study}/undelete")
    assert api.list_values("SELECT Clinical_Study_vod__c FROM Clinical_Site_vod__c ORDER BY Name") == [study, other]


def test_a_purged_record_is_gone_but_its_deletion_is_known(api: Api, sandbox: RunningSandbox) -> None:
    account = api.create(ACCOUNT, LastName="x", External_ID_vod__c="E")
    api.delete(f"/sobjects/Account/{account}")
    assert control(sandbox, "POST", f"records/{account}/purge").status_code == 200
    assert api.query("SELECT Id FROM Account", path="/queryAll")["records"] == []
    assert describe_error(api.get(f"/sobjects/Account/{account}")) == (404, "NOT_FOUND")
    assert describe_error(api.patch(f"/sobjects/Account/{account}", json={"LastName": "y"})) == (404, "NOT_FOUND")
    assert describe_error(control(sandbox, "POST", f"records/{account}/undelete")) == (400, "UNDELETE_FAILED")
    assert list_changes(api, sandbox, "deleted") == [account]
    again = api.create(ACCOUNT, LastName="x", External_ID_vod__c="E")
    assert again != account


def test_deletions_are_known_for_fifteen_days(api: Api, sandbox: RunningSandbox) -> None:
    account = api.create(ACCOUNT, LastName="x")
    api.delete(f"/sobjects/Account/{account}")
    sandbox.misbehaviour.clock_skew_seconds = 14 * 86_400
    assert list_changes(api, sandbox, "deleted", days=29) == [account]
    sandbox.misbehaviour.clock_skew_seconds = 16 * 86_400
    assert list_changes(api, sandbox, "deleted", days=29) == []
    now = sandbox.organisation.read_clock()
    span = {"start": (now - timedelta(days=29)).isoformat(), "end": now.isoformat()}
    told = api.get("/sobjects/Account/deleted", params=span).json()["earliestDateAvailable"]
    earliest = datetime.fromisoformat(told) + timedelta(days=15)
    assert earliest.second == 0
    assert now.replace(second=0, microsecond=0) <= earliest <= sandbox.organisation.read_clock()


def test_the_bin_is_emptied_of_all_or_of_what_it_kept_long_enough(api: Api, sandbox: RunningSandbox) -> None:
    old, new = (api.create(ACCOUNT, LastName=name) for name in "on")
    api.delete(f"/sobjects/Account/{old}")
    sandbox.misbehaviour.clock_skew_seconds = 16 * 86_400
    api.delete(f"/sobjects/Account/{new}")
    assert control(sandbox, "GET", "recycle-bin").json()["Account"] == 2
    assert control(sandbox, "DELETE", "recycle-bin?older_than_days=15").json() == {"purged": 1}
    assert api.list_values("SELECT Id FROM Account", path="/queryAll") == [new]
    assert control(sandbox, "DELETE", "recycle-bin").json() == {"purged": 1}
    assert control(sandbox, "GET", "recycle-bin").json()["Account"] == 0
    for days in ("x", "nan", "inf", "1e9"):
        assert control(sandbox, "DELETE", f"recycle-bin?older_than_days={days}").status_code == 400


def test_an_emptied_log_of_deletions_is_told_apart_from_one_without_deletions(
    api: Api, sandbox: RunningSandbox
) -> None:
    account = api.create(ACCOUNT, LastName="x")
    api.delete(f"/sobjects/Account/{account}")
    control(sandbox, "POST", f"records/{account}/purge")
    sandbox.misbehaviour.clock_skew_seconds = 3_600
    since = control(sandbox, "DELETE", "deletion-log").json()["known_since"]
    sandbox.misbehaviour.clock_skew_seconds = 7_200
    now = sandbox.organisation.read_clock()
    span = {"start": (now - timedelta(hours=3)).isoformat(), "end": now.isoformat()}
    refused = api.get("/sobjects/Account/deleted", params=span)
    assert describe_error(refused) == (400, "INVALID_REPLICATION_DATE")
    span["start"] = (now - timedelta(minutes=30)).isoformat()
    answer = api.get("/sobjects/Account/deleted", params=span).json()
    assert (answer["deletedRecords"], answer["earliestDateAvailable"]) == ([], since)


def test_rows_purged_between_two_pages_are_left_out_of_the_later_one(api: Api, sandbox: RunningSandbox) -> None:
    ids = [api.create(ACCOUNT, LastName=str(number)) for number in range(4)]
    sandbox.misbehaviour.add_rule(match={"path": "/query"}, effect={"page_size": 2})
    first = api.query("SELECT Id FROM Account ORDER BY Id")
    api.delete(f"/sobjects/Account/{ids[2]}")
    control(sandbox, "POST", f"records/{ids[2]}/purge")
    later = api.session.get(sandbox.base_url + first["nextRecordsUrl"], timeout=30).json()
    assert ([record["Id"] for record in later["records"]], later["done"]) == ([ids[3]], True)


def test_a_new_record_does_not_take_the_place_of_a_purged_one(api: Api, sandbox: RunningSandbox) -> None:
    ids = [api.create(ACCOUNT, LastName=str(number)) for number in range(3)]
    sandbox.misbehaviour.add_rule(match={"path": "/query"}, effect={"page_size": 2})
    first = api.query("SELECT Id FROM Account ORDER BY Id")
    api.delete(f"/sobjects/Account/{ids[2]}")
    control(sandbox, "POST", f"records/{ids[2]}/purge")
    api.create(ACCOUNT, LastName="new")
    later = api.session.get(sandbox.base_url + first["nextRecordsUrl"], timeout=30).json()
    assert later["records"] == []


def test_an_older_file_gains_new_fields_and_keeps_its_sessions(tmp_path: Path) -> None:
    path = tmp_path / "na.sqlite3"
    with Organisation.open(path) as older:
        older.insert_records(object_name=ACCOUNT, records=[{"LastName": "x"}])
        token = older.sessions.open_session(user_id=older.admin.id).token
    with sqlite3.connect(path) as connection:
        connection.execute('ALTER TABLE "Account" DROP COLUMN "MasterRecordId"')
        connection.execute("ALTER TABLE sandbox_sessions RENAME COLUMN used TO created")
    connection.close()
    with Organisation.open(path) as newer:
        assert newer.sessions.find_session(token) is not None
        [row] = newer.list_records(object_name=ACCOUNT)
        assert (row["LastName"], row["MasterRecordId"]) == ("x", None)


@pytest.mark.parametrize(
    ("method", "path"),
    [("DELETE", "recycle-bin"), ("DELETE", "deletion-log"), ("POST", "records/{account}/purge")],
)
def test_other_sites_cannot_change_records(api: Api, sandbox: RunningSandbox, method: str, path: str) -> None:
    account = api.create(ACCOUNT, LastName="x")
    api.delete(f"/sobjects/Account/{account}")
    address = f"{sandbox.base_url}/_sandbox/{path.format(account=account)}"
    answer = requests.request(method, address, headers={"Origin": "https://evil.example"}, timeout=30)
    assert answer.status_code == 403
    assert read_row(sandbox, ACCOUNT, account)["IsDeleted"] is True
