"""Limits of what the client sends and reads, and secrets that it never shows."""

from __future__ import annotations

import gzip
import html
import json
import traceback
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from threading import Lock
from urllib.parse import quote, quote_plus

import pytest
import structlog

from crm_sync.crm.errors import (
    AuthenticationError,
    ConfigurationError,
    ConnectivityError,
    CrmError,
    LimitError,
)
from crm_sync.salesforce.client import Credentials, CrmClient
from crm_sync.salesforce.responses import MAX_ANSWER_BYTES
from ctms.core.clock import get_now
from tests.crm_sync.certificates import Authority
from tests.crm_sync.conftest import PASSWORD_LOG_IN, SECRET, MakeClient
from tests.crm_sync.scripted_answers import ALWAYS, LIMITS, PERSON, QUERY, make_page, make_row
from tests.crm_sync.scripted_server import Received, Reply, ScriptedServer, error, run_scripted_server


def test_large_bodies_are_packed_and_small_ones_are_not(scripted: ScriptedServer, make_client: MakeClient) -> None:
    client = make_client()
    scripted.replies = [Reply([make_row("a1")]), Reply([make_row("a1")])]
    for name in ("short", "long " * 300):
        client.update(object_name="Account", records=[{"Id": "a1", "Name": name}])
    assert [request.was_packed for request in scripted.calls] == [False, True]
    assert scripted.calls[1].json["records"][0]["Name"] == "long " * 300


def test_calls_of_several_threads_are_all_counted(scripted: ScriptedServer, make_client: MakeClient) -> None:
    count, lock = 0, Lock()

    def stumble_now_and_then(_: Received) -> Reply:
        nonlocal count
        with lock:
            count += 1
            return error(503, "SERVER_UNAVAILABLE") if count % 5 == 0 else Reply(LIMITS)

    scripted.answer = stumble_now_and_then
    client = make_client(max_attempts=20)  # one call may be the fifth several times in a row
    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(lambda _: client.get_limits(), range(100))) == [LIMITS] * 100
    assert client.api_calls == len(scripted.received)


def test_usage_and_clock_are_read_from_every_answer(scripted: ScriptedServer, make_client: MakeClient) -> None:
    headers = {
        "Sforce-Limit-Info": "per-app-api-usage=1/2(appName=x), api-usage=18/15000",
        "Date": "Thu, 12 Jul 2012 17:49:01 GMT",
    }
    scripted.replies = [Reply(LIMITS, headers=headers)]
    client = make_client()
    assert (client.api_usage, client.clock) == (None, None)
    client.get_limits()
    assert client.api_usage == (18, 15000)
    assert client.clock is not None
    assert client.clock.crm == datetime(2012, 7, 12, 17, 49, 1, tzinfo=UTC)
    assert client.clock.vault <= get_now()


def test_the_client_stops_at_its_share_of_the_quota(scripted: ScriptedServer, make_client: MakeClient) -> None:
    scripted.replies = [
        Reply(LIMITS, headers={"Sforce-Limit-Info": "api-usage=11999/15000"}),
        Reply(LIMITS, headers={"Sforce-Limit-Info": "api-usage=12000/15000"}),
    ]
    client = make_client(quota_share=0.8)
    client.get_limits()
    client.get_limits()
    with pytest.raises(LimitError) as caught:
        client.get_limits()
    assert caught.value.message == (
        "na.crm.test has used 12,000 of 15,000 API calls, and this connection stops at 80%."
    )
    assert len(scripted.calls) == 2


def test_a_crm_that_tells_no_limit_is_not_taken_for_used_up(scripted: ScriptedServer, make_client: MakeClient) -> None:
    scripted.replies = [Reply(LIMITS, headers={"Sforce-Limit-Info": "api-usage=0/0"}), Reply(LIMITS)]
    client = make_client()
    assert [client.get_limits(), client.get_limits()] == [LIMITS, LIMITS]


def test_packed_answers_are_unpacked(scripted: ScriptedServer, make_client: MakeClient) -> None:
    packed = gzip.compress(b'{"records": [{"Name": "Ada"}], "done": true}')
    scripted.replies = [Reply(body=packed, headers={"Content-Encoding": "gzip"}, chunked=True)]
    assert list(make_client().query(QUERY)) == [[{"Name": "Ada"}]]
    assert scripted.calls[0].headers["Accept-Encoding"] == "gzip"


def test_a_small_answer_that_unpacks_without_end_is_refused(scripted: ScriptedServer, make_client: MakeClient) -> None:
    bomb = gzip.compress(b" " * (MAX_ANSWER_BYTES + 1))
    scripted.replies = [Reply(body=bomb, headers={"Content-Encoding": "gzip"})]
    with pytest.raises(ConnectivityError) as caught:
        make_client().get_limits()
    assert caught.value.message == "na.crm.test sent an answer too large to be one of its own."
    assert len(scripted.calls) == 1


def test_a_query_longer_than_a_url_is_refused_here(scripted: ScriptedServer, make_client: MakeClient) -> None:
    with pytest.raises(ConfigurationError, match="longer than the CRM accepts"):
        list(make_client().query("SELECT Id FROM Account WHERE Name = '" + "x" * 17_000 + "'"))
    assert scripted.received == []


def test_a_mapped_sandbox_may_speak_https_with_its_own_authority(
    make_client: MakeClient, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    authority = Authority(tmp_path)
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(authority.bundle))
    with run_scripted_server(tls=authority.make_server_context("127.0.0.1")) as server:
        server.replies = [Reply(LIMITS)]
        origins = {"https://na.crm.test": server.origin}
        assert make_client(sandbox_origins=origins, ca_bundle=str(authority.bundle)).get_limits() == LIMITS
        distrustful = make_client(sandbox_origins=origins)
        with pytest.raises(ConfigurationError) as caught:
            distrustful.get_limits()
    assert caught.value.message == "The certificate of na.crm.test is not one to trust, so nothing was sent."
    assert (server.log_ins, distrustful.api_calls) == (1, 0)


def list_everything_said(failure: BaseException | None) -> Iterator[str]:
    while failure is not None:
        yield from (str(failure), repr(failure), repr(failure.args), repr(vars(failure)))
        own_frames = list(traceback.walk_tb(failure.__traceback__))[1:]  # the first is the test itself
        yield from traceback.StackSummary.extract(iter(own_frames), capture_locals=True).format()
        assert failure.__cause__ is None
        failure = failure.__context__


ECHO = f"you sent {PASSWORD_LOG_IN.password} {PASSWORD_LOG_IN.consumer_secret}"
ECHO_OF_TOKEN = ECHO + " token-1"


@pytest.mark.parametrize(
    ("token_reply", "reply"),
    [
        (Reply({"error": "invalid_grant", "error_description": ECHO}, status=400), None),
        (Reply({"error": ECHO}, status=400), None),
        (Reply(drop="before"), None),
        (Reply(status=302), None),
        (None, Reply(drop="before")),
        (None, Reply(drop="halfway", payload=ECHO_OF_TOKEN)),
        (None, Reply(ECHO_OF_TOKEN)),
        (None, error(500, ECHO_OF_TOKEN, ECHO_OF_TOKEN)),
        (None, error(400, "MALFORMED_QUERY", f"\n{QUERY}\n ^\nERROR at Row:1:Column:1\n{ECHO_OF_TOKEN}")),
        (None, error(401, "INVALID_SESSION_ID", ECHO_OF_TOKEN)),
        (None, Reply(status=302, headers={"Location": f"https://evil.example/{PERSON}"})),
        (None, make_page(next_url=f"https://evil.example/{PERSON}")),
    ],
)
def test_no_failure_tells_a_secret_or_a_query(
    scripted: ScriptedServer, make_client: MakeClient, token_reply: Reply | None, reply: Reply | None
) -> None:
    scripted.token_replies = [token_reply] * ALWAYS if token_reply else []
    scripted.answer = lambda _: reply or Reply(LIMITS)
    client = make_client(max_attempts=2)
    with structlog.testing.capture_logs() as events, pytest.raises(CrmError) as caught:
        list(client.query(QUERY))
    said = "\n".join([*list_everything_said(caught.value), repr(events), repr(client), repr(vars(client))])
    assert SECRET not in said
    assert "token-1" not in said
    own_words = [str(caught.value), repr(caught.value.__context__), repr(events), repr(client)]
    assert PERSON not in "\n".join(own_words)
    assert {name for event in events for name in event} == {
        "event",
        "log_level",
        "method",
        "path",
        "status",
        "ms",
        "attempt",
        "connection",
        "host",
        "object",
    }


def test_credentials_and_options_show_nothing_secret() -> None:
    assert repr(PASSWORD_LOG_IN) == "Credentials(flow='password')"
    assert SECRET not in repr(CrmClient.__init__)


def test_a_secret_is_removed_however_the_crm_spells_it(scripted: ScriptedServer, make_client: MakeClient) -> None:
    password = 'pä"ss <w&rd>+1'
    spelled = [password, quote_plus(password), quote(password), json.dumps(password)[1:-1], html.escape(password)]
    scripted.token_replies = [Reply({"error": "invalid_grant", "error_description": " | ".join(spelled)}, status=400)]
    client = make_client(credentials=Credentials(flow="password", username="vault@example.com", password=password))
    with pytest.raises(AuthenticationError) as caught:
        client.get_limits()
    assert caught.value.message == f"na.crm.test refused the log-in: {' | '.join(['[removed]'] * len(spelled))}."
