"""The buttons that delete, undelete, purge, merge and hide records, and the page of the recycle bin."""

import re

import pytest
import requests

from crm_sync.sandbox import RunningSandbox
from tests.crm_sync.sandbox.conftest import Api
from tests.crm_sync.sandbox.test_recycle_bin import read_row


def press(sandbox: RunningSandbox, path: str, **form: str) -> requests.Response:
    """Return the page that follows after a button is pressed."""
    return requests.post(f"{sandbox.base_url}{path}", data=form, timeout=30)


def test_a_record_goes_into_the_bin_and_comes_back(api: Api, sandbox: RunningSandbox) -> None:
    study = api.create("Clinical_Study_vod__c", Name="STUDY-1")
    address = f"/studies/{study}"
    assert press(sandbox, f"{address}/delete").url == f"{sandbox.base_url}/studies"
    listed = requests.get(f"{sandbox.base_url}/recycle-bin", timeout=30).text
    assert f'href="{address}"' in listed
    assert "STUDY-1" in listed
    page = press(sandbox, f"{address}/undelete")
    assert page.url == sandbox.base_url + address
    assert "recycle bin</a> since" not in page.text
    assert read_row(sandbox, "Clinical_Study_vod__c", study)["IsDeleted"] is False
    refused = press(sandbox, f"{address}/undelete")
    assert (refused.status_code, "Entity is not in the recycle bin" in refused.text) == (400, True)


def test_the_bin_is_purged_record_by_record_or_as_a_whole(api: Api, sandbox: RunningSandbox) -> None:
    first, second, third = (api.create("Clinical_Study_vod__c", Name=name) for name in "abc")
    for study in (first, second):
        press(sandbox, f"/studies/{study}/delete")
    sandbox.misbehaviour.clock_skew_seconds = 16 * 86_400
    press(sandbox, f"/studies/{third}/delete")
    assert press(sandbox, f"/studies/{first}/purge").url == f"{sandbox.base_url}/recycle-bin"
    assert "2</span>" in press(sandbox, "/recycle-bin", action="empty-log").text
    assert "1</span>" in press(sandbox, "/recycle-bin", action="purge-old").text
    assert "The recycle bin is empty" in press(sandbox, "/recycle-bin", action="purge-all").text
    assert press(sandbox, "/recycle-bin", action="dance").status_code == 400
    assert requests.get(f"{sandbox.base_url}/studies/{first}", timeout=30).status_code == 404


def test_accounts_are_merged_on_the_page_of_the_one_that_stays(api: Api, sandbox: RunningSandbox) -> None:
    master, loser, second = (api.create("Account", LastName=name, External_ID_vod__c=name) for name in ("A", "B", "C"))
    call = api.create("Call2_vod__c", Account_vod__c=loser)
    choices = requests.get(f"{sandbox.base_url}/accounts/{master}", timeout=30).text
    assert set(re.findall(r'<option value="(001\w+)"', choices)) == {loser, second}
    page = press(sandbox, f"/accounts/{master}/merge", loser=loser, second_loser=second)
    assert page.url == f"{sandbox.base_url}/accounts/{master}"
    assert read_row(sandbox, "Call2_vod__c", call)["Account_vod__c"] == master
    deleted = requests.get(f"{sandbox.base_url}/accounts/{loser}", timeout=30).text
    assert re.search(rf'Merged into <a href="/accounts/{master}">A</a>', deleted)
    listed = requests.get(f"{sandbox.base_url}/recycle-bin", timeout=30).text
    assert len(re.findall(rf'<a href="/accounts/{master}"\s*>A</a>', listed)) == 2
    assert press(sandbox, f"/accounts/{master}/merge").status_code == 400


def test_a_hidden_record_says_so_and_is_edited_nevertheless(api: Api, sandbox: RunningSandbox) -> None:
    account = api.create("Account", LastName="x")
    call = api.create("Call2_vod__c", Account_vod__c=account)
    assert "Hidden: the users of the API" in press(sandbox, f"/calls/{call}/hide").text
    assert api.get(f"/sobjects/Call2_vod__c/{call}").status_code == 404
    assert "Marked for Vault Clinical" in press(sandbox, f"/calls/{call}/send").text
    assert "Hidden: the users of the API" not in press(sandbox, f"/calls/{call}/show").text
    assert api.get(f"/sobjects/Call2_vod__c/{call}").json()["Send_to_Vault_Clinical_vod__c"] is True


def test_a_record_that_others_need_is_not_deleted(api: Api, sandbox: RunningSandbox) -> None:
    account = api.create("Account", LastName="x")
    api.create("Call2_vod__c", Account_vod__c=account)
    refused = press(sandbox, f"/accounts/{account}/delete")
    assert (refused.status_code, "is associated with the" in refused.text) == (400, True)


@pytest.mark.parametrize("path", ["/nothing/{id}/delete", "/calls/{id}/delete", "/accounts/nonsense/delete"])
def test_what_is_not_there_is_not_changed(api: Api, sandbox: RunningSandbox, path: str) -> None:
    account = api.create("Account", LastName="x")
    assert press(sandbox, path.format(id=account)).status_code == 404


@pytest.mark.parametrize("path", ["/recycle-bin", *(f"/accounts/{{id}}/{action}" for action in ("delete", "hide"))])
def test_other_sites_press_no_button(api: Api, sandbox: RunningSandbox, path: str) -> None:
    account = api.create("Account", LastName="x")
    answer = requests.post(
        sandbox.base_url + path.format(id=account), headers={"Origin": "https://evil.example"}, timeout=30
    )
    assert answer.status_code == 403
    assert api.get(f"/sobjects/Account/{account}").status_code == 200
