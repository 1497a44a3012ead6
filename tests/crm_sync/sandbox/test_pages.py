"""The web pages of the sandbox."""

import re
from collections.abc import Iterator

import pytest
import requests

from crm_sync.sandbox import RunningSandbox
from crm_sync.sandbox.pages.misbehaviour_form import EFFECTS
from tests.crm_sync.sandbox.conftest import Api


@pytest.fixture
def browser() -> Iterator[requests.Session]:
    """A client that follows redirects and sends forms."""
    with requests.Session() as session:
        yield session


@pytest.fixture
def account(sandbox: RunningSandbox) -> str:
    """An account whose name must be escaped."""
    [identifier] = sandbox.organisation.insert_records(
        object_name="Account", records=[{"FirstName": "Aline", "LastName": "<script>alert(1)</script>"}]
    )
    return identifier


def test_a_call_is_created_sent_edited_and_deleted(
    sandbox: RunningSandbox, browser: requests.Session, account: str
) -> None:
    author = sandbox.organisation.add_user(username="n@x", first_name="Nadia", last_name="Berger", email="n@x.example")
    created = browser.post(
        f"{sandbox.base_url}/calls/new",
        data={
            "Account_vod__c": account,
            "Call_Datetime_vod__c": "2026-11-05T10:30",
            "Call_Channel_vod__c": "Video_vod",
            "Status_vod__c": "Planned_vod",
            "author": author.id,
        },
        timeout=30,
    )
    assert created.status_code == 200
    [row] = sandbox.organisation.list_records(object_name="Call2_vod__c")
    assert created.url == f"{sandbox.base_url}/calls/{row['Id']}"
    assert (row["Call_Date_vod__c"], row["Call_Datetime_vod__c"]) == ("2026-11-05", "2026-11-05T10:30:00.000+0000")
    assert (row["CreatedById"], row["Send_to_Vault_Clinical_vod__c"]) == (author.id, False)

    sent = browser.post(f"{created.url}/send", timeout=30)
    assert "Marked for Vault Clinical" in sent.text
    assert sandbox.organisation.list_records(object_name="Call2_vod__c")[0]["Send_to_Vault_Clinical_vod__c"] is True

    edited = browser.post(
        f"{created.url}/edit", data={"Account_vod__c": account, "Status_vod__c": "Submitted_vod"}, timeout=30
    )
    assert edited.url == created.url
    [row] = sandbox.organisation.list_records(object_name="Call2_vod__c")
    assert (row["Status_vod__c"], row["Call_Date_vod__c"], row["Send_to_Vault_Clinical_vod__c"]) == (
        "Submitted_vod",
        None,
        False,
    )

    assert browser.post(f"{created.url}/delete", timeout=30).url == f"{sandbox.base_url}/calls"
    [row] = sandbox.organisation.list_records(object_name="Call2_vod__c", include_deleted=True)
    assert row["IsDeleted"] is True
    assert "recycle bin</a> since" in browser.get(created.url, timeout=30).text
    assert browser.get(f"{created.url}/edit", timeout=30).status_code == 404


def test_a_refused_call_is_shown_again_with_the_reason(
    sandbox: RunningSandbox, browser: requests.Session, account: str
) -> None:
    response = browser.post(
        f"{sandbox.base_url}/calls/new",
        data={"Account_vod__c": "", "Call_Date_vod__c": "2026-11-05", "Call_Channel_vod__c": "Email_vod"},
        timeout=30,
    )
    assert response.status_code == 400
    assert "Required fields are missing: [Account_vod__c]" in response.text
    assert 'value="2026-11-05"' in response.text
    assert re.search(r'value="Email_vod"\s+selected', response.text)
    assert sandbox.organisation.count_records(object_name="Call2_vod__c") == 0


@pytest.mark.parametrize(
    "path", ["calls/new", "misbehaviour", "log", "calls/{call}/send", "calls/{call}/delete", "calls/{call}/edit"]
)
def test_forms_of_other_sites_are_refused(
    sandbox: RunningSandbox, browser: requests.Session, account: str, path: str
) -> None:
    [call] = sandbox.organisation.insert_records(object_name="Call2_vod__c", records=[{"Account_vod__c": account}])
    for headers in ({"Origin": "https://evil.example"}, {"Sec-Fetch-Site": "cross-site"}, {"Origin": "null"}):
        response = browser.post(
            f"{sandbox.base_url}/{path.format(call=call)}",
            data={"Account_vod__c": account, "action": "clear"},
            headers=headers,
            timeout=30,
        )
        assert response.status_code == 403
    [row] = sandbox.organisation.list_records(object_name="Call2_vod__c")
    assert row["Send_to_Vault_Clinical_vod__c"] is False


def test_nothing_that_came_from_outside_is_markup(
    sandbox: RunningSandbox, browser: requests.Session, account: str
) -> None:
    sandbox.organisation.insert_records(
        object_name="Clinical_Study_vod__c", records=[{"Name": "<b>S</b>", "Link_vod__c": "javascript:alert(1)"}]
    )
    [study] = sandbox.organisation.list_records(object_name="Clinical_Study_vod__c")
    for path in (
        "/accounts",
        f"/accounts/{account}",
        "/calls/new",
        "/studies",
        f"/studies/{study['Id']}",
        "/accounts?q=<script>alert(1)</script>",
    ):
        response = browser.get(sandbox.base_url + path, timeout=30)
        assert response.status_code == 200
        assert "<script" not in response.text
        assert "<b>S</b>" not in response.text
        assert 'href="javascript:' not in response.text
        assert response.headers["Content-Security-Policy"].startswith("default-src 'none'")
        assert not re.search(r'(?:src|href|action)="(?:https?:)?//', response.text)


def test_lists_are_searched_and_paged(sandbox: RunningSandbox, browser: requests.Session) -> None:
    sandbox.organisation.insert_records(
        object_name="Account", records=[{"LastName": f"Person {number:03} 100%"} for number in range(120)]
    )
    first = browser.get(f"{sandbox.base_url}/accounts", timeout=30).text
    assert "1–50 of 120" in first
    last = browser.get(f"{sandbox.base_url}/accounts?page=99", timeout=30)
    assert "101–120 of 120" in last.text
    assert last.url.endswith("page=3")
    assert "1–10 of 10" in browser.get(f"{sandbox.base_url}/accounts?q=person 01", timeout=30).text
    assert "1–50 of 120" in browser.get(f"{sandbox.base_url}/accounts", params={"q": "100%"}, timeout=30).text
    assert "Nothing matches" in browser.get(f"{sandbox.base_url}/accounts", params={"q": "1_0%'\\"}, timeout=30).text


def test_every_list_and_record_has_its_page(api: Api, sandbox: RunningSandbox, account: str) -> None:
    study = api.create("Clinical_Study_vod__c", Name="S")
    site = api.create("Clinical_Site_vod__c", Name="101", Clinical_Study_vod__c=study)
    interaction = api.create(
        "Vault_Clinical_Interaction_vod__c", Account_vod__c=account, Clinical_Study_vod__c=study, Subject_vod__c="Visit"
    )
    pages = {
        "/": "Organisation na",
        "/interactions": "Visit",
        f"/interactions/{interaction}": "VCI-00000001",
        "/sites": "101",
        f"/sites/{site[:15]}": "101",
        f"/studies/{study}": "Clinical Sites",
        f"/accounts/{account}": "Vault Clinical Interactions",
        f"/{study}": "Clinical Sites",
        f"/lightning/r/Account/{account}/view": "Details",
        "/style.css": "light-dark(",
        "/misbehaviour": "Add a rule",
    }
    for path, words in pages.items():
        response = requests.get(sandbox.base_url + path, timeout=30)
        assert (response.status_code, words in response.text) == (200, True), path
    for path in (
        "/nothing",
        "/accounts/nonsense",
        f"/calls/{account}",
        "/001000000000001AAA",
        "/accounts/001000000000001AAA",
    ):
        assert requests.get(sandbox.base_url + path, timeout=30).status_code == 404, path


def test_secrets_are_on_no_page(api: Api, sandbox: RunningSandbox) -> None:
    user, app = sandbox.user, sandbox.connected_app
    token = str(api.session.headers["Authorization"]).removeprefix("Bearer ")
    api.get("/limits")
    for path in ("/", "/log", "/misbehaviour", "/calls/new", "/_sandbox/log", "/_sandbox/misbehave"):
        text = requests.get(sandbox.base_url + path, timeout=30).text
        for secret in (user.password, user.security_token, app.client_secret, app.refresh_token, token):
            assert secret not in text


def test_misbehaviour_is_set_and_lifted_on_its_page(api: Api, sandbox: RunningSandbox) -> None:
    address = f"{sandbox.base_url}/misbehaviour"

    def press(**form: str) -> requests.Response:
        return requests.post(address, data=form, timeout=30)

    added = press(action="add", method="GET", path="/limits", count="1", effect="status", status="503", retry_after="2")
    assert (added.status_code, "status: 503" in added.text) == (200, True)
    assert api.get("/limits").status_code == 503
    assert press(action="add", effect="row", external_id="E1").status_code == 200
    assert press(action="add", effect="delay", amount="5").status_code == 200
    assert press(action="add", effect="pages", amount="5").status_code == 200
    assert press(action="add", effect="drop-after", probability="0.0").status_code == 200
    assert [rule.effect.row_errors for rule in sandbox.misbehaviour.rules][1] == {"E1": "UNABLE_TO_LOCK_ROW"}
    assert press(action="remove", rule="1").status_code == 200
    assert len(sandbox.misbehaviour.rules) == 4
    settings = {
        "latency_ms": "1.5",
        "clock_skew_seconds": "0",
        "session_seconds": "60",
        "api_limit": "50",
        "oldest_api_version": "40",
        "concurrent_requests": "3",
        "refuse_log_in": "ip restricted",
        "duplicate_rule": "Account",
    }
    assert press(action="settings", block_password_flow="on", **settings).status_code == 200
    assert sandbox.misbehaviour.read_settings() == {
        "latency_ms": 1.5,
        "clock_skew_seconds": 0.0,
        "block_password_flow": True,
        "api_limit": 50,
        "session_seconds": 60.0,
        "oldest_api_version": 40,
        "concurrent_requests": 3,
        "refuse_log_in": "ip restricted",
        "duplicate_rule": "Account",
    }
    text = requests.get(address, timeout=30).text
    assert re.search(r"<option selected>ip restricted", text)
    assert re.search(r'value="Account"\s+selected>Account', text)
    assert press(action="clear").status_code == 200
    assert (sandbox.misbehaviour.rules, sandbox.misbehaviour.latency_ms) == ([], 0.0)
    assert press(action="expire").status_code == 200
    assert api.get("/limits").status_code == 401
    assert press(action="reset-usage").status_code == 200
    assert sandbox.organisation.usage.used == 0


@pytest.mark.parametrize("effect", [value for _, choices in EFFECTS for value, _ in choices])
def test_every_effect_of_the_form_becomes_a_rule(sandbox: RunningSandbox, effect: str) -> None:
    form = {"action": "add", "effect": effect, "status": "500", "amount": "5", "external_id": "E"}
    answer = requests.post(f"{sandbox.base_url}/misbehaviour", data=form, timeout=30)
    assert answer.status_code == 200
    [rule] = sandbox.misbehaviour.rules
    assert rule.as_json()["effect"]


@pytest.mark.parametrize(
    ("form", "words"),
    [
        ({"action": "add", "effect": "status"}, "Status: this effect needs a number."),
        ({"action": "add", "effect": "status", "status": "200"}, "Status: enter a number from 400 to 599."),
        ({"action": "add", "effect": "status", "status": "x"}, "Status: enter a whole number."),
        ({"action": "add", "effect": "row"}, "External id: name the record"),
        ({"action": "add", "effect": "nothing"}, "Effect: choose one of the list."),
        ({"action": "add", "effect": "html", "path": "("}, "path is no regular expression"),
        ({"action": "settings"}, "Latency: enter a number."),
        ({"action": "dance"}, "Press one of the buttons of this page."),
    ],
)
def test_the_page_says_what_to_correct(sandbox: RunningSandbox, form: dict[str, str], words: str) -> None:
    response = requests.post(f"{sandbox.base_url}/misbehaviour", data=form, timeout=30)
    assert (response.status_code, words in response.text) == (400, True)
    assert sandbox.misbehaviour.rules == []


def test_the_log_is_shown_newest_first_and_cleared(api: Api, sandbox: RunningSandbox) -> None:
    api.get("/limits")
    api.get("/nothing")
    text = requests.get(f"{sandbox.base_url}/log", timeout=30).text
    assert text.index("/services/data/v60.0/nothing") < text.index("/services/data/v60.0/limits")
    assert "No API call yet" in requests.post(f"{sandbox.base_url}/log", timeout=30).text
