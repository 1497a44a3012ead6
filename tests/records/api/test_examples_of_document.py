"""Every operation of the OpenAPI document has examples, and those of bodies can be sent as they are."""

from __future__ import annotations

from typing import Any

import pytest
from jsonschema import Draft202012Validator

from ctms.configuration.registry import list_record_objects
from tests.records.api.conftest import Caller, add_custom_field, read_schema

pytestmark = pytest.mark.django_db

KINDS: dict[str, dict[str, Any]] = {
    "text": {},
    "number": {"least": 2},
    "date": {},
    "datetime": {},
    "yes_no": {"is_required": False},
    "url": {},
    "currency": {},
    "long_text": {},
    "picklist": {"picklist_values": ["red", "green"]},
    "multi_select": {"picklist_values": ["red", "green"]},
}
# How many references lead from a record to the last one that it needs, and one more.
ROUNDS = 5


def list_contents(document: dict[str, Any]) -> list[tuple[str, dict[str, Any]]]:
    """Return the bodies and successful answers of all operations, each with a name."""
    found = []
    for path in document["paths"].values():
        for operation in path.values():
            parts = {"body": operation.get("requestBody", {})}
            parts |= {status: each for status, each in operation["responses"].items() if status.startswith("2")}
            for name, part in parts.items():
                found += [(f"{operation['operationId']} {name}", media) for media in part.get("content", {}).values()]
    return found


def read_example(media: dict[str, Any]) -> Any:
    return media["example"] if "example" in media else next(iter(media["examples"].values()))["value"]


def test_every_body_and_answer_has_an_example_that_is_as_its_schema_says(caller: Caller) -> None:
    for kind, values in KINDS.items():
        add_custom_field(kind=kind, **{"is_required": True} | values)
    document = read_schema(caller)
    contents = list_contents(document)
    assert {"create_person__sys body", "list_site__v 200", "list_report_rows 200"} <= {name for name, _ in contents}
    wrong = {}
    for name, media in contents:
        schema = media["schema"] | {"components": document["components"]}
        problems = [error.message for error in Draft202012Validator(schema).iter_errors(read_example(media))]
        if problems:
            wrong[name] = problems
    assert wrong == {}


def test_every_refusal_has_an_example_of_each_of_its_codes(caller: Caller) -> None:
    responses = read_schema(caller)["components"]["responses"]
    examples = {name: each["content"]["application/problem+json"].get("examples") for name, each in responses.items()}
    assert {"already-created", "key-taken"} <= set(examples["Conflict"])
    assert [name for name, each in examples.items() if not each] == []


def test_a_vault_is_filled_from_the_examples_alone(caller: Caller) -> None:
    """Where a body needs another record, it names the newest, which the example of that object has made before."""
    for kind, values in KINDS.items():
        add_custom_field(kind=kind, **{"is_required": True} | values)
    left = [each.api_name for each in list_record_objects()]
    for _ in range(ROUNDS):
        document = read_schema(caller)
        answers = {name: caller.post(f"{name}/", read_body(document, name, "")) for name in left}
        left = [name for name, answer in answers.items() if answer.status_code != 201]
    assert {name: answers[name].json() for name in left} == {}
    document = read_schema(caller)
    for each in list_record_objects():
        answer = caller.post(f"{each.api_name}/batch/", read_body(document, each.api_name, "batch/"))
        assert (answer.status_code, answer.json()["is_saved"]) == (200, False)
        record = caller.get(f"{each.api_name}/").json()["results"][0]
        body = read_body(document, each.api_name, "{uid}/", method="patch")
        changed = caller.patch(f"{each.api_name}/{record['uid__sys']}/", body, etag=f'"{record["version"]}"')
        assert changed.status_code == 200, changed.json()
        schema = {"$ref": f"#/components/schemas/{each.api_name}", "components": document["components"]}
        assert [error.message for error in Draft202012Validator(schema).iter_errors(changed.json())] == []


def read_body(document: dict[str, Any], name: str, rest: str, *, method: str = "post") -> Any:
    operation = document["paths"][f"/api/v1/{name}/{rest}"][method]
    return read_example(operation["requestBody"]["content"]["application/json"])
