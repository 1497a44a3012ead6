"""Recently used records: `/recent`, and `recentItems` of `/sobjects/X`.

Source: "Recently Viewed Items" of the REST API Developer Guide. In the CRM pages and queries with FOR VIEW and FOR
REFERENCE note what was viewed; here the records that a program retrieves and writes one by one or in collections are
noted as well, since nobody else looks at them.
"""

from typing import Any

from crm_sync.sandbox.data.fields import SObject
from crm_sync.sandbox.data.recent import MOST_RECENT, list_recent
from crm_sync.sandbox.errors import ApiError
from crm_sync.sandbox.service import ApiRequest, ApiResponse


def read_recent(request: ApiRequest) -> ApiResponse:
    """Answer GET /recent?limit=."""
    limit = read_limit(request, default=MOST_RECENT, most=MOST_RECENT)
    return ApiResponse(describe_recent(request)[:limit])


def describe_recent(request: ApiRequest, *, sobject: SObject | None = None) -> list[dict[str, Any]]:
    """Return the records that the user used most recently, newest first; of one object alone with `sobject`."""
    found = list_recent(request.organisation, user_id=request.user_id, sobject=sobject)
    return [
        {
            "attributes": {"type": each.name, "url": f"{request.base_path}/sobjects/{each.name}/{identifier}"},
            "Id": identifier,
            each.name_field.name: name,
        }
        for each, identifier, name in found
    ]


def read_limit(request: ApiRequest, *, default: int, most: int, name: str = "limit", least: int = 1) -> int:
    """Return a number of the address. Raises ApiError unless it is from `least` to `most`."""
    text = request.query.get(name, str(default)).strip()
    if not text.isdecimal() or not least <= int(text) <= most:
        raise ApiError("ILLEGAL_QUERY_PARAMETER_VALUE", f"{name} must be a number from {least} to {most}, not {text}")
    return int(text)
