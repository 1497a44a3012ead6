"""Browser tests: a real Chromium, a page that tolerates no error, and no request that leaves this machine."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from functools import wraps
from typing import Any
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Error, Locator, Page, Request, expect
from pytest_django.live_server_helper import LiveServer

from tests.browser.slowness import LONGEST_WAIT

LONGEST_TEST = timedelta(minutes=3)
LOCAL_HOSTS = {"localhost", "127.0.0.1"}
# Waiting is cheap and a busy machine is slow.
expect.set_options(timeout=LONGEST_WAIT * 1_000)
# What a user does with a part of a page, and what a test reads of it without expecting something.
DONE_OR_READ = (
    *("check", "clear", "click", "dblclick", "drag_to", "fill", "focus", "hover", "press", "press_sequentially"),
    *("select_option", "set_input_files", "tap", "uncheck"),
    *("all", "all_inner_texts", "all_text_contents", "bounding_box", "count", "evaluate", "get_attribute"),
    *("inner_text", "input_value", "is_checked", "is_visible"),
)
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


def _after_load(method: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(method)
    def act(what: Page | Locator, *arguments: Any, **options: Any) -> Any:
        page = what.page if isinstance(what, Locator) else what
        page.wait_for_load_state()
        return method(what, *arguments, **options)

    return act


def _hand_out_after_load(name: str) -> property:
    device: property = getattr(Page, name)

    def hand_out(page: Page) -> Any:
        page.wait_for_load_state()
        return device.__get__(page)

    return property(hand_out)


def _be_patient(new_context: Callable[..., BrowserContext]) -> Callable[..., BrowserContext]:
    @wraps(new_context)
    def create(browser: Browser, **options: Any) -> BrowserContext:
        context = new_context(browser, **options)
        context.set_default_timeout(LONGEST_WAIT * 1_000)
        return context

    return create


@pytest.fixture(autouse=True)
def _today_stays_today() -> None:
    """Begin no test that midnight would overtake: days that it counts from today would be others for its pages."""
    now = datetime.now(UTC)
    midnight = datetime.combine(now.date() + timedelta(days=1), datetime.min.time(), UTC)
    if midnight - now < LONGEST_TEST:
        time.sleep((midnight - now).total_seconds())


@pytest.fixture(scope="session", autouse=True)
def _pages_are_loaded_first() -> Iterator[None]:
    """What a test does or reads, it does and reads on a page that is loaded, whose scripts have run.

    A click waits until the page that it leads to begins to come. What stands in that can be seen, and typed into, while
    the rest and its scripts are still on their way. Whoever takes `page.keyboard` before types on without waiting.
    """
    with pytest.MonkeyPatch.context() as patch:
        for name in DONE_OR_READ:
            patch.setattr(Locator, name, _after_load(getattr(Locator, name)))
        for name in ("content", "evaluate"):
            patch.setattr(Page, name, _after_load(getattr(Page, name)))
        for name in ("keyboard", "mouse"):
            patch.setattr(Page, name, _hand_out_after_load(name))
        patch.setattr(Browser, "new_context", _be_patient(Browser.new_context))
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
    """Without motion: what is on its way to another colour or place is measured as neither."""
    window = {"viewport": {"width": 1280, "height": 900}, "reduced_motion": "reduce"}
    return browser_context_args | window | {"locale": "en-GB", "timezone_id": "UTC"}


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
