"""Bare views: what a page would cost if it took its SQL statements and joined its texts, and did nothing else.

A bare view goes through the same middleware as the page. It takes the statements that the page took, through Django's
ORM, into the same model instances, and joins the page's HTML from its pieces as a compiled template does: texts and
attribute values are escaped, the rest is constant.
"""

from __future__ import annotations

import io
import re
import statistics
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from html import escape, unescape
from typing import Any
from unittest import mock

from django.contrib.auth.decorators import login_required
from django.core.handlers.wsgi import WSGIHandler
from django.core.signals import request_started
from django.db import close_old_connections, connection
from django.db.models import QuerySet
from django.db.models.sql.compiler import SQLCompiler
from django.http import HttpRequest, HttpResponse
from django.test import Client
from django.urls import include, path, re_path, resolve

BARE, RECORDED = "/bare", "/recorded"
# What differs between two pages of a kind: texts, and addresses of links.
_VALUE = re.compile(r'(?<=>)\s*([^<\s][^<]*?)\s*(?=<)|(?<=href=")([^"]*)(?=")')

Statement = Callable[[], Any]
_bare: dict[str, tuple[list[Statement], list[str]]] = {}


class Recorder:
    """Keeps what reads the database, so that it can be read again: querysets, single queries and plain SQL."""

    def __init__(self) -> None:
        self.statements: list[Statement] = []
        self._depth = 0

    @contextmanager
    def recording(self) -> Iterator[None]:
        fetch_all, execute_sql = QuerySet._fetch_all, SQLCompiler.execute_sql

        def fetch(queryset: Any) -> None:
            if queryset._result_cache is None:
                again = queryset._chain()
                self.statements.append(lambda: list(again._chain()))
            with self._inside():
                fetch_all(queryset)

        def execute(compiler: Any, *args: Any, **kwargs: Any) -> Any:
            if not self._depth:
                query = compiler.query.clone()
                self.statements.append(
                    lambda: _exhaust(execute_sql(query.clone().get_compiler("default"), *args, **kwargs))
                )
            with self._inside():
                return execute_sql(compiler, *args, **kwargs)

        def note(run: Any, sql: str, parameters: Any, many: bool, context: Any) -> Any:
            if not self._depth:
                self.statements.append(lambda: _run_plain(sql, parameters))
            return run(sql, parameters, many, context)

        with (
            mock.patch.object(QuerySet, "_fetch_all", fetch),
            mock.patch.object(SQLCompiler, "execute_sql", execute),
            connection.execute_wrapper(note),
        ):
            yield

    @contextmanager
    def _inside(self) -> Iterator[None]:
        self._depth += 1
        try:
            yield
        finally:
            self._depth -= 1


def _exhaust(result: Any) -> None:
    if hasattr(result, "__next__"):
        for _ in result:
            pass


def _run_plain(sql: str, parameters: Any) -> None:
    with connection.cursor() as cursor:
        cursor.execute(sql, parameters)
        if cursor.description:
            cursor.fetchall()


@login_required
def show_recorded(request: HttpRequest, address: str) -> HttpResponse:
    """Answer with a page of the Vault, and keep what a bare view of it needs."""
    request.user.is_active  # noqa: B018  the middleware's statements are not the page's
    match = resolve(f"/{address}")
    request.resolver_match = match
    recorder = Recorder()
    with recorder.recording():
        response: HttpResponse = match.func(request, *match.args, **match.kwargs)
    _bare[address] = (recorder.statements, _cut(response.content.decode()))
    return response


@login_required
def show_bare(request: HttpRequest, address: str) -> HttpResponse:
    """Take the statements of a page and join its pieces."""
    statements, pieces = _bare[address]
    for statement in statements:
        statement()
    joined = [escape(piece) if number % 2 else piece for number, piece in enumerate(pieces)]
    return HttpResponse("".join(joined))


def _cut(html: str) -> list[str]:
    """Cut a page into constant pieces and, after each, a value of its content, as it is before it is escaped."""
    pieces: list[str] = []
    end = 0
    for found in _VALUE.finditer(html, html.index("<main")):
        group = found.lastindex or 0
        pieces += (html[end : found.start(group)], unescape(found.group(group)))
        end = found.end(group)
    return [*pieces, html[end:]]


urlpatterns = [
    re_path(f"^{RECORDED[1:]}/(?P<address>.*)$", show_recorded),
    re_path(f"^{BARE[1:]}/(?P<address>.*)$", show_bare),
    path("", include("ctms.urls")),
]


@contextmanager
def keep_connection() -> Iterator[None]:
    """Keep the connection to the database between requests, as a server with a pool does."""
    request_started.disconnect(close_old_connections)
    try:
        yield
    finally:
        request_started.connect(close_old_connections)


class Browser:
    """Asks a WSGI handler for pages with the cookies of a test client, without what the client adds to each request."""

    def __init__(self, client: Client) -> None:
        self._handler = WSGIHandler()
        self._cookies = "; ".join(f"{name}={morsel.value}" for name, morsel in client.cookies.items())

    def get(self, url: str) -> bytes:
        """Return the body. Raises ValueError for any other status than 200."""
        address, _, query = url.partition("?")
        answered: list[str] = []
        environ = {
            "REQUEST_METHOD": "GET",
            "PATH_INFO": address,
            "QUERY_STRING": query,
            "SERVER_NAME": "testserver",
            "SERVER_PORT": "80",
            "REMOTE_ADDR": "127.0.0.1",
            "HTTP_COOKIE": self._cookies,
            "wsgi.url_scheme": "http",
            "wsgi.input": io.BytesIO(),
            "wsgi.errors": io.StringIO(),
        }
        response = self._handler(environ, lambda status, _headers: answered.append(status))  # type: ignore[arg-type]
        body = b"".join(response)
        if not answered[0].startswith("200"):
            raise ValueError(f"{url} answered {answered[0]}.")
        return body


def measure_processor_time(browser: Browser, urls: Sequence[str], *, times: int) -> Mapping[str, float]:
    """Return URL → median milliseconds of processor time; takes the URLs in turn, so that all meet the same machine."""
    taken: dict[str, list[float]] = {url: [] for url in urls}
    for turn in range(times + 3):
        for url in urls:
            begun = time.process_time()
            browser.get(url)
            if turn >= 3:  # the first requests fill caches
                taken[url].append((time.process_time() - begun) * 1000)
    return {url: statistics.median(figures) for url, figures in taken.items()}
