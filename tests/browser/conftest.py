"""Browser tests: a real Chromium, a page that tolerates no error, and no request that leaves this machine."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import ConsoleMessage, Error, Page, Request, expect
from pytest_django.live_server_helper import LiveServer

LOCAL_HOSTS = {"localhost", "127.0.0.1"}
# Waiting is cheap and a busy machine is slow: what shall appear has half a minute.
expect.set_options(timeout=30_000)
# Chromium reports and updates itself, and speaks HTTP/3, unless told not to.
QUIET_ARGUMENTS = [
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-quic",
    "--disable-sync",
    "--no-first-run",
]


@pytest.fixture(scope="session", autouse=True)
def _database_beside_event_loop() -> Iterator[None]:
    """Playwright's event loop runs in the thread of the test, where Django would refuse to ask the database."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DJANGO_ALLOW_ASYNC_UNSAFE", "1")
        yield


@pytest.fixture(scope="session")
def browser_type_launch_args(browser_type_launch_args: dict[str, Any]) -> dict[str, Any]:
    """Use the system's Chromium, without windows if it can be, else the build that Playwright installed."""
    # Chromium's sandbox refuses to be set up by root.
    arguments = [*QUIET_ARGUMENTS, "--no-sandbox"] if os.geteuid() == 0 else QUIET_ARGUMENTS
    chromium = shutil.which("chromium-headless-shell") or shutil.which("chromium")
    return browser_type_launch_args | {"args": arguments} | ({"executable_path": chromium} if chromium else {})


@pytest.fixture(scope="session")
def browser_context_args(browser_context_args: dict[str, Any]) -> dict[str, Any]:
    return browser_context_args | {"locale": "en-GB", "timezone_id": "UTC", "viewport": {"width": 1280, "height": 900}}


@pytest.fixture(scope="session")
def base_url(live_server: LiveServer) -> str:
    """Makes `page.goto("/…")` mean the Vault under test."""
    return str(live_server.url)


@pytest.fixture
def page_problems() -> list[str]:
    """What went wrong in the page so far; a test that provokes an error asserts it and clears the list."""
    return []


@pytest.fixture
def page(page: Page, page_problems: list[str]) -> Iterator[Page]:
    """A page that fails its test on a console error, an uncaught exception or a request to another host."""

    def note_console(message: ConsoleMessage) -> None:
        if message.type == "error":
            page_problems.append(f"console error: {message.text}")

    def note_exception(error: Error) -> None:
        page_problems.append(f"uncaught exception: {error.message}")

    def note_request(request: Request) -> None:
        url = urlsplit(request.url)
        if url.scheme in ("http", "https", "ws", "wss") and url.hostname not in LOCAL_HOSTS:
            page_problems.append(f"request to another host: {request.url}")

    page.on("console", note_console)
    page.on("pageerror", note_exception)
    page.on("request", note_request)
    yield page
    assert page_problems == []
