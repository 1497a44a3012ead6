"""What the client sends for each call, and what it returns for a good answer."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from crm_sync.crm.errors import (
    ConfigurationError,
    ConnectivityError,
    QueryLocatorExpired,
    RowError,
    RowResult,
)
from crm_sync.salesforce.client import MAX_EMPTY_PAGES, MAX_PAGE, Deletions
from tests.crm_sync.conftest import MakeClient
from tests.crm_sync.scripted_answers import QUERY, make_page, make_row
from tests.crm_sync.scripted_server import Reply, ScriptedServer, error


def test_a_query_follows_pages_until_the_crm_says_done(scripted: ScriptedServer, make_client: MakeClient) -> None:
    scripted.replies = [
        make_page("Ada", next_url="/services/data/v60.0/query/01g-1"),
        make_page(next_url="/services/data/v60.0/query/01g-2"),
        make_page("Bea", "Cleo"),
    ]
    pages = list(make_client().query(QUERY, page_size=500))
    assert pages == [[{"Name": "Ada"}], [], [{"Name": "Bea"}, {"Name": "Cleo"}]]
    assert [request.path for request in scripted.calls] == [
        "/services/data/v60.0/query",
        "/services/data/v60.0/query/01g-1",
        "/services/data/v60.0/query/01g-2",
    ]
    assert scripted.calls[0].query == {"q": [QUERY]}
    assert {request.headers["Sforce-Query-Options"] for request in scripted.calls} == {"batchSize=500"}


def test_a_query_can_read_deleted_records_too(scripted: ScriptedServer, make_client: MakeClient) -> None:
    scripted.replies = [make_page()]
    assert list(make_client().query(QUERY, include_deleted=True)) == [[]]
    assert scripted.calls[0].path == "/services/data/v60.0/queryAll"


def test_attributes_are_dropped_from_related_records_too(scripted: ScriptedServer, make_client: MakeClient) -> None:
    created_by = {"attributes": {"type": "User"}, "Email": "a@example.com"}
    record = {"attributes": {"type": "Call2_vod__c"}, "CreatedBy": created_by, "Account_vod__r": None}
    scripted.replies = [Reply({"done": True, "records": [record]})]
    pages = list(make_client().query(QUERY))
    assert pages == [[{"CreatedBy": {"Email": "a@example.com"}, "Account_vod__r": None}]]


def test_a_next_page_on_another_host_is_refused(scripted: ScriptedServer, make_client: MakeClient) -> None:
    scripted.replies = [make_page("Ada", next_url="https://evil.example/services/data/v60.0/query/01g-1")]
    with pytest.raises(ConfigurationError, match="outside its own API"):
        list(make_client().query(QUERY))


def number_pages(scripted: ScriptedServer, *names: str) -> None:
    """Let every page have these records and name a further page that was not named before."""
    scripted.answer = lambda _: make_page(
        *names, total=3, next_url=f"/services/data/v60.0/query/01g-{len(scripted.received)}"
    )


def test_a_query_that_goes_in_circles_ends(scripted: ScriptedServer, make_client: MakeClient) -> None:
    scripted.answer = lambda _: make_page("Ada", next_url="/services/data/v60.0/query/01g-1")
    with pytest.raises(ConnectivityError, match="the query would never end"):
        list(make_client().query(QUERY))
    assert len(scripted.calls) == 2


def test_a_query_whose_pages_stay_empty_ends(scripted: ScriptedServer, make_client: MakeClient) -> None:
    number_pages(scripted)
    with pytest.raises(ConnectivityError, match="the query would never end"):
        list(make_client().query(QUERY))
    assert len(scripted.calls) == MAX_EMPTY_PAGES + 1


def test_a_query_that_gives_more_and_more_records_than_it_has_ends(
    scripted: ScriptedServer, make_client: MakeClient
) -> None:
    number_pages(scripted, *["Ada"] * 500)
    with pytest.raises(ConnectivityError, match="a query with 3 records, so the query would never end"):
        list(make_client().query(QUERY))
    assert len(scripted.calls) == MAX_PAGE // 500 + 1


def test_a_query_that_ends_before_all_its_records_were_sent_is_made_again(
    scripted: ScriptedServer, make_client: MakeClient
) -> None:
    rows = [{"Id": f"a0100000000000{number}AAA"} for number in (1, 2, 1)]
    scripted.replies = [Reply({"totalSize": 3, "done": True, "records": rows})]
    with pytest.raises(QueryLocatorExpired, match="announced 3 records and sent 2 of them"):
        list(make_client().query(QUERY))


@pytest.mark.parametrize(("status", "code"), [(400, "INVALID_QUERY_LOCATOR"), (404, "NOT_FOUND"), (410, "GONE")])
def test_a_next_page_that_the_crm_itself_has_named_and_refuses_starts_the_query_again(
    scripted: ScriptedServer, make_client: MakeClient, status: int, code: str
) -> None:
    scripted.replies = [make_page("Ada", next_url="/services/data/v60.0/query/01g-1"), error(status, code)]
    with pytest.raises(QueryLocatorExpired):
        list(make_client().query(QUERY))


def test_a_session_lost_between_two_pages_starts_the_query_again_if_its_place_is_lost_too(
    scripted: ScriptedServer, make_client: MakeClient
) -> None:
    scripted.replies = [
        make_page("Ada", next_url="/services/data/v60.0/query/01g-1"),
        error(401, "INVALID_SESSION_ID"),
        error(404, "NOT_FOUND"),
    ]
    with pytest.raises(QueryLocatorExpired):
        list(make_client().query(QUERY))
    assert scripted.log_ins == 2


@pytest.mark.parametrize(
    "payload",
    [
        {"records": []},
        {"done": False, "records": []},
        {"done": True},
        {"done": True, "records": [7]},
        {"done": "true", "records": []},
        [],
        None,
        "text",
    ],
)
def test_half_a_page_is_never_taken_for_a_whole_one(
    scripted: ScriptedServer, make_client: MakeClient, payload: object
) -> None:
    scripted.replies = [Reply(payload), make_page("Ada")]
    assert list(make_client().query(QUERY)) == [[{"Name": "Ada"}]]


def test_an_expired_query_locator_is_told_apart(scripted: ScriptedServer, make_client: MakeClient) -> None:
    scripted.replies = [
        make_page("Ada", next_url="/services/data/v60.0/query/01g-1"),
        error(400, "INVALID_QUERY_LOCATOR"),
    ]
    pages = make_client().query(QUERY)
    assert next(pages) == [{"Name": "Ada"}]
    with pytest.raises(QueryLocatorExpired):
        next(pages)


def test_an_upsert_sends_one_batch_and_returns_results_in_order(
    scripted: ScriptedServer, make_client: MakeClient
) -> None:
    scripted.replies = [Reply([make_row("a1", created=True), make_row("a2"), make_row(code="STRING_TOO_LONG")])]
    records = [{"Vault_External_ID_vod__c": f"V{number}", "Subject_vod__c": None} for number in range(3)]
    results = make_client().upsert(
        object_name="Vault_Clinical_Interaction_vod__c", external_id_field="Vault_External_ID_vod__c", records=records
    )
    refusal = RowError(code="STRING_TOO_LONG", message="refused", fields=("Subject_vod__c",))
    assert results == [
        RowResult(crm_id="a1", success=True, created=True, errors=()),
        RowResult(crm_id="a2", success=True, created=False, errors=()),
        RowResult(crm_id="", success=False, created=False, errors=(refusal,)),
    ]
    (request,) = scripted.calls
    root = "/services/data/v60.0/composite/sobjects"
    assert request.method == "PATCH"
    assert request.path == f"{root}/Vault_Clinical_Interaction_vod__c/Vault_External_ID_vod__c"
    assert request.json == {
        "allOrNone": False,
        "records": [{"attributes": {"type": "Vault_Clinical_Interaction_vod__c"}, **record} for record in records],
    }


def test_an_update_carries_the_ids_in_the_body(scripted: ScriptedServer, make_client: MakeClient) -> None:
    scripted.replies = [Reply([make_row("a1")])]
    make_client().update(object_name="Account", records=[{"Id": "a1", "Name": "Zoë"}])
    (request,) = scripted.calls
    assert (request.method, request.path) == ("PATCH", "/services/data/v60.0/composite/sobjects")
    assert request.json["records"] == [{"attributes": {"type": "Account"}, "id": "a1", "Name": "Zoë"}]


def test_nothing_to_send_is_no_call(scripted: ScriptedServer, make_client: MakeClient) -> None:
    client = make_client()
    assert client.upsert(object_name="Account", external_id_field="Id", records=[]) == []
    assert client.update(object_name="Account", records=[]) == []
    assert scripted.received == []


def test_a_batch_that_breaks_the_contract_is_refused_before_it_is_sent(
    scripted: ScriptedServer, make_client: MakeClient
) -> None:
    client = make_client()
    with pytest.raises(ValueError, match="at most 200 records, not 201"):
        client.upsert(object_name="Account", external_id_field="X__c", records=[{"X__c": "1"}] * 201)
    with pytest.raises(ValueError, match="needs its Id"):
        client.update(object_name="Account", records=[{"Name": "x"}])
    with pytest.raises(ConfigurationError, match="'Account/x' is not a name"):
        client.upsert(object_name="Account/x", external_id_field="X__c", records=[{"X__c": "1"}])
    assert scripted.received == []


@pytest.mark.parametrize(
    "payload", [[make_row("a1")], [make_row("a1")] * 3, {"results": []}, [{"id": "a1"}] * 2, [{"success": False}] * 2]
)
def test_results_that_do_not_match_the_batch_are_not_believed(
    scripted: ScriptedServer, make_client: MakeClient, payload: object
) -> None:
    scripted.replies = [Reply(payload), Reply([make_row("a1"), make_row("a2")])]
    results = make_client().update(object_name="Account", records=[{"Id": "a1"}, {"Id": "a2"}])
    assert [result.crm_id for result in results] == ["a1", "a2"]


def test_a_locked_row_is_sent_again_alone(scripted: ScriptedServer, make_client: MakeClient) -> None:
    scripted.replies = [
        Reply([make_row("a1"), make_row(code="UNABLE_TO_LOCK_ROW"), make_row(code="DUPLICATE_VALUE")]),
        Reply([make_row(code="UNABLE_TO_LOCK_ROW")]),
        Reply([make_row("a2")]),
    ]
    results = make_client().update(object_name="Account", records=[{"Id": "a1"}, {"Id": "a2"}, {"Id": "a3"}])
    assert [(result.crm_id, result.success) for result in results] == [("a1", True), ("a2", True), ("", False)]
    assert [[row["id"] for row in request.json["records"]] for request in scripted.calls] == [
        ["a1", "a2", "a3"],
        ["a2"],
        ["a2"],
    ]


def test_a_row_that_stays_locked_is_returned_as_refused(scripted: ScriptedServer, make_client: MakeClient) -> None:
    scripted.answer = lambda _: Reply([make_row(code="UNABLE_TO_LOCK_ROW")])
    (result,) = make_client(max_attempts=3).update(object_name="Account", records=[{"Id": "a1"}])
    assert (result.success, [reason.code for reason in result.errors]) == (False, ["UNABLE_TO_LOCK_ROW"])
    assert len(scripted.calls) == 3


def test_confirmed_rows_are_kept_when_repeating_the_others_fails(
    scripted: ScriptedServer, make_client: MakeClient
) -> None:
    scripted.replies = [
        Reply([make_row("a1"), make_row(code="UNABLE_TO_LOCK_ROW")]),
        error(403, "REQUEST_LIMIT_EXCEEDED"),
    ]
    results = make_client().update(object_name="Account", records=[{"Id": "a1"}, {"Id": "a2"}])
    assert [result.success for result in results] == [True, False]


def test_an_object_is_described(scripted: ScriptedServer, make_client: MakeClient) -> None:
    described = {"name": "Account", "fields": [{"name": "Id"}]}
    scripted.replies = [Reply(described)]
    assert make_client().describe("Account") == described
    assert scripted.calls[0].path == "/services/data/v60.0/sobjects/Account/describe"


@pytest.mark.parametrize(
    ("known", "expected"),
    [
        ({}, (None, None)),
        (
            {
                "earliestDateAvailable": "2026-02-14T09:00:00.000+0000",
                "latestDateCovered": "2026-03-01T23:58:00.000+0000",
            },
            (datetime(2026, 2, 14, 9, tzinfo=UTC), datetime(2026, 3, 1, 23, 58, tzinfo=UTC)),
        ),
    ],
)
def test_deleted_records_are_listed_with_the_time_that_the_list_covers(
    scripted: ScriptedServer, make_client: MakeClient, known: dict[str, str], expected: tuple[datetime, datetime]
) -> None:
    row = {"id": "a01000000000001AAA", "deletedDate": "2026-03-01T10:00:00.000+0000"}
    scripted.replies = [Reply({"deletedRecords": [row]} | known)]
    start = datetime(2026, 3, 1, tzinfo=UTC)
    deleted = make_client().list_deleted(object_name="Account", start=start, end=start + timedelta(days=1))
    assert deleted == Deletions(crm_ids=["a01000000000001AAA"], known_since=expected[0], known_until=expected[1])
    assert scripted.calls[0].query == {"start": ["2026-03-01T00:00:00.000Z"], "end": ["2026-03-02T00:00:00.000Z"]}


@pytest.mark.parametrize(("allowed", "sent"), [(True, "allowSave=true"), (False, None)])
def test_records_are_saved_in_spite_of_a_duplicate_rule_if_that_is_allowed(
    scripted: ScriptedServer, make_client: MakeClient, allowed: bool, sent: str | None
) -> None:
    scripted.replies = [
        Reply([make_row(code="UNABLE_TO_LOCK_ROW")]),
        Reply([make_row("001000000000001", created=True)]),
        Reply([make_row("001000000000001")]),
    ]
    client = make_client()
    names: Any = {"object_name": "Account", "allow_duplicates": allowed}
    client.upsert(external_id_field="Key__c", records=[{"Key__c": "1"}], **names)
    client.update(records=[{"Id": "001000000000001"}], **names)
    assert [call.headers.get("Sforce-Duplicate-Rule-Header") for call in scripted.calls] == [sent] * 3
