"""Examples of the OpenAPI document: a value of each schema, so that each operation shows what goes in and comes out."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ctms.records.api.components import Document, list_operations, name_status
from ctms.records.api.errors import MEDIA_TYPE, ApiProblem
from ctms.records.api.problems import PROBLEM_TYPES

Schema = Mapping[str, Any]

UID = "3f0c8a52-7d1e-4b6f-9a3c-5e2d1b4f6a70"
_TEXT = "Example"
_TEXTS: Mapping[str, str] = {
    "date": "2026-03-02",
    "date-time": "2026-03-02T10:00:00Z",
    "uuid": UID,
    "uri": "https://vault.example.org/",
}


def add_examples(document: Document) -> None:
    """Add an example to each body and answer that has none, and to the refusals that were named."""
    components = document["components"]
    for operation in list_operations(document):
        answers = [answer for status, answer in operation["responses"].items() if status.startswith("2")]
        for described in (operation.get("requestBody", {}), *answers):
            for media in described.get("content", {}).values():
                if not {"example", "examples"} & set(media):
                    media["example"] = build_sample(media["schema"], components=components)
    for code, problem in PROBLEM_TYPES.items():
        answer = components["responses"].get(name_status(problem.status))
        if answer is not None:
            told = ApiProblem(status=problem.status, detail=problem.meaning, code=code)
            answer["content"][MEDIA_TYPE].setdefault("examples", {})[code] = {"value": told.describe()}


def build_sample(schema: Schema, *, components: Schema) -> Any:
    """Return a value of a schema, with all its properties: the first example that it names, or else the plainest."""
    if "$ref" in schema:
        *_, kind, name = schema["$ref"].split("/")
        return build_sample(components[kind][name], components=components)
    for word in ("examples", "enum", "oneOf", "allOf"):
        if schema.get(word):
            first = schema[word][0]
            return first if word in ("examples", "enum") else build_sample(first, components=components)
    kind = schema.get("type")
    if isinstance(kind, list):
        kind = kind[0]
    if kind == "object":
        properties = schema.get("properties", {})
        return {name: build_sample(each, components=components) for name, each in properties.items()}
    if kind == "array":
        return [build_sample(schema.get("items", {}), components=components)]
    return _build_plain(schema, kind=kind)


def _build_plain(schema: Schema, *, kind: str | None) -> Any:
    if kind in ("integer", "number"):
        return schema.get("minimum", schema.get("maximum", 1))
    if kind == "boolean":
        return True
    if kind == "string":
        return _TEXTS.get(schema.get("format", ""), _TEXT[: schema.get("maxLength", len(_TEXT))])
    return None
