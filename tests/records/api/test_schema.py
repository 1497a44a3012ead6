"""The OpenAPI document, the page that shows it, and the catalogue of objects."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command
from django.test import Client

from ctms.configuration.registry import list_record_objects
from tests.factories.accounts import UserFactory
from tests.records.api.conftest import Caller, add_custom_field, build_limited_caller, read_schema

pytestmark = pytest.mark.django_db

NAMES = [each.api_name for each in list_record_objects()]


def test_the_document_is_valid_and_made_without_a_warning(tmp_path: Path) -> None:
    call_command("spectacular", "--validate", "--fail-on-warn", "--file", str(tmp_path / "openapi.yaml"))
    assert (tmp_path / "openapi.yaml").read_text(encoding="utf-8").startswith("openapi: 3.1.0\n")


def test_the_document_lists_every_object_with_all_operations(caller: Caller) -> None:
    paths = read_schema(caller)["paths"]
    assert {path: sorted(operations) for path, operations in paths.items()} == {
        "/api/v1/me/": ["get"],
        "/api/v1/objects/": ["get"],
        "/api/v1/reports/": ["get"],
        "/api/v1/reports/{uid}/": ["get"],
        "/api/v1/reports/{uid}/groups/": ["get"],
        "/api/v1/reports/{uid}/rows/": ["get"],
        **{f"/api/v1/{name}/": ["get", "post"] for name in NAMES},
        **{f"/api/v1/{name}/changes/": ["get"] for name in NAMES},
        **{f"/api/v1/{name}/batch/": ["post"] for name in NAMES},
        **{f"/api/v1/{name}/by-key/": ["get"] for name in NAMES},
        **{f"/api/v1/{name}/{{uid}}/": ["delete", "get", "patch"] for name in NAMES},
    }
    assert paths["/api/v1/site__v/"]["get"]["operationId"] == "list_site__v"


def test_every_operation_names_its_refusals_and_the_ways_to_log_in(caller: Caller) -> None:
    schema = read_schema(caller)
    operations = [operation for path in schema["paths"].values() for operation in path.values()]
    assert [each["operationId"] for each in operations if each["security"] != [{"token": []}, {"cookieAuth": []}]] == []
    refusals = {
        (code, answer["$ref"])
        for each in operations
        for code, answer in each["responses"].items()
        if code.startswith(("4", "5"))
    }
    assert len(refusals) == len({code for code, _ in refusals})
    named = schema["components"]["responses"]
    assert {name.split("/")[-1] for _, name in refusals} == set(named)
    assert {media for each in named.values() for media in each["content"]} == {"application/problem+json"}
    change = schema["paths"]["/api/v1/site__v/{uid}/"]["patch"]
    assert sorted(change["responses"]) == [
        "200",
        "400",
        "401",
        "403",
        "404",
        "406",
        "409",
        "410",
        "412",
        "413",
        "415",
        "422",
        "428",
        "429",
    ]
    parameters = [(each["name"], each.get("required", False)) for each in change["parameters"]]
    assert parameters == [("uid", True), ("If-Match", True), ("X-Change-Reason", False), ("Idempotency-Key", False)]
    assert schema["components"]["securitySchemes"]["token"]["scheme"] == "bearer"


def test_the_document_has_the_fields_and_filters_as_they_are_configured_now(caller: Caller) -> None:
    name = add_custom_field(kind="picklist", picklist_values=["red", "green"])
    schema = read_schema(caller)
    new, shown = (schema["components"]["schemas"][each] for each in ("person__sys_new", "person__sys"))
    assert schema["components"]["schemas"][f"person__sys_{name}"] == {"type": "string", "enum": ["red", "green"]}
    choices = [{"$ref": f"#/components/schemas/person__sys_{name}"}, {"type": "null"}]
    assert (new["properties"][name]["oneOf"], shown["properties"][name]["oneOf"]) == (choices, choices)
    assert new["required"] == ["last_name__sys", "object_type__v"]
    assert new["properties"]["last_name__sys"]["maxLength"] == 64
    assert "name__v" not in new["properties"]
    assert "name__v" in schema["components"]["schemas"]["person__sys"]["required"]
    parameters = {each["name"]: each["schema"] for each in schema["paths"]["/api/v1/person__sys/"]["get"]["parameters"]}
    assert parameters[name] == {"type": "array", "items": {"type": "string", "enum": ["red", "green"]}}
    assert parameters["created_date__v__from"] == {
        "anyOf": [{"type": "string", "format": "date"}, {"type": "string", "format": "date-time"}]
    }
    assert parameters["fields"]["items"]["enum"][0] in new["properties"]
    assert set(parameters) >= {"q", "sort", "cursor", "size", "status__v", "email__sys__contains"}


def test_a_value_is_null_only_where_a_record_may_have_none(caller: Caller) -> None:
    name = add_custom_field(kind="number", object_name="site__v", is_required=True)
    properties = read_schema(caller)["components"]["schemas"]["site__v"]["properties"]
    assert {each for each, schema in properties.items() if not can_be_null(schema)} == {
        *("uid__sys", "name__v", "status__v", "state__v", "study__v", "study_country__v", "send_to_crm__v", "version"),
        *("created_date__v", "created_by__v", "modified_date__v", "modified_by__v"),
    }
    assert can_be_null(properties[name])  # sites that are older than the field have no value


def can_be_null(schema: dict[str, Any]) -> bool:
    """Whether a schema lets null through."""
    return "null" in schema.get("type", ()) or {"type": "null"} in schema.get("oneOf", ())


def test_a_reference_has_a_uid_and_may_be_made_by_any_key(caller: Caller) -> None:
    schemas = read_schema(caller)["components"]["schemas"]
    assert schemas["Reference"]["properties"]["uid__sys"] == {"type": "string", "format": "uuid"}
    assert schemas["ReferenceInput"]["oneOf"][1]["additionalProperties"] is True


def test_nothing_of_a_batch_has_a_default_which_generated_clients_would_demand(caller: Caller) -> None:
    batch = read_schema(caller)["components"]["schemas"]["BatchRequest"]
    assert batch["required"] == ["rows"]
    assert [name for name, each in batch["properties"].items() if "default" in each] == []


def test_the_document_and_its_page_are_for_users(client: Client) -> None:
    assert client.get("/api/v1/schema/").status_code == 401
    assert client.get("/api/v1/docs/").headers["Location"] == "/login/?next=/api/v1/docs/"
    client.force_login(UserFactory.create())
    assert client.get("/api/v1/schema/").status_code == 200
    page = client.get("/api/v1/docs/")
    assert page.status_code == 200
    assert "unsafe-inline" not in page.headers["Content-Security-Policy"]
    assert (b"<style" in page.content, b"https://" in page.content) == (False, False)
    script = client.get("/api/v1/docs/?script=")
    assert script.headers["Content-Type"] == "application/javascript"


def test_the_catalogue_tells_what_the_user_may_do_with_each_object(caller: Caller) -> None:
    results = caller.get("objects/").json()["results"]
    assert [each["name"] for each in results] == NAMES
    [activity] = [each for each in results if each["name"] == "crm_activity__v"]
    assert {key: activity[key] for key in ("label", "plural_label", "url", "can_create")} == {
        "label": "Activity",
        "plural_label": "Activities",
        "url": "/api/v1/crm_activity__v/",
        "can_create": True,
    }
    assert [(each["name"], each["can_create"], each["origin"]) for each in activity["types"]] == [
        ("clinical_activity__v", True, ""),
        ("medical_activity__v", False, "the Medical CRM"),
    ]
    fields = {each["name"]: each for each in activity["fields"]}
    assert fields["channel__v"]["kind"] == "picklist"
    assert fields["channel__v"]["choices"][0] == {
        "value": "in_person__v",
        "label": "In person",
        "is_active": True,
    }
    assert (fields["person__v"]["reference"], fields["created_by__v"]["reference"]) == ("person__sys", None)
    assert (fields["from__v"]["is_read_only"], fields["date__v"]["is_required"]) == (True, True)
    assert "date__v__within" in activity["filters"]


def test_the_catalogue_leaves_out_what_the_user_may_not_read() -> None:
    limited = build_limited_caller("study__v:read", "site__v:read", "site__v:create")
    results = limited.get("objects/").json()["results"]
    assert [(each["name"], each["can_create"]) for each in results] == [("study__v", False), ("site__v", True)]


def list_values(schema: dict[str, Any], *, schemas: dict[str, Any]) -> list[str]:
    """Return the values of a list that a schema lets through."""
    schema = schema.get("items", schema.get("oneOf", [schema])[0])
    reference = schema.get("$ref")
    values: list[str] = schemas[reference.split("/")[-1]]["enum"] if reference else schema["enum"]
    return values


@pytest.mark.parametrize("kind", ["picklist", "multi_select"])
def test_a_retired_choice_is_for_records_that_have_it(caller: Caller, kind: str) -> None:
    values = [{"api_name": "red", "label": "Red"}, {"api_name": "blue", "label": "Blue", "is_active": False}]
    name = add_custom_field(kind=kind, picklist_values=values)
    schemas = read_schema(caller)["components"]["schemas"]
    shown, new, change = (schemas[f"person__sys{each}"]["properties"][name] for each in ("", "_new", "_change"))
    assert [list_values(each, schemas=schemas) for each in (shown, new, change)] == [
        ["red", "blue"],
        ["red"],
        ["red", "blue"],
    ]


def test_the_bounds_of_a_number_are_in_the_document(caller: Caller) -> None:
    name = add_custom_field(kind="number", decimals=0, least=1, greatest=10)
    described = read_schema(caller)["components"]["schemas"]["person__sys_new"]["properties"][name]
    assert described == {"type": ["integer", "null"], "minimum": 1, "maximum": 10, "description": "Number"}


def test_the_decimals_of_a_number_are_in_the_document(caller: Caller) -> None:
    name = add_custom_field(kind="number", decimals=2, least=0, greatest=5)
    described = read_schema(caller)["components"]["schemas"]["person__sys_new"]["properties"][name]
    assert described == {
        "type": ["number", "null"],
        "minimum": 0,
        "maximum": 5,
        "multipleOf": 0.01,
        "description": "Number",
    }


def test_a_web_address_is_one_in_the_document(caller: Caller) -> None:
    name = add_custom_field(kind="url")
    schemas = read_schema(caller)["components"]["schemas"]
    shown, new = (schemas[each]["properties"][name] for each in ("person__sys", "person__sys_new"))
    assert shown["format"] == "uri"
    assert new["oneOf"][0] == {"type": ["string", "null"], "format": "uri", "maxLength": 2000}
