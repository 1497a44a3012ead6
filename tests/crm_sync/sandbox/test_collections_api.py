"""Collections: up to 200 records in one request."""

# ruff: noqa: S608  SOQL, built from this file's own constants

from typing import Any

import pytest

from crm_sync.sandbox import RunningSandbox
from tests.crm_sync.sandbox.conftest import Api, describe_error

UPSERT = "/composite/sobjects/Clinical_Study_vod__c/Vault_External_ID_vod__c"


def make_studies(*pairs: tuple[str | None, Any]) -> list[dict[str, Any]]:
    """Return records of studies with external id and name."""
    return [
        {"attributes": {"type": "Clinical_Study_vod__c"}, "Vault_External_ID_vod__c": key, "Name": name}
        for key, name in pairs
    ]


def list_outcomes(results: list[dict[str, Any]]) -> list[Any]:
    """Return for each row whether it was created or updated, or its error codes."""
    return [
        ("created" if result.get("created") else "done") if result["success"] else result["errors"][0]["statusCode"]
        for result in results
    ]


def test_each_row_has_its_own_result_in_order(api: Api) -> None:
    api.create("Clinical_Study_vod__c", Name="old", Vault_External_ID_vod__c="V0")
    response = api.patch(
        UPSERT,
        json={
            "allOrNone": False,
            "records": make_studies(("V1", "S-1"), ("V2", "x" * 81), ("V0", "new"), ("V3", None), (None, "S")),
        },
    )
    assert response.status_code == 200
    assert list_outcomes(response.json()) == [
        "created",
        "STRING_TOO_LONG",
        "done",
        "REQUIRED_FIELD_MISSING",
        "MISSING_ARGUMENT",
    ]
    first, second, *_ = response.json()
    assert set(first) == {"id", "success", "errors", "created"}
    assert second["errors"] == [
        {
            "statusCode": "STRING_TOO_LONG",
            "message": f"Study Number: data value too large: {'x' * 81} (max length=80)",
            "fields": ["Name"],
        }
    ]
    assert api.list_values("SELECT Name FROM Clinical_Study_vod__c ORDER BY Name") == ["new", "S-1"]


def test_all_or_none_leaves_nothing_behind(api: Api) -> None:
    response = api.patch(UPSERT, json={"allOrNone": True, "records": make_studies(("V1", "S"), ("V2", None))})
    assert list_outcomes(response.json()) == ["ALL_OR_NONE_OPERATION_ROLLED_BACK", "REQUIRED_FIELD_MISSING"]
    assert api.query("SELECT COUNT() FROM Clinical_Study_vod__c")["totalSize"] == 0


def test_an_external_id_given_twice_refuses_all_its_rows(api: Api) -> None:
    response = api.patch(UPSERT, json={"records": make_studies(("V1", "a"), ("V2", "b"), ("V1", "c"), ("v1", "d"))})
    assert list_outcomes(response.json()) == ["DUPLICATE_VALUE", "created", "DUPLICATE_VALUE", "created"]
    assert response.json()[0]["errors"][0] == {
        "statusCode": "DUPLICATE_VALUE",
        "message": "Duplicate external id specified: V1",
        "fields": ["Vault_External_ID_vod__c"],
    }


def test_a_key_with_several_matches_refuses_its_row(api: Api) -> None:
    for npi in ("é1", "É1"):
        api.create("Account", LastName="x", NPI_vod__c=npi)
    records = [{"attributes": {"type": "Account"}, "NPI_vod__c": npi, "LastName": "y"} for npi in ("É1", "2")]
    response = api.patch("/composite/sobjects/Account/NPI_vod__c", json={"records": records})
    assert list_outcomes(response.json()) == ["DUPLICATE_EXTERNAL_ID", "created"]


def test_a_deleted_record_is_not_revived(api: Api) -> None:
    identifier = api.create("Clinical_Study_vod__c", Name="S", Vault_External_ID_vod__c="V1")
    api.delete(f"/sobjects/Clinical_Study_vod__c/{identifier}")
    [result] = api.patch(UPSERT, json={"records": make_studies(("V1", "S"))}).json()
    assert result["created"] is True
    assert result["id"] != identifier


def test_references_by_external_id_are_found_row_by_row(api: Api) -> None:
    account = api.create("Account", LastName="x", External_ID_vod__c="E1")
    study = api.create("Clinical_Study_vod__c", Name="S", Vault_External_ID_vod__c="V1")
    kind = "Vault_Clinical_Interaction_vod__c"
    records = [
        {
            "attributes": {"type": kind},
            "Vault_External_ID_vod__c": key,
            "Account_vod__r": {"External_ID_vod__c": person},
            "Clinical_Study_vod__r": {
                "attributes": {"type": "Clinical_Study_vod__c"},
                "Vault_External_ID_vod__c": "V1",
            },
        }
        for key, person in (("I1", "E1"), ("I2", "e1"))
    ]
    response = api.patch(f"/composite/sobjects/{kind}/Vault_External_ID_vod__c", json={"records": records})
    assert list_outcomes(response.json()) == ["created", "INVALID_FIELD"]
    assert response.json()[1]["errors"][0]["message"] == (
        "Foreign key external ID: e1 not found for field External_ID_vod__c in entity Account"
    )
    [record] = api.query(f"SELECT Account_vod__c, Clinical_Study_vod__c FROM {kind}")["records"]
    assert (record["Account_vod__c"], record["Clinical_Study_vod__c"]) == (account, study)


def test_create_mixes_objects_and_checks_uniqueness_within_the_request(api: Api) -> None:
    study = make_studies(("V1", "S"), ("V1", "S"))
    response = api.post(
        "/composite/sobjects", json={"records": [{"attributes": {"type": "Account"}, "LastName": "x"}, *study]}
    )
    assert list_outcomes(response.json()) == ["done", "done", "DUPLICATE_VALUE"]
    assert "created" not in response.json()[0]


def test_update_needs_ids(api: Api) -> None:
    ids = [api.create("Account", LastName="x") for _ in range(3)]
    api.delete(f"/sobjects/Account/{ids[2]}")
    given = [ids[0], ids[1][:15], ids[2], "001000000000001AAA", "nonsense", None, "a00000000000001AAA", ids[0]]
    records = [{"attributes": {"type": "Account"}, "id": entry, "LastName": "y"} for entry in given]
    response = api.patch("/composite/sobjects", json={"records": records})
    assert list_outcomes(response.json()) == [
        "done",
        "done",
        "ENTITY_IS_DELETED",
        "INVALID_CROSS_REFERENCE_KEY",
        "MALFORMED_ID",
        "MISSING_ARGUMENT",
        "INVALID_CROSS_REFERENCE_KEY",
        "INVALID_INPUT",
    ]
    assert api.list_values("SELECT LastName FROM Account") == ["y", "y"]


def test_delete_and_retrieve(api: Api) -> None:
    ids = [api.create("Account", LastName=name) for name in "abc"]
    retrieved = api.get(
        "/composite/sobjects/Account", params={"ids": f"{ids[1]},001000000000001AAA,{ids[0]}", "fields": "LastName"}
    )
    assert [entry and entry["LastName"] for entry in retrieved.json()] == ["b", None, "a"]
    by_post = api.post("/composite/sobjects/Account", json={"ids": ids[:1], "fields": ["id", "Name"]})
    assert [entry["Id"] for entry in by_post.json()] == ids[:1]
    response = api.delete("/composite/sobjects", params={"ids": f"{ids[0]},{ids[0]},nonsense,001000000000001AAA"})
    assert list_outcomes(response.json()) == [
        "done",
        "ENTITY_IS_DELETED",
        "MALFORMED_ID",
        "INVALID_CROSS_REFERENCE_KEY",
    ]
    rolled_back = api.delete("/composite/sobjects", params={"ids": f"{ids[1]},nonsense", "allOrNone": "true"})
    assert list_outcomes(rolled_back.json()) == ["ALL_OR_NONE_OPERATION_ROLLED_BACK", "MALFORMED_ID"]
    assert api.list_values("SELECT LastName FROM Account ORDER BY LastName") == ["b", "c"]


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({"records": make_studies(*((f"V{number}", "S") for number in range(201)))}, "EXCEEDED_ID_LIMIT"),
        ({"records": []}, "INVALID_INPUT"),
        ({}, "JSON_PARSER_ERROR"),
        ([], "JSON_PARSER_ERROR"),
        ({"records": [{"attributes": {"type": "Account"}, "LastName": "x"}]}, "INVALID_INPUT"),
        ({"records": [{"attributes": {"type": "Nothing__c"}}]}, "INVALID_TYPE"),
        ({"records": [*make_studies(("V1", "S")), {**make_studies(("V2", "S"))[0], "Nothing__c": 1}]}, "INVALID_FIELD"),
        ({"records": make_studies(("V1", ["S"]))}, "JSON_PARSER_ERROR"),
    ],
)
def test_refused_as_a_whole(api: Api, body: Any, code: str) -> None:
    assert describe_error(api.patch(UPSERT, json=body)) == (400, code)
    assert api.query("SELECT COUNT() FROM Clinical_Study_vod__c")["totalSize"] == 0


def test_the_key_must_be_an_external_id(api: Api) -> None:
    body = {"records": make_studies(("V1", "S"))}
    assert describe_error(api.patch("/composite/sobjects/Clinical_Study_vod__c/Name", json=body)) == (
        400,
        "INVALID_INPUT",
    )
    assert describe_error(api.patch("/composite/sobjects/Clinical_Study_vod__c/No__c", json=body)) == (
        400,
        "INVALID_FIELD",
    )
    assert describe_error(api.patch("/composite/sobjects/Nothing__c/Id", json=body)) == (404, "NOT_FOUND")


def test_objects_may_not_alternate_without_end(api: Api) -> None:
    pair = [{"attributes": {"type": "Account"}, "LastName": "x"}, *make_studies((None, "S"))]
    assert describe_error(api.post("/composite/sobjects", json={"records": pair * 6})) == (400, "LIMIT_EXCEEDED")
    assert api.post("/composite/sobjects", json={"records": pair * 5}).status_code == 200


def test_rows_of_one_request_share_their_stamp_and_every_update_renews_it(api: Api, sandbox: RunningSandbox) -> None:
    body = {"records": make_studies(*((f"V{number}", "S") for number in range(200)))}
    api.patch(UPSERT, json=body)
    [before] = set(api.list_values("SELECT SystemModstamp FROM Clinical_Study_vod__c"))
    sandbox.misbehaviour.clock_skew_seconds = 90
    assert list_outcomes(api.patch(UPSERT, json=body).json()) == ["done"] * 200
    [after] = set(api.list_values("SELECT SystemModstamp FROM Clinical_Study_vod__c"))
    assert before < after
