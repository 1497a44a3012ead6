"""How the client handles every bad answer, against a server with scripted faults."""

from __future__ import annotations

import gzip
import socket
from contextlib import closing
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime as format_http_date
from threading import Barrier
from typing import Any

import pytest

from crm_sync.crm.errors import (
    ConfigurationError,
    ConnectivityError,
    CrmError,
    LimitError,
)
from crm_sync.salesforce import responses, session
from crm_sync.salesforce.client import ClientOptions, CrmClient
from tests.crm_sync.conftest import PASSWORD_LOG_IN, MakeClient
from tests.crm_sync.scripted_answers import LIMITS, QUERY, make_page, make_row
from tests.crm_sync.scripted_server import Received, Reply, ScriptedServer, error


@pytest.mark.parametrize(
    "setback",
    [
        Reply(status=500, body=b""),
        Reply(status=502, body=b"<html>Bad gateway</html>"),
        error(503, "SERVER_UNAVAILABLE"),
        error(429, "TOO_MANY_REQUESTS"),
        error(400, "UNABLE_TO_LOCK_ROW"),
        Reply(status=408),
        Reply(body=b"<html>Down for maintenance</html>", headers={"Content-Type": "text/html"}),
        Reply(status=404, body=b"<html>", headers={"Content-Type": "text/html"}),
        Reply(body=b'{"DailyApiRequests": {"Max"'),
        Reply(body=b"\xff\xfe"),
        Reply(body=b"[" * 100_000),
        Reply(body=b"", status=200),
        Reply(LIMITS, drop="before"),
        Reply(LIMITS, drop="halfway"),
        Reply(LIMITS, drop="halfway", chunked=True),
        Reply(body=b"not gzip at all", headers={"Content-Encoding": "gzip"}),
        Reply(body=gzip.compress(b'{"a": 1}', mtime=0)[:-6], headers={"Content-Encoding": "gzip"}),
    ],
    ids=lambda reply: f"{reply.status}-{reply.drop or (reply.body or b'json')[:12]!r}",
)
def test_a_setback_is_tried_again(scripted: ScriptedServer, make_client: MakeClient, setback: Reply) -> None:
    scripted.replies = [setback, setback, Reply(LIMITS)]
    client = make_client()
    assert client.get_limits() == LIMITS
    assert (len(scripted.calls), client.api_calls) == (3, 4)


@pytest.mark.parametrize(
    ("setback", "message"),
    [
        (Reply(status=503, body=b""), "na.crm.test answered with status 503; tried 3 times."),
        (error(429, "BUSY"), "na.crm.test answered with status 429 (BUSY); tried 3 times."),
        (
            Reply(body=b"<html>", headers={"Content-Type": "text/html; charset=x"}),
            "na.crm.test answered with something other than JSON (status 200, text/html); tried 3 times.",
        ),
        (Reply(drop="before"), "na.crm.test closed the connection without a complete answer; tried 3 times."),
        (Reply([]), "na.crm.test answered in an unexpected form; tried 3 times."),
        (
            Reply(body=b"no gzip", headers={"Content-Encoding": "gzip"}),
            "na.crm.test sent an answer that cannot be unpacked; tried 3 times.",
        ),
    ],
)
def test_what_does_not_pass_ends_with_host_cause_and_count(
    scripted: ScriptedServer, make_client: MakeClient, setback: Reply, message: str
) -> None:
    scripted.answer = lambda _: setback
    with pytest.raises(ConnectivityError) as caught:
        make_client(max_attempts=3).get_limits()
    assert caught.value.message == message
    assert caught.value.remedy == "Check that the CRM is available; the next run continues where this one stopped."
    assert len(scripted.calls) == 3


def test_silence_ends_in_the_read_timeout(scripted: ScriptedServer, make_client: MakeClient) -> None:
    both_are_waiting = Barrier(2)

    def wait_for_the_client_to_give_up(_: Received) -> Reply:
        both_are_waiting.wait(60)
        return Reply(drop="before")

    scripted.answer = wait_for_the_client_to_give_up
    client = make_client(max_attempts=1, read_timeout=0.2)
    wire = client._connection.wire
    asked_for, wire._timeouts = wire._timeouts, (60.0, 60.0)
    client.log_in()  # whose answer may take its time
    wire._timeouts = asked_for
    with pytest.raises(ConnectivityError) as caught:
        client.get_limits()
    both_are_waiting.wait(60)
    assert caught.value.message == "na.crm.test did not answer within 0.2 seconds; tried once."


def test_a_crm_that_is_switched_off_is_named_and_nothing_counts_as_sent(make_client: MakeClient) -> None:
    with socket.socket() as deaf:
        deaf.bind(("127.0.0.1", 0))  # without listening: the port is refused, and nobody else gets it meanwhile
        origin = f"http://127.0.0.1:{deaf.getsockname()[1]}"
        client = make_client(max_attempts=2, sandbox_origins={"https://na.crm.test": origin})
        with pytest.raises(ConnectivityError) as caught:
            client.get_limits()
    assert caught.value.message == "na.crm.test refused the connection or cannot be reached; tried 2 times."
    assert client.api_calls == 0


def test_a_host_without_address_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    def find_none(*_asked: Any) -> Any:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    # Not that of this machine, which may take its time, or have an address for every name.
    monkeypatch.setattr(socket, "getaddrinfo", find_none)
    options = ClientOptions(allowed_host_suffixes=("invalid",), max_attempts=2, backoff_base_seconds=0.001)
    client = CrmClient(base_url="https://crm.invalid", credentials=PASSWORD_LOG_IN, options=options)
    with closing(client), pytest.raises(ConnectivityError) as caught:
        client.log_in()
    assert caught.value.message == "crm.invalid has no address in the name service; tried 2 times."


def test_a_wait_that_the_run_cannot_afford_is_not_begun(scripted: ScriptedServer, make_client: MakeClient) -> None:
    scripted.replies = [error(503, "SERVER_UNAVAILABLE", Retry_After="3600")]
    with pytest.raises(ConnectivityError) as caught:
        make_client(retry_budget_seconds=60.0).get_limits()
    assert caught.value.message == (
        "na.crm.test answered with status 503 (SERVER_UNAVAILABLE); tried once. It asks to wait 3600 seconds. "
        "The waiting time of this run is used up."
    )


def test_retry_after_is_waited_for_and_the_run_is_told_that_it_lives(
    scripted: ScriptedServer, make_client: MakeClient
) -> None:
    now = datetime(2001, 1, 1, tzinfo=UTC)
    later = {
        "Retry-After": format_http_date(now + timedelta(seconds=1), usegmt=True),
        "Date": "Mon, 01 Jan 2001 00:00:00 GMT",
    }
    scripted.replies = [error(429, "BUSY", Retry_After="1"), Reply(status=503, headers=later), Reply(LIMITS)]
    waits: list[int] = []
    client = make_client(on_wait=lambda: waits.append(1), retry_budget_seconds=2.5)
    assert client.get_limits() == LIMITS
    assert waits == [1, 1]


class SkippingClock:
    """A clock on which sleeping takes no time, and which notes how long each sleep was."""

    def __init__(self) -> None:
        self.sleeps: list[float] = []

    def monotonic(self) -> float:
        return sum(self.sleeps)

    def sleep(self, seconds: float) -> None:
        self.sleeps.append(seconds)


def test_a_long_wait_tells_the_run_now_and_then_that_it_lives(
    scripted: ScriptedServer, make_client: MakeClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = SkippingClock()
    monkeypatch.setattr(session, "time", clock)
    scripted.replies = [error(429, "BUSY", Retry_After="5"), Reply(LIMITS)]
    waits: list[float] = []
    assert make_client(on_wait=lambda: waits.append(clock.monotonic())).get_limits() == LIMITS
    assert waits == [2.0, 4.0, 5.0]


def test_an_answer_that_trickles_in_is_given_up(
    scripted: ScriptedServer, make_client: MakeClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = make_client(max_attempts=1)
    client.log_in()
    monkeypatch.setattr(responses, "MAX_ANSWER_SECONDS", -1.0)
    scripted.replies = [Reply(LIMITS)]
    with pytest.raises(ConnectivityError) as caught:
        client.get_limits()
    assert caught.value.message == "na.crm.test took more than -1 seconds to send one answer; tried once."


def test_what_on_wait_raises_ends_the_wait(scripted: ScriptedServer, make_client: MakeClient) -> None:
    class LeaseLostError(Exception):
        """Another worker has taken over the run."""

    def check_lease() -> None:
        raise LeaseLostError

    scripted.replies = [error(503, "SERVER_UNAVAILABLE")]
    with pytest.raises(LeaseLostError):
        make_client(on_wait=check_lease).get_limits()
    assert len(scripted.calls) == 1


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_is_refused_and_not_followed(scripted: ScriptedServer, make_client: MakeClient, status: int) -> None:
    scripted.replies = [Reply(status=status, headers={"Location": f"{scripted.origin}/elsewhere"})]
    with pytest.raises(ConfigurationError) as caught:
        make_client().get_limits()
    assert caught.value.message == "na.crm.test sends the call to another address, which is not followed."
    assert len(scripted.calls) == 1


def test_the_body_of_a_redirect_is_bounded_too(
    scripted: ScriptedServer, make_client: MakeClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(responses, "MAX_ANSWER_BYTES", 1000)
    scripted.replies = [Reply(status=302, body=b"x" * 1001, headers={"Location": "/"})]
    with pytest.raises(ConnectivityError, match="too large to be one of its own"):
        make_client().get_limits()


ASKED = "reading Account (GET /services/data/v60.0/query)"


@pytest.mark.parametrize(
    ("reply", "kind", "message"),
    [
        (
            error(400, "INVALID_FIELD", f"\n{QUERY}\n  ^\nERROR at Row:1:Column:8\nNo such column 'Foo' on 'Account'."),
            ConfigurationError,
            "na.crm.test does not know what was asked of it: No such column 'Foo' on 'Account'.",
        ),
        (
            error(400, "MALFORMED_QUERY", f"\n{QUERY}\n^\nERROR at Row:1:Column:1\nunexpected token: FROM"),
            ConfigurationError,
            "na.crm.test does not know what was asked of it: unexpected token: FROM",
        ),
        (
            error(400, "INVALID_TYPE", "sObject type 'X' is not supported."),
            ConfigurationError,
            "na.crm.test does not know what was asked of it: sObject type 'X' is not supported.",
        ),
        (
            error(403, "API_DISABLED_FOR_ORG", "The API is not enabled"),
            ConfigurationError,
            "na.crm.test does not allow or does not have what was asked of it (status 403): The API is not enabled",
        ),
        (
            Reply(status=403, body=b"<html>"),
            ConfigurationError,
            "na.crm.test does not allow or does not have what was asked of it (status 403): no reason given",
        ),
        (
            error(404, "NOT_FOUND", "It does not exist"),
            ConfigurationError,
            f"na.crm.test does not have what it was asked for, {ASKED} (status 404): It does not exist",
        ),
        (
            error(410, "UNSUPPORTED_API_VERSION", "The requested resource no longer exists"),
            ConfigurationError,
            "na.crm.test no longer offers the version of its API that the Vault uses (v60.0).",
        ),
        (
            Reply(status=410, body=b""),
            ConfigurationError,
            "na.crm.test no longer offers the version of its API that the Vault uses (v60.0).",
        ),
        (
            error(400, "UNSUPPORTED_API_VERSION", "Invalid Api version specified on URL"),
            ConfigurationError,
            "na.crm.test no longer offers the version of its API that the Vault uses (v60.0).",
        ),
        (
            error(403, "REQUEST_LIMIT_EXCEEDED", "TotalRequests Limit exceeded."),
            LimitError,
            "na.crm.test takes no more API calls for now: TotalRequests Limit exceeded.",
        ),
        (
            error(400, "JSON_PARSER_ERROR", "Unexpected character"),
            CrmError,
            "na.crm.test rejected the request (status 400): Unexpected character",
        ),
        (
            Reply(["/services/data/v60.0/sobjects/Account/1"], status=300),
            CrmError,
            "na.crm.test has several records with the same external id.",
        ),
    ],
)
def test_a_lasting_refusal_is_raised_at_once_in_its_own_family(
    scripted: ScriptedServer, make_client: MakeClient, reply: Reply, kind: type[CrmError], message: str
) -> None:
    scripted.replies = [reply]
    with pytest.raises(CrmError) as caught:
        list(make_client().query(QUERY))
    assert (type(caught.value), caught.value.message) == (kind, message)
    assert len(scripted.calls) == 1


@pytest.mark.parametrize(
    "reply",
    [
        Reply(body=b'{"done":true,"records":[' + b'{"a":' * 450 + b"1" + b"}" * 450 + b"]}"),
        Reply(body=b'{"done":true,"records":[{"Name":NaN}]}'),
        Reply(LIMITS, status=503, headers={"Date": "Fri, 31 Dec 9999 23:59:59 -1400"}),
        Reply(LIMITS, status=503, headers={"Retry-After": "Fri, 31 Dec 9999 23:59:59 -1400"}),
        Reply(LIMITS, status=503, headers={"Sforce-Limit-Info": f"api-usage={'9' * 5000}/15000"}),
    ],
    ids=["deep", "nan", "date", "retry-after", "usage"],
)
def test_an_absurd_answer_is_a_setback_like_any_other(
    scripted: ScriptedServer, make_client: MakeClient, reply: Reply
) -> None:
    scripted.answer = lambda _: reply
    with pytest.raises(ConnectivityError):
        list(make_client(max_attempts=2).query(QUERY))
    assert len(scripted.calls) == 2


@pytest.mark.parametrize(
    "rows",
    [[make_row("001000000000002"), make_row("001000000000001")], [make_row("001000000000001"), make_row()]],
    ids=["reordered", "unnamed"],
)
def test_results_that_are_not_those_of_the_records_sent_are_not_believed(
    scripted: ScriptedServer, make_client: MakeClient, rows: list[dict[str, Any]]
) -> None:
    scripted.answer = lambda _: Reply(rows)
    records = [{"Id": "001000000000001AAA", "Name": "a"}, {"Id": "001000000000002AAA", "Name": "b"}]
    with pytest.raises(ConnectivityError, match="unexpected form"):
        make_client(max_attempts=2).update(object_name="Account", records=records)


@pytest.mark.parametrize(
    "message",
    ["ConcurrentPerOrgLongTxn Limit exceeded.", "ConcurrentRequests (Concurrent API Requests) Limit exceeded."],
)
def test_too_many_calls_at_this_moment_are_no_used_up_limit(
    scripted: ScriptedServer, make_client: MakeClient, message: str
) -> None:
    refusal = error(403, "REQUEST_LIMIT_EXCEEDED", message)
    scripted.replies = [refusal, refusal, Reply(LIMITS)]
    assert make_client().get_limits() == LIMITS
    scripted.replies = [refusal] * 2
    with pytest.raises(ConnectivityError) as caught:
        make_client(max_attempts=2).get_limits()
    assert caught.value.message == f"na.crm.test was busy with other calls ({message.rstrip('.')}); tried 2 times."


def test_what_is_not_there_is_named_with_object_and_call(scripted: ScriptedServer, make_client: MakeClient) -> None:
    scripted.answer = lambda _: error(404, "NOT_FOUND", "The requested resource does not exist")
    client = make_client()
    for call, asked in (
        (lambda: client.describe("Gone__c"), "describing Gone__c (GET /services/data/v60.0/sobjects/Gone__c/describe)"),
        (
            lambda: client.upsert(object_name="Gone__c", external_id_field="Key__c", records=[{"Key__c": "1"}]),
            "writing Gone__c (PATCH /services/data/v60.0/composite/sobjects/Gone__c/Key__c)",
        ),
    ):
        with pytest.raises(ConfigurationError) as caught:
            call()
        assert asked in caught.value.message


def test_messages_name_the_host_that_answered(scripted: ScriptedServer, make_client: MakeClient) -> None:
    origins = {"https://na.crm.test": scripted.origin, "https://pod7.crm.test": scripted.origin}
    scripted.instance_url = "https://pod7.crm.test"
    scripted.answer = lambda _: error(503, "SERVER_UNAVAILABLE")
    with pytest.raises(ConnectivityError, match=r"^pod7\.crm\.test answered with status 503"):
        make_client(sandbox_origins=origins, max_attempts=1).get_limits()
    scripted.answer = lambda _: error(403, "INSUFFICIENT_ACCESS")
    with pytest.raises(ConfigurationError, match=r"^pod7\.crm\.test does not allow"):
        make_client(sandbox_origins=origins).get_limits()
    scripted.answer = lambda _: Reply(drop="before")
    with pytest.raises(ConnectivityError, match=r"^pod7\.crm\.test closed the connection"):
        make_client(sandbox_origins=origins, max_attempts=1).get_limits()


@pytest.mark.parametrize(
    ("next_url", "named"),
    [("https://evil.example.com/services/data/v60.0/query/01g-2000", " (evil.example.com)"), ("/elsewhere", "")],
)
def test_a_next_page_outside_the_api_is_refused_with_its_host(
    scripted: ScriptedServer, make_client: MakeClient, next_url: str, named: str
) -> None:
    scripted.replies = [make_page("Ada", next_url=next_url)]
    with pytest.raises(ConfigurationError) as caught:
        list(make_client().query(QUERY))
    assert caught.value.message == (
        f"na.crm.test names a next page that lies outside its own API{named}, so nothing was read from there."
    )
    assert "such as a proxy" in caught.value.remedy
    assert len(scripted.calls) == 1
