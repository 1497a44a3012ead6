"""Describes in the OpenAPI document what readers may ask for beside filters, and the headers of answers to them."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import OpenApiParameter, OpenApiResponse

from ctms.records.access import ObjectAccess
from ctms.records.api.csv import CSV, MEDIA_TYPE
from ctms.records.api.cursors import COUNT, EXPAND, FIELDS, FORMAT
from ctms.records.api.paging import JSON, MOST_SORTS
from ctms.records.api.showing import ALWAYS, list_expandable
from ctms.records.lists.query import SORT, can_sort

NOT_MODIFIED: dict[Any, Any] = {
    304: OpenApiResponse(description="The answer is still the one that If-None-Match names.")
}
IF_NONE_MATCH = OpenApiParameter(
    "If-None-Match",
    str,
    OpenApiParameter.HEADER,
    description="The ETag of an answer that you have: if it is still the same, it is not sent again.",
)
ANSWER_ETAG = OpenApiParameter(
    "ETag", str, OpenApiParameter.HEADER, response=[200], description="Another one whenever the answer is another."
)
LINK = OpenApiParameter(
    "Link", str, OpenApiParameter.HEADER, response=[200], description="The addresses of `next` and `prev`, if any."
)


def describe_sort(access: ObjectAccess) -> OpenApiParameter:
    """Describe the parameter `sort`."""
    names = "|".join(name for name, each in access.shape.fields.items() if can_sort(access=access, field=each))
    one = f"-?(?:{names})"
    return OpenApiParameter(
        SORT,
        {"type": "string", "pattern": f"^{one}(?:,{one}){{0,{MOST_SORTS - 1}}}$"},
        description=f"A field, downwards with a leading minus; or up to {MOST_SORTS}, with commas between.",
    )


def describe_showing(access: ObjectAccess) -> list[OpenApiParameter]:
    """Describe the parameters `fields` and `expand`."""
    always = " and ".join(f"`{name}`" for name in ALWAYS)
    described = [
        OpenApiParameter(
            FIELDS,
            _list_of(list(access.shape.fields)),
            explode=False,
            description=f"The fields that records are shown with, with commas between. {always} are always there. "
            "Without it, all.",
        )
    ]
    expandable = list(list_expandable(access))
    if expandable:
        described.append(
            OpenApiParameter(
                EXPAND,
                _list_of(expandable),
                explode=False,
                description="References that are shown as the whole record, if you see it.",
            )
        )
    return described


def describe_form() -> list[OpenApiParameter]:
    """Describe the parameters `count` and `format`."""
    return [
        OpenApiParameter(COUNT, bool, description="Whether all records are counted, however many they are."),
        OpenApiParameter(
            FORMAT,
            {"type": "string", "enum": [JSON, CSV], "default": JSON},
            description=f"`{CSV}`: a page as {MEDIA_TYPE}, as with that Accept; parts of values stand behind a full "
            "stop. The next page is in the header Link.",
        ),
    ]


def _list_of(names: list[str]) -> dict[str, Any]:
    return {"type": "array", "minItems": 1, "items": {"type": "string", "enum": names}}
