"""Queries whose answers have more than one page."""

import pytest

from crm_sync.sandbox import RunningSandbox
from tests.crm_sync.sandbox.conftest import Api, describe_error


def follow(api: Api, answer: dict[str, object], **headers: str) -> dict[str, object]:
    """Return the next page."""
    response = api.session.get(f"{api.sandbox.base_url}{answer['nextRecordsUrl']}", timeout=30, headers=headers)
    assert response.status_code == 200, response.text
    page: dict[str, object] = response.json()
    return page


@pytest.fixture
def ids(sandbox: RunningSandbox) -> list[str]:
    """Create 501 accounts and return their ids."""
    return sandbox.organisation.insert_records(
        object_name="Account", records=[{"LastName": f"{number:04}"} for number in range(501)]
    )


def test_pages_follow_each_other_until_done(api: Api, ids: list[str]) -> None:
    answer = api.query("SELECT Id FROM Account ORDER BY LastName", **{"Sforce-Query-Options": "batchSize=200"})
    sizes, found = [], []
    while True:
        records: list[dict[str, str]] = answer["records"]
        sizes.append(len(records))
        found += [record["Id"] for record in records]
        assert answer["totalSize"] == 501
        if answer["done"]:
            break
        answer = follow(api, answer)
    assert sizes == [200, 200, 101]
    assert found == ids
    assert "nextRecordsUrl" not in answer


def test_batch_size_is_held_within_what_the_crm_gives(api: Api, ids: list[str]) -> None:
    for wanted, given in (("batchSize=1", 200), ("batchSize=250", 250), ("batchSize=9000", 501), ("nonsense", 501)):
        assert len(api.query("SELECT Id FROM Account", **{"Sforce-Query-Options": wanted})["records"]) == given


def test_later_changes_move_no_page(api: Api, sandbox: RunningSandbox, ids: list[str]) -> None:
    first = api.query("SELECT Id FROM Account ORDER BY LastName DESC", **{"Sforce-Query-Options": "batchSize=200"})
    sandbox.organisation.insert_records(object_name="Account", records=[{"LastName": "9999"}])
    assert api.delete(f"/sobjects/Account/{ids[0]}").status_code == 204
    second = follow(api, first)
    assert second["totalSize"] == 501
    assert [record["Id"] for record in second["records"]] == ids[::-1][200:400]  # type: ignore[attr-defined]


def test_a_limit_bounds_the_whole_answer(api: Api, ids: list[str]) -> None:
    answer = api.query("SELECT Id FROM Account LIMIT 300", **{"Sforce-Query-Options": "batchSize=200"})
    assert (answer["totalSize"], len(answer["records"])) == (300, 200)
    assert len(follow(api, answer)["records"]) == 100  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "locator", ["01g000000000001AAA-200", "nonsense", "01g000000000001AAA", "01g000000000001AAA-x"]
)
def test_unknown_locators_are_refused(api: Api, locator: str) -> None:
    assert describe_error(api.get(f"/query/{locator}")) == (400, "INVALID_QUERY_LOCATOR")


def test_the_eleventh_cursor_closes_the_first(api: Api, ids: list[str]) -> None:
    answers = [api.query("SELECT Id FROM Account", **{"Sforce-Query-Options": "batchSize=200"}) for _ in range(11)]
    gone = api.session.get(f"{api.sandbox.base_url}{answers[0]['nextRecordsUrl']}", timeout=30)
    assert describe_error(gone) == (400, "INVALID_QUERY_LOCATOR")
    assert len(follow(api, answers[1])["records"]) == 200  # type: ignore[arg-type]


def test_pages_may_be_shorter_than_asked_for(api: Api, sandbox: RunningSandbox, ids: list[str]) -> None:
    sandbox.misbehaviour.add_rule(match={"path": "/query"}, effect={"page_size": 7})
    first = api.query("SELECT Id FROM Account ORDER BY LastName")
    second = follow(api, first)
    assert (len(first["records"]), len(second["records"])) == (7, 7)  # type: ignore[arg-type]
    assert [record["Id"] for record in second["records"]] == ids[7:14]  # type: ignore[attr-defined]
