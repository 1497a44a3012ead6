"""The changes feed of an object, by which a program keeps a copy of the records that its user sees."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from django.http import QueryDict
from rest_framework.renderers import BaseRenderer, JSONRenderer
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.utils.encoders import JSONEncoder

from ctms.records.access import AccessRefusedError
from ctms.records.api.changes.documents import ChangesSchema
from ctms.records.api.changes.pages import build_page
from ctms.records.api.changes.parameters import LARGEST_PAGE, SINCE
from ctms.records.api.views import UncachedView
from ctms.records.lists.query import SIZE, InvalidListError
from ctms.records.requests import open_object_or_404


class NdjsonRenderer(BaseRenderer):
    """Writes a page as lines of JSON: whether it begins anew, each record, and at the end the bookmark.

    The bookmark is last, so that an answer that breaks off is not taken for a whole one.
    """

    media_type = "application/x-ndjson"
    format = "ndjson"
    charset = "utf-8"

    def render(
        self,
        data: Any,
        accepted_media_type: str | None = None,  # noqa: ARG002  Django REST framework's signature
        renderer_context: Mapping[str, Any] | None = None,  # noqa: ARG002  Django REST framework's signature
    ) -> bytes:
        head, end = {"reset": data["reset"]}, {"bookmark": data["bookmark"], "more": data["more"]}
        lines = (json.dumps(each, cls=JSONEncoder) for each in (head, *data["results"], end))
        return "".join(f"{line}\n" for line in lines).encode()


class ChangesView(UncachedView):
    """What happened to the records of one object."""

    schema = ChangesSchema()
    known_parameters = None
    renderer_classes = (JSONRenderer, NdjsonRenderer)

    def get(self, request: Request, object_name: str) -> Response:
        """What was created, changed and deleted since a bookmark, and what came into your sight or went out of it.

        Without `since`, and where `reset` is true, all records that you see are told: what is not among them until
        `more` is false is gone. Each page has the bookmark for the next; keep it with what the page told you. `more`
        says whether there is a next page now. Each record is told once, as it is now, in no order. The answer is lines
        of JSON with `Accept: application/x-ndjson`.
        """
        access = open_object_or_404(request, object_name)
        if access.user.calling_for is not None:
            raise AccessRefusedError("A call-back session reads records, not what happened to them. Use an API token.")
        since, size = _read_parameters(request.query_params)
        return Response(build_page(access=access, since=since, size=size))


def _read_parameters(parameters: QueryDict) -> tuple[str, int]:
    """Return the bookmark, empty if there is none, and how many records a page has. Raises InvalidListError."""
    problems = {name: ["There is no such parameter. Leave it out."] for name in set(parameters) - {SINCE, SIZE}}
    for name in (SINCE, SIZE):
        if len(parameters.getlist(name)) > 1:
            problems[name] = ["This is given more than once. Give it once."]
    if parameters.get(SINCE) == "":
        problems[SINCE] = ["Give a bookmark, or leave it out."]
    text = parameters.get(SIZE, str(LARGEST_PAGE))
    size = int(text) if text.isascii() and text.isdigit() and len(text) <= len(str(LARGEST_PAGE)) else 0
    if not 1 <= size <= LARGEST_PAGE:
        problems[SIZE] = [f"Ask for 1 to {LARGEST_PAGE} records."]
    if problems:
        raise InvalidListError(problems)
    return parameters.get(SINCE, ""), size
