"""Cursors: places in an answer of many pages, for the user and the parameters that they were given for.

A place has values of a record in it, so a cursor is encrypted. One that was given to another user, or for other filters
or another order, does not decrypt; what a page shows of its records, and how many, may differ from page to page.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from hashlib import sha256
from typing import Any

from rest_framework.request import Request

from ctms.core.errors import EncryptionKeyError
from ctms.records.api.sealed import seal, unseal
from ctms.records.lists.order.keyset_pagination import LAST, InvalidCursorError
from ctms.records.lists.query import CURSOR, SIZE
from ctms.records.requests import get_user

# Parameters that may differ from page to page.
FIELDS, EXPAND, COUNT, FORMAT = "fields", "expand", "count", "format"
_OF_A_PAGE = frozenset({CURSOR, SIZE, FIELDS, EXPAND, COUNT, FORMAT})
_RELATIONS = {"next": "next", "previous": "prev"}
_REFUSED = (
    "This is no cursor that this Vault gave you for these parameters. Take it from `next` or `previous` of an answer, "
    "with the filters and the order that it was asked with, or leave it out for the first page."
)


def build_url(*, request: Request, place: str | None) -> str | None:
    """Return the address of the page of what the request asks for that begins at a place; None without a place."""
    if not place:
        return None
    parameters = request.query_params.copy()
    parameters[CURSOR] = seal(place, purpose=_name_purpose(request), user=get_user(request))
    return request.build_absolute_uri(f"?{parameters.urlencode()}")


def read_place(request: Request, *, knows_last: bool = False) -> str:
    """Return the place that the cursor of a request is of; empty without a cursor. Raises InvalidCursorError.

    With `knows_last`, `cursor=last` is the place of the last page.
    """
    cursor = request.query_params.get(CURSOR)
    if cursor is None:
        return ""
    if knows_last and cursor == LAST:
        return LAST
    try:
        return unseal(cursor, purpose=_name_purpose(request), user=get_user(request))
    except EncryptionKeyError as error:
        raise InvalidCursorError(_REFUSED) from error


def format_links(page: Mapping[str, Any]) -> str:
    """Return the addresses of the pages beside a page as the header Link has them; empty if there are none."""
    return ", ".join(f'<{page[name]}>; rel="{relation}"' for name, relation in _RELATIONS.items() if page[name])


def _name_purpose(request: Request) -> str:
    asked = sorted((name, values) for name, values in request.query_params.lists() if name not in _OF_A_PAGE)
    return f"cursor of {request.path} with {sha256(json.dumps(asked).encode()).hexdigest()}"
