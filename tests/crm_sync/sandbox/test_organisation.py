"""The Python interface to an organisation's data."""

import sqlite3
import stat
import threading
from datetime import UTC, date, datetime
from pathlib import Path

import pytest
from time_machine import TimeMachineFixture

from crm_sync.sandbox import Organisation, RunningSandbox
from tests.crm_sync.sandbox.conftest import Api


def test_everything_outlives_a_restart(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "na.sqlite3"
    with Organisation.open(path) as first:
        user, app, identifier = first.admin, first.connected_app, first.id
        token = first.sessions.open_session(user_id=user.id).token
        first.usage.count_call()
        first.usage.count_call()
        [account] = first.insert_records(object_name="Account", records=[{"LastName": "x"}])
    with Organisation.open(path) as second:
        assert (second.admin, second.connected_app, second.id) == (user, app, identifier)
        assert second.sessions.find_session(token) is not None
        assert second.usage.used == 2
        assert [row["Id"] for row in second.list_records(object_name="Account")] == [account]
        [later] = second.insert_records(object_name="Account", records=[{"LastName": "y"}])
        assert later > account
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_a_file_that_shall_last_waits_for_the_disk_and_one_that_will_be_deleted_does_not(tmp_path: Path) -> None:
    with RunningSandbox(data_dir=tmp_path) as lasting, RunningSandbox() as passing:
        waits = [each.organisation.database.fetch_one("PRAGMA synchronous") for each in (lasting, passing)]
    with Organisation.open(tmp_path / "other.sqlite3") as opened:
        waits.append(opened.database.fetch_one("PRAGMA synchronous"))
    normal, off = (1,), (0,)
    assert waits == [normal, off, normal]


def test_organisations_differ_in_ids_and_credentials(tmp_path: Path) -> None:
    with Organisation.open(tmp_path / "a.sqlite3") as first, Organisation.open(tmp_path / "b.sqlite3") as second:
        assert first.id != second.id
        assert first.connected_app.client_secret != second.connected_app.client_secret
        assert first.admin.password != second.admin.password


def test_inserted_rows_keep_chosen_values_and_get_the_rest(organisation: Organisation) -> None:
    when = datetime(2025, 1, 2, 3, 4, 5, tzinfo=UTC)
    author = organisation.add_user(username="n@x", first_name="Nadia", last_name="Berger", email="n@x.example")
    [account] = organisation.insert_records(object_name="account", records=[{"FirstName": "A", "lastname": "B"}])
    [call] = organisation.insert_records(
        object_name="Call2_vod__c",
        records=[
            {
                "Account_vod__c": account,
                "Call_Date_vod__c": date(2025, 1, 2),
                "CreatedDate": when,
                "CreatedById": author.id,
                "Send_to_Vault_Clinical_vod__c": True,
            }
        ],
    )
    [row] = organisation.list_records(object_name="Call2_vod__c")
    assert row == {
        "Id": call,
        "OwnerId": author.id,
        "IsDeleted": False,
        "Name": "C00000001",
        "Account_vod__c": account,
        "Call_Date_vod__c": "2025-01-02",
        "Call_Datetime_vod__c": None,
        "Call_Channel_vod__c": None,
        "Status_vod__c": "Planned_vod",
        "Send_to_Vault_Clinical_vod__c": True,
        "CreatedDate": "2025-01-02T03:04:05.000+0000",
        "CreatedById": author.id,
        "LastModifiedDate": "2025-01-02T03:04:05.000+0000",
        "LastModifiedById": author.id,
        "SystemModstamp": "2025-01-02T03:04:05.000+0000",
    }
    assert organisation.list_records(object_name="Account")[0]["Name"] == "A B"


def test_chosen_ids_stay_out_of_the_way_of_later_ones(organisation: Organisation) -> None:
    [chosen] = organisation.insert_records(
        object_name="Account",
        records=[{"Id": organisation.integration_user_id.replace("005", "001", 1), "LastName": "x"}],
    )
    ids = organisation.insert_records(object_name="Account", records=[{"LastName": "y"}] * 3)
    assert len({chosen, *ids}) == 4


def test_a_failed_insert_leaves_nothing_behind(organisation: Organisation) -> None:
    identifier = "001000000000001AAA"
    with pytest.raises(sqlite3.IntegrityError):
        organisation.insert_records(
            object_name="Account", records=[{"Id": identifier, "LastName": "x"}, {"Id": identifier, "LastName": "y"}]
        )
    assert organisation.count_records(object_name="Account") == 0
    with pytest.raises(KeyError):
        organisation.insert_records(object_name="Account", records=[{"Nothing__c": 1}])


def test_an_exhausted_limit_recovers_after_a_day(organisation: Organisation, time_machine: TimeMachineFixture) -> None:
    time_machine.move_to("2026-03-01T12:00:00Z")
    organisation.usage.limit = 2
    organisation.usage.count_call()
    organisation.usage.count_call()
    assert organisation.usage.exhausted
    time_machine.move_to("2026-03-02T11:59:00Z")
    assert organisation.usage.exhausted
    time_machine.move_to("2026-03-02T12:00:00Z")
    assert (organisation.usage.used, organisation.usage.exhausted) == (0, False)


def test_the_last_use_of_a_session_outlives_a_restart(tmp_path: Path, time_machine: TimeMachineFixture) -> None:
    path = tmp_path / "na.sqlite3"
    time_machine.move_to("2026-03-01T12:00:00Z")
    with Organisation.open(path, session_seconds=7_200) as first:
        token = first.sessions.open_session(user_id=first.admin.id).token
        time_machine.move_to("2026-03-01T13:30:00Z")
        assert first.sessions.find_session(token) is not None
    time_machine.move_to("2026-03-01T15:00:00Z")
    with Organisation.open(path, session_seconds=7_200) as second:
        assert second.sessions.find_session(token) is not None


def test_the_last_use_of_a_session_outlives_a_killed_process(tmp_path: Path, time_machine: TimeMachineFixture) -> None:
    path = tmp_path / "na.sqlite3"
    time_machine.move_to("2026-03-01T12:00:00Z")
    with Organisation.open(path, session_seconds=7_200) as killed:
        token = killed.sessions.open_session(user_id=killed.admin.id).token
        time_machine.move_to("2026-03-01T13:30:00Z")
        killed.sessions.find_session(token)
        time_machine.move_to("2026-03-01T15:00:00Z")
        with Organisation.open(path, session_seconds=7_200) as second:
            assert second.sessions.find_session(token) is not None


def test_nested_transactions_undo_only_themselves(organisation: Organisation) -> None:
    def insert_then_fail() -> None:
        with organisation.database.transaction():
            [identifier] = organisation.insert_records(object_name="Account", records=[{"LastName": "undone"}])
            organisation.insert_records(object_name="Account", records=[{"Id": identifier, "LastName": "twice"}])

    with organisation.database.transaction():
        organisation.insert_records(object_name="Account", records=[{"LastName": "kept"}])
        with pytest.raises(sqlite3.IntegrityError):
            insert_then_fail()
    assert [row["LastName"] for row in organisation.list_records(object_name="Account")] == ["kept"]


def test_no_secret_is_in_what_is_printed(organisation: Organisation) -> None:
    shown = repr((organisation.users, organisation.connected_apps))
    for secret in (
        organisation.admin.password,
        organisation.admin.security_token,
        organisation.connected_app.client_secret,
        organisation.connected_app.refresh_token,
    ):
        assert secret not in shown


def test_many_clients_write_at_once(api: Api, sandbox: RunningSandbox) -> None:
    def write(worker: int) -> None:
        for number in range(10):
            records = [
                {"attributes": {"type": "Account"}, "LastName": "x", "External_ID_vod__c": f"{worker}-{number}-{row}"}
                for row in range(5)
            ]
            answer = sandboxed.patch("/composite/sobjects/Account/External_ID_vod__c", json={"records": records})
            outcomes.append([entry["success"] for entry in answer.json()])

    outcomes: list[list[bool]] = []
    sandboxed = api
    threads = [threading.Thread(target=write, args=(worker,)) for worker in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert outcomes == [[True] * 5] * 40
    assert sandbox.organisation.count_records(object_name="Account") == 200


def test_several_organisations_know_nothing_of_each_other(tmp_path: Path) -> None:
    with RunningSandbox(names=["na", "emea"], data_dir=tmp_path) as running:
        running["emea"].organisation.insert_records(object_name="Account", records=[{"LastName": "x"}])
        assert running["na"].organisation.count_records(object_name="Account") == 0
        assert running["na"].base_url != running["emea"].base_url
    assert sorted(path.name for path in tmp_path.glob("*.sqlite3")) == ["emea.sqlite3", "na.sqlite3"]


def test_organisations_of_one_pod_have_ids_of_their_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("crm_sync.sandbox.data.organisation.encode_base62", lambda _number, *, width: "8X0"[:width])

    with Organisation.open(tmp_path / "na.sqlite3") as na, Organisation.open(tmp_path / "emea.sqlite3") as emea:
        assert (na.pod, emea.pod) == ("8X0", "8X0")
        assert na.id != emea.id


def test_ids_of_the_first_pod_are_those_of_no_record(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("crm_sync.sandbox.data.organisation.secrets.randbelow", lambda _most: 0)
    with Organisation.open(tmp_path / "na.sqlite3") as organisation:
        assert not organisation.integration_user_id.startswith("005000")
