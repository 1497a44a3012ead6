"""Finds what of a changed OpenAPI document breaks programs that were written for the document of before.

What goes in must be taken as before, and what comes out must be as it was told. Further operations, optional
parameters and members, and further values of lists in answers are no break: `docs/api.md` says so under *Versions*.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

Schema = Mapping[str, Any]

_WORDS = frozenset({"description", "summary", "title", "example", "examples", "readOnly"})
_MOST, _LEAST = ("maxLength", "maximum", "maxItems", "exclusiveMaximum"), ("minLength", "minimum", "minItems")
_FIXED = ("format", "pattern", "multipleOf")
_COMPONENTS = "#/components/schemas/"


def reduce_document(document: Schema, *, without: frozenset[str]) -> dict[str, dict[str, Any]]:
    """Return what programs depend on: operations and schemas, without words and the objects `without`."""
    operations = {
        f"{method.upper()} {path}": _reduce_operation(operation)
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
        if not without & set(path.split("/"))
    }
    schemas = {
        name: _drop_words(schema)
        for name, schema in document["components"]["schemas"].items()
        if not name.startswith(tuple(without))
    }
    return {"operations": operations, "schemas": schemas}


def _reduce_operation(operation: Schema) -> dict[str, Any]:
    body = operation.get("requestBody")
    return {
        "id": operation["operationId"],
        "parameters": {
            f"{each['in']} {each['name']}": {
                "required": each.get("required", False),
                "schema": _drop_words(each["schema"]),
            }
            for each in operation.get("parameters", ())
        },
        "body": _reduce_content(body) if body else {},
        "answers": {
            status: {"headers": sorted(answer.get("headers", ())), "content": _reduce_content(answer)}
            for status, answer in operation["responses"].items()
            if status.startswith("2")
        },
    }


def _reduce_content(described: Schema) -> dict[str, Any]:
    return {media: _drop_words(each["schema"]) for media, each in described.get("content", {}).items()}


def _drop_words(schema: Any) -> Any:
    """Return a schema without the words that explain it; properties may have their names."""
    if isinstance(schema, list):
        return [_drop_words(each) for each in schema]
    if not isinstance(schema, Mapping):
        return schema
    kept = {name: _drop_words(each) for name, each in schema.items() if name not in _WORDS and name != "properties"}
    properties = schema.get("properties")
    if properties is not None:
        kept["properties"] = {name: _drop_words(each) for name, each in properties.items()}
    return kept


def find_breaks(before: Schema, now: Schema) -> list[str]:
    """Return what breaks programs, each with the place where it is; both documents are reduced ones."""
    return sorted(set(_Comparison(before=before["schemas"], now=now["schemas"]).compare(before, now)))


@dataclass(slots=True, kw_only=True)
class _Comparison:
    before: Schema  # schemas of components by name
    now: Schema
    _seen: set[tuple[str, str, bool]] = field(default_factory=set)

    def compare(self, before: Schema, now: Schema) -> Iterator[str]:
        for name, operation in before["operations"].items():
            present = now["operations"].get(name)
            if present is None:
                yield f"{name}: there is no such operation any more"
                continue
            if present["id"] != operation["id"]:
                yield f"{name}: its operationId was {operation['id']} and is {present['id']}"
            yield from self._compare_parameters(operation["parameters"], present["parameters"], where=name)
            yield from self._compare_content(operation["body"], present["body"], where=f"{name} body", goes_in=True)
            for status, answer in operation["answers"].items():
                where = f"{name} {status}"
                new = present["answers"].get(status)
                if new is None:
                    yield f"{where}: it is not answered any more"
                    continue
                for header in set(answer["headers"]) - set(new["headers"]):
                    yield f"{where}: the header {header} is gone"
                yield from self._compare_content(answer["content"], new["content"], where=where, goes_in=False)

    def _compare_parameters(self, before: Schema, now: Schema, *, where: str) -> Iterator[str]:
        for name, parameter in now.items():
            if parameter["required"] and not before.get(name, {}).get("required"):
                yield f"{where}: the parameter {name} is required now"
        for name, parameter in before.items():
            if name not in now:
                yield f"{where}: the parameter {name} is gone"
            else:
                place = f"{where} {name}"
                yield from self._compare(parameter["schema"], now[name]["schema"], where=place, goes_in=True)

    def _compare_content(self, before: Schema, now: Schema, *, where: str, goes_in: bool) -> Iterator[str]:
        if goes_in and now and not before:
            yield f"{where}: there was none"
        for media, schema in before.items():
            if media not in now:
                yield f"{where}: it is not {media} any more"
            else:
                yield from self._compare(schema, now[media], where=where, goes_in=goes_in)

    def _compare(self, before: Schema, now: Schema, *, where: str, goes_in: bool) -> Iterator[str]:
        names = (before.get("$ref", ""), now.get("$ref", ""))
        if all(names):
            if (*names, goes_in) in self._seen:
                return
            self._seen.add((*names, goes_in))
            where = f"{names[0].removeprefix(_COMPONENTS)}, which {'goes in' if goes_in else 'comes out'}"
        old, new = _list_variants(before, self.before), _list_variants(now, self.now)
        narrow, wide = (new, old) if goes_in else (old, new)
        for kind, schemas in wide.items():
            if len(schemas) > len(narrow.get(kind, ())) and "any" not in narrow:
                yield f"{where}: {kind} {'is not taken any more' if goes_in else 'may come now'}"
        for kind in old.keys() & new.keys():
            for one, other in zip(old[kind], new[kind], strict=False):
                yield from _compare_bounds(one, other, where=where, goes_in=goes_in)
                yield from self._compare_members(one, other, where=where, goes_in=goes_in)

    def _compare_members(self, before: Schema, now: Schema, *, where: str, goes_in: bool) -> Iterator[str]:
        old, new = before.get("properties", {}), now.get("properties", {})
        required, requires = set(before.get("required", ())), set(now.get("required", ()))
        is_closed = now.get("additionalProperties") is False
        for name in old.keys() - new.keys():
            if is_closed or not goes_in:
                yield f"{where}: {name} is gone"
        for name in (requires - required) if goes_in else ((required - requires) & new.keys()):
            yield f"{where}: {name} {'is required now' if goes_in else 'may be left out now'}"
        if goes_in and is_closed and before.get("additionalProperties") is not False and before.get("type") == "object":
            yield f"{where}: other members are not taken any more"
        for name in old.keys() & new.keys():
            yield from self._compare(old[name], new[name], where=f"{where} .{name}", goes_in=goes_in)
        for name in ("items", "additionalProperties"):
            one, other = before.get(name), now.get(name)
            if isinstance(one, Mapping) and isinstance(other, Mapping):
                yield from self._compare(one, other, where=f"{where} .{name}", goes_in=goes_in)


def _compare_bounds(before: Schema, now: Schema, *, where: str, goes_in: bool) -> Iterator[str]:
    if "enum" in before and "enum" not in now and not goes_in:
        yield f"{where}: it may be anything now"
    if goes_in and "enum" in now:
        for value in before.get("enum", ["anything"]):
            if value not in now["enum"]:
                yield f"{where}: {value} is not taken any more"
    for name in _FIXED:
        if before.get(name) != now.get(name) and (name in now or not goes_in):
            yield f"{where}: its {name} was {before.get(name)} and is {now.get(name)}"
    if goes_in:
        yield from _compare_limits(before, now, where=where)


def _compare_limits(before: Schema, now: Schema, *, where: str) -> Iterator[str]:
    narrower = [name for name in _MOST if name in now and now[name] < before.get(name, float("inf"))]
    narrower += [name for name in _LEAST if name in now and now[name] > before.get(name, 0)]
    for name in narrower:
        yield f"{where}: its {name} was {before.get(name)} and is {now[name]}"


def _list_variants(schema: Schema, components: Schema) -> dict[str, list[Schema]]:
    """Return what a value may be, by type; `any` where it may be anything."""
    if "$ref" in schema:
        return _list_variants(components[schema["$ref"].removeprefix(_COMPONENTS)], components)
    found: dict[str, list[Schema]] = defaultdict(list)
    parts = schema.get("oneOf") or schema.get("anyOf") or schema.get("allOf")
    for part in parts or ():
        for kind, schemas in _list_variants(part, components).items():
            found[kind] += schemas
    if not parts:
        kinds = schema.get("type", "any")
        for kind in [kinds] if isinstance(kinds, str) else kinds:
            found[kind].append({**schema, "type": kind})
    return dict(found)
