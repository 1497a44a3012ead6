"""Single records, by id and by external id."""

# ruff: noqa: E501  a table is easier to read with a case to a line

from typing import Any

import pytest

from crm_sync.sandbox import RunningSandbox
from tests.crm_sync.sandbox.conftest import Api, describe_error


def test_a_record_is_created_read_updated_and_deleted(api: Api) -> None:
    created = api.post("/sobjects/Account", json={"FirstName": "Aline", "LastName": "Moreau"})
    assert created.status_code == 201
    identifier = created.json()["id"]
    assert created.json() == {"id": identifier, "success": True, "errors": []}
    assert created.headers["Location"] == f"/services/data/v60.0/sobjects/Account/{identifier}"

    record = api.get(f"/sobjects/account/{identifier[:15]}/").json()
    assert record["attributes"] == {"type": "Account", "url": f"/services/data/v60.0/sobjects/Account/{identifier}"}
    assert (record["Name"], record["IsPersonAccount"], record["IsDeleted"]) == ("Aline Moreau", True, False)
    assert record["CreatedDate"] == record["SystemModstamp"]
    assert record["CreatedDate"].endswith(".000+0000")

    updated = api.patch(f"/sobjects/Account/{identifier}", json={"lastname": "Petit", "FirstName": None})
    assert (updated.status_code, updated.content) == (204, b"")
    fields = api.get(f"/sobjects/Account/{identifier}", params={"fields": "name,FirstName"}).json()
    assert {key: value for key, value in fields.items() if key != "attributes"} == {"Name": "Petit", "FirstName": None}

    assert api.delete(f"/sobjects/Account/{identifier}").status_code == 204
    for again in (api.delete, api.get):
        assert describe_error(again(f"/sobjects/Account/{identifier}")) == (404, "ENTITY_IS_DELETED")
    assert describe_error(api.patch(f"/sobjects/Account/{identifier}", json={"LastName": "x"})) == (
        404,
        "ENTITY_IS_DELETED",
    )


@pytest.mark.parametrize("address", ["001000000000001AAA", "a00000000000001AAA", "nonsense", "001000000000001AAB"])
def test_what_never_existed_is_not_found(api: Api, address: str) -> None:
    for call in (api.get, api.delete):
        assert describe_error(call(f"/sobjects/Account/{address}")) == (404, "NOT_FOUND")
    assert describe_error(api.patch(f"/sobjects/Account/{address}", json={"LastName": "x"})) == (404, "NOT_FOUND")
    assert describe_error(api.get("/sobjects/Nothing__c/001000000000001AAA")) == (404, "NOT_FOUND")


def test_numbers_and_names_are_given_by_the_crm(api: Api) -> None:
    account = api.create("Account", Name="A hospital")
    calls = [api.create("Call2_vod__c", Account_vod__c=account) for _ in range(2)]
    assert [api.get(f"/sobjects/Call2_vod__c/{call}").json()["Name"] for call in calls] == ["C00000001", "C00000002"]
    first = api.get(f"/sobjects/Call2_vod__c/{calls[0]}").json()
    assert (first["Status_vod__c"], first["Send_to_Vault_Clinical_vod__c"]) == ("Planned_vod", False)
    assert first["CreatedById"] == api.sandbox.user.id


@pytest.mark.parametrize(
    ("values", "code", "message", "fields"),
    [
        ({"Account_vod__c": None}, "REQUIRED_FIELD_MISSING", "Required fields are missing: [Account_vod__c]", ["Account_vod__c"]),
        ({"Account_vod__c": "abc"}, "MALFORMED_ID", "Account: id value of incorrect type: abc", ["Account_vod__c"]),
        ({"Account_vod__c": "a02000000000001AAA"}, "FIELD_INTEGRITY_EXCEPTION", "Account: id value of incorrect type: a02000000000001AAA", ["Account_vod__c"]),
        ({"Account_vod__c": "001000000000001AAA"}, "INVALID_CROSS_REFERENCE_KEY", "invalid cross reference id", []),
        ({"Call_Channel_vod__c": "Pigeon"}, "INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST", "Channel: bad value for restricted picklist field: Pigeon", ["Call_Channel_vod__c"]),
        ({"Status_vod__c": "planned_vod"}, "INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST", "Status: bad value for restricted picklist field: planned_vod", ["Status_vod__c"]),
        ({"Name": "mine"}, "INVALID_FIELD_FOR_INSERT_UPDATE", None, ["Name"]),
        ({"CreatedDate": "2026-01-01T00:00:00Z"}, "INVALID_FIELD_FOR_INSERT_UPDATE", None, ["CreatedDate"]),
        ({"Nothing__c": 1}, "INVALID_FIELD", "No such column 'Nothing__c' on sobject of type Call2_vod__c", None),
        ({"Call_Date_vod__c": "yesterday"}, "JSON_PARSER_ERROR", "Cannot deserialize instance of date from VALUE_STRING value yesterday or request may be missing a required field", None),
        ({"Call_Date_vod__c": "2026-02-30"}, "JSON_PARSER_ERROR", None, None),
        ({"Call_Datetime_vod__c": 5}, "JSON_PARSER_ERROR", None, None),
        ({"Send_to_Vault_Clinical_vod__c": "perhaps"}, "JSON_PARSER_ERROR", None, None),
        ({"Call_Channel_vod__c": {"a": 1}}, "JSON_PARSER_ERROR", None, None),
        ({"Account_vod__r": {"External_ID_vod__c": "none"}}, "INVALID_FIELD", "Foreign key external ID: none not found for field External_ID_vod__c in entity Account", []),
        ({"Account_vod__r": {"Name": "A"}}, "INVALID_FIELD", None, []),
        ({"Account_vod__r": {"Nothing__c": "A"}}, "INVALID_FIELD", None, None),
    ],
)  # fmt: skip
def test_refused_values(
    api: Api, values: dict[str, Any], code: str, message: str | None, fields: list[str] | None
) -> None:
    account = api.create("Account", LastName="x")
    response = api.post("/sobjects/Call2_vod__c", json={"Account_vod__c": account, **values})
    assert describe_error(response) == (400, code)
    [error] = response.json()
    assert error.get("fields") == fields
    if message is not None:
        assert error["message"] == message
    assert api.query("SELECT COUNT() FROM Call2_vod__c")["totalSize"] == 0


@pytest.mark.parametrize(
    ("values", "code"),
    [
        ({"LastName": "x" * 81}, "STRING_TOO_LONG"),
        ({"LastName": "x", "PersonEmail": "not an address"}, "INVALID_EMAIL_ADDRESS"),
        ({"LastName": "x", "Name": "both"}, "INVALID_FIELD_FOR_INSERT_UPDATE"),
        ({"FirstName": "x"}, "REQUIRED_FIELD_MISSING"),
        ({}, "REQUIRED_FIELD_MISSING"),
    ],
)
def test_refused_accounts(api: Api, values: dict[str, Any], code: str) -> None:
    assert describe_error(api.post("/sobjects/Account", json=values)) == (400, code)


def test_text_is_trimmed_and_empty_text_is_null(api: Api) -> None:
    account = api.create("Account", LastName="  Moreau \n", NPI_vod__c="  ", FirstName=5)
    record = api.get(f"/sobjects/Account/{account}").json()
    assert (record["LastName"], record["NPI_vod__c"], record["FirstName"]) == ("Moreau", None, "5")


def test_moments_are_kept_in_utc_and_to_the_second(api: Api) -> None:
    account = api.create("Account", LastName="x")
    for given, kept in (
        ("2026-05-01T12:00:00+02:00", "2026-05-01T10:00:00.000+0000"),
        ("2026-05-01T12:00:00.987Z", "2026-05-01T12:00:00.000+0000"),
        ("2026-05-01T12:00:00.000+0000", "2026-05-01T12:00:00.000+0000"),
        ("2026-05-01", "2026-05-01T00:00:00.000+0000"),
    ):
        call = api.create("Call2_vod__c", Account_vod__c=account, Call_Datetime_vod__c=given, Call_Date_vod__c=given)
        record = api.get(f"/sobjects/Call2_vod__c/{call}").json()
        assert (record["Call_Datetime_vod__c"], record["Call_Date_vod__c"]) == (kept, "2026-05-01")


def test_unique_values_differ_by_case_where_the_field_says_so(api: Api) -> None:
    first = api.create("Account", LastName="x", External_ID_vod__c="e1")
    api.create("Account", LastName="x", External_ID_vod__c="E1")
    response = api.post("/sobjects/Account", json={"LastName": "x", "External_ID_vod__c": "e1"})
    assert describe_error(response) == (400, "DUPLICATE_VALUE")
    assert response.json()[0]["message"] == (
        f"duplicate value found: External_ID_vod__c duplicates value on record with id: {first[:15]}"
    )
    assert api.patch(f"/sobjects/Account/{first}", json={"External_ID_vod__c": "e1"}).status_code == 204
    api.delete(f"/sobjects/Account/{first}")
    api.create("Account", LastName="x", External_ID_vod__c="e1")


def test_deleting_empties_optional_references_and_is_forbidden_by_required_ones(api: Api) -> None:
    account = api.create("Account", LastName="x")
    study = api.create("Clinical_Study_vod__c", Name="S")
    site = api.create("Clinical_Site_vod__c", Name="1", Clinical_Study_vod__c=study)
    call = api.create("Call2_vod__c", Account_vod__c=account)
    assert api.delete(f"/sobjects/Clinical_Study_vod__c/{study}").status_code == 204
    assert api.get(f"/sobjects/Clinical_Site_vod__c/{site}").json()["Clinical_Study_vod__c"] is None
    assert describe_error(api.delete(f"/sobjects/Account/{account}")) == (400, "DELETE_FAILED")
    api.delete(f"/sobjects/Call2_vod__c/{call}")
    assert api.delete(f"/sobjects/Account/{account}").status_code == 204
    refused = api.post("/sobjects/Call2_vod__c", json={"Account_vod__c": account})
    assert describe_error(refused) == (404, "ENTITY_IS_DELETED")


def test_lengths_are_counted_in_utf16_units(api: Api, sandbox: RunningSandbox) -> None:
    address = "/sobjects/Clinical_Study_vod__c"
    assert api.post(address, json={"Name": "😀" * 40}).status_code == 201
    refused = api.post(address, json={"Name": "😀" * 40 + "x"})
    assert describe_error(refused) == (400, "STRING_TOO_LONG")
    assert refused.json()[0]["message"].endswith("(max length=80)")


def test_half_an_emoji_is_stored_as_a_question_mark(api: Api) -> None:
    study = api.create("Clinical_Study_vod__c", Name="a\ud83d")
    assert api.get(f"/sobjects/Clinical_Study_vod__c/{study}").json()["Name"] == "a?"


def test_users_can_be_read_but_not_written(api: Api) -> None:
    user = api.sandbox.user
    assert api.get(f"/sobjects/User/{user.id}").json()["Username"] == user.username
    assert describe_error(api.post("/sobjects/User", json={"LastName": "x"})) == (
        400,
        "CANNOT_INSERT_UPDATE_ACTIVATE_ENTITY",
    )


# -- by external id -----------------------------------------------------------------------------------

KEY = "/sobjects/Clinical_Study_vod__c/Vault_External_ID_vod__c"


def test_upsert_creates_then_updates(api: Api) -> None:
    created = api.patch(f"{KEY}/V%2F1%20a", json={"Name": "S-1"})
    identifier = created.json()["id"]
    assert created.status_code == 201
    assert created.json() == {"id": identifier, "success": True, "errors": [], "created": True}
    updated = api.patch(f"{KEY}/V%2F1%20a", json={"Name": "S-2"})
    assert updated.status_code == 200
    assert updated.json() == {"id": identifier, "success": True, "errors": [], "created": False}
    record = api.get(f"{KEY}/V%2F1%20a").json()
    assert (record["Id"], record["Name"], record["Vault_External_ID_vod__c"]) == (identifier, "S-2", "V/1 a")
    assert api.delete(f"{KEY}/V%2F1%20a").status_code == 204
    assert describe_error(api.get(f"{KEY}/V%2F1%20a")) == (404, "NOT_FOUND")


def test_upsert_of_older_versions_answers_an_update_without_a_body(api: Api) -> None:
    api.version = "v45.0"
    assert api.patch(f"{KEY}/V1", json={"Name": "S"}).json().keys() == {"id", "success", "errors"}
    updated = api.patch(f"{KEY}/V1", json={"Name": "S"})
    assert (updated.status_code, updated.content) == (204, b"")


def test_several_matches_are_listed(api: Api) -> None:
    ids = [api.create("Account", LastName="x", NPI_vod__c=npi) for npi in ("ab", "AB")]
    addresses = [f"/services/data/v60.0/sobjects/Account/{identifier}" for identifier in ids]
    for response in (
        api.get("/sobjects/Account/NPI_vod__c/Ab"),
        api.patch("/sobjects/Account/NPI_vod__c/Ab", json={"LastName": "y"}),
        api.delete("/sobjects/Account/NPI_vod__c/Ab"),
    ):
        assert (response.status_code, response.json()) == (300, addresses)


def test_the_key_stands_in_the_address_only(api: Api) -> None:
    for name in ("Vault_External_ID_vod__c", "Id"):
        response = api.patch(f"{KEY}/V1", json={"Name": "S", name: "V1"})
        assert describe_error(response) == (400, "INVALID_FIELD")
        assert response.json()[0]["message"] == f"The {name} field should not be specified in the sobject data."


@pytest.mark.parametrize("key", ["Name", "Nothing__c"])
def test_only_external_ids_may_be_keys(api: Api, key: str) -> None:
    assert describe_error(api.get(f"/sobjects/Clinical_Study_vod__c/{key}/S")) == (404, "NOT_FOUND")


def test_references_by_external_id(api: Api, sandbox: RunningSandbox) -> None:
    study = api.create("Clinical_Study_vod__c", Name="S", Vault_External_ID_vod__c="V1")
    site = api.create("Clinical_Site_vod__c", Name="1", Clinical_Study_vod__r={"Vault_External_ID_vod__c": "V1"})
    assert api.get(f"/sobjects/Clinical_Site_vod__c/{site}").json()["Clinical_Study_vod__c"] == study
    assert api.patch(f"/sobjects/Clinical_Site_vod__c/{site}", json={"Clinical_Study_vod__r": None}).status_code == 204
    assert api.get(f"/sobjects/Clinical_Site_vod__c/{site}").json()["Clinical_Study_vod__c"] is None


def test_changes_in_a_span_of_time(api: Api, sandbox: RunningSandbox) -> None:
    from_now = {"start": "2000-01-01T00:00:00Z", "end": "2000-01-02T00:00:00Z"}
    assert describe_error(api.get("/sobjects/Account/deleted", params=from_now)) == (400, "INVALID_REPLICATION_DATE")
    reversed_span = {"start": "2030-01-02T00:00:00+00:00", "end": "2030-01-01T00:00:00+00:00"}
    assert describe_error(api.get("/sobjects/Account/updated", params=reversed_span)) == (
        400,
        "INVALID_REPLICATION_DATE",
    )
    assert describe_error(api.get("/sobjects/Account/updated")) == (400, "MISSING_ARGUMENT")
    assert describe_error(api.get("/sobjects/User/updated", params=from_now)) == (400, "INVALID_TYPE")
