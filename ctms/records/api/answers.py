"""Requests with an Idempotency-Key are done once: sent again, they are given the answer of the first time.

The key is kept in the transaction that writes the records. Of two requests at the same moment the second waits for the
first, because the database lets nobody keep a key twice; a request that is refused leaves no key behind.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from functools import wraps
from typing import Any, Concatenate, ParamSpec
from uuid import UUID

from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction
from django.utils.crypto import salted_hmac
from rest_framework.request import Request
from rest_framework.response import Response

from ctms.records.api.errors import InvalidHeaderError, KeyReusedError
from ctms.records.models import KeptAnswer
from ctms.records.requests import get_user
from ctms.records.writing.services import RACE

KEY_HEADER, REPLAYED_HEADER = "Idempotency-Key", "Idempotency-Replayed"
KEY_PATTERN = "^[!-~]{1,255}$"
_KEY = re.compile(KEY_PATTERN)
_SALT = "ctms.records.api.answers"

P = ParamSpec("P")


class WriteResponse(Response):
    """The response to a request that writes: `uid` of its record, or `results` of the rows of a batch, are kept.

    `has_written` says whether anything was written; else the same key may be used again.
    """

    def __init__(
        self,
        data: Any = None,
        *,
        status: int,
        headers: dict[str, str] | None = None,
        uid: UUID | None = None,
        results: Any = None,
        has_written: bool = True,
    ) -> None:
        super().__init__(data, status=status, headers=headers)
        self.uid, self.results, self.has_written = uid, results, has_written


Method = Callable[Concatenate[Any, Request, P], WriteResponse]


def answers_once(method: Method[P]) -> Callable[..., Response]:
    """Let a method of a view do a request with an Idempotency-Key once; the view's `repeat` gives the answer again."""

    @wraps(method)
    def answer(view: Any, request: Request, *args: P.args, **kwargs: P.kwargs) -> Response:
        key = read_key(request)
        if key is None:
            return method(view, request, *args, **kwargs)
        digest = _digest(request)
        try:
            with transaction.atomic():
                kept, is_new = KeptAnswer.objects.get_or_create(
                    user=get_user(request), key=key, defaults={"digest": digest}
                )
                if is_new:
                    return _keep(kept, method(view, request, *args, **kwargs))
        except IntegrityError as error:  # constraints that are checked when the transaction ends
            raise ValidationError(RACE) from error
        if kept.digest != digest:
            raise KeyReusedError(
                f"Another request was answered under this {KEY_HEADER}; nothing was saved. Send a new key."
            )
        repeated: Response = view.repeat(request, kept, **kwargs)
        repeated.headers[REPLAYED_HEADER] = "true"
        return repeated

    return answer


def read_key(request: Request) -> str | None:
    """Return the Idempotency-Key of a request; None without one. Raises InvalidHeaderError."""
    key = request.headers.get(KEY_HEADER)
    if key is None:
        return None
    if not _KEY.fullmatch(key):
        raise InvalidHeaderError(
            "Send 1 to 255 visible ASCII characters without blanks, such as a UUID.", name=KEY_HEADER
        )
    return key


def _keep(kept: KeptAnswer, response: WriteResponse) -> WriteResponse:
    """Keep the answer, or delete its key if nothing was written."""
    if not response.has_written:
        kept.delete()
        return response
    kept.status, kept.record_uid, kept.results = response.status_code, response.uid, response.results
    kept.save(update_fields=("status", "record_uid", "results"))
    return response


def _digest(request: Request) -> str:
    """Return a digest of method, address, body and reach of the token, the same however the body is spaced and ordered.

    It is keyed with the secret key, so that nobody finds out by trying what was sent.
    """
    body = json.dumps(request.data, sort_keys=True) if request.method != "DELETE" else ""
    reach = get_user(request).reach
    narrowed = (reach.key,) if reach is not None and reach.is_narrowed else ()
    text = "\n".join((str(request.method), request.get_full_path(), body, *narrowed))
    return salted_hmac(_SALT, text, algorithm="sha256").hexdigest()
