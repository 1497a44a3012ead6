"""What operations of the OpenAPI document have in common, named once: refusals, and the tags that group operations."""

from __future__ import annotations

from collections.abc import Iterator
from http import HTTPStatus
from typing import Any

from ctms.records.api.errors import MEDIA_TYPE

Document = dict[str, Any]


def list_operations(document: Document) -> Iterator[Document]:
    """Yield the operations of a document."""
    for path in document["paths"].values():
        yield from path.values()


def name_refusals(document: Document) -> None:
    """Put the refusal of each status among the components, and refer to it in each operation.

    Refusals of a status are described alike. One that is not, stays where it is.
    """
    named = document["components"].setdefault("responses", {})
    for operation in list_operations(document):
        for status, answer in operation["responses"].items():
            if MEDIA_TYPE in answer.get("content", {}):
                name = name_status(int(status))
                if named.setdefault(name, answer) == answer:
                    operation["responses"][status] = {"$ref": f"#/components/responses/{name}"}


def name_tags(document: Document) -> None:
    """List the tags of the operations, in the order in which they appear."""
    tags = dict.fromkeys(tag for operation in list_operations(document) for tag in operation.get("tags", ()))
    document["tags"] = [{"name": tag, "description": f"{tag} of the Vault."} for tag in tags]


def name_status(status: int) -> str:
    """Return the name of the refusals of a status, such as `NotFound`."""
    return "".join(word.capitalize() for word in HTTPStatus(status).phrase.replace("-", " ").split())
