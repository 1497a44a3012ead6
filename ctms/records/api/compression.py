"""Compresses answers to programs that ask for it.

Only answers to requests with a token are compressed. Whoever lures a browser into asking with its session could guess,
from how much an answer shrinks, what it holds beside what they put into it (BREACH). Browsers send no token themselves.
"""

from __future__ import annotations

from typing import Any

from django.http import HttpResponseBase
from django.middleware.gzip import GZipMiddleware
from rest_framework.request import Request
from rest_framework.response import Response


def compress_later(*, request: Request, response: Any) -> None:
    """Have the response compressed, once it is written, if the request has a token and the client takes it so."""
    if isinstance(response, Response) and is_by_token(request):
        response.add_post_render_callback(lambda written: _compress(request=request, response=written))


def is_by_token(request: Request) -> bool:
    """Whether the request was authenticated by a token, and not by the session of a browser."""
    return request.auth is not None


def _compress(*, request: Request, response: Any) -> HttpResponseBase:
    return GZipMiddleware(lambda _request: response).process_response(request, response)
