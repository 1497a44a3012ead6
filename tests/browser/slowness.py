"""A server that answers when the test says so: what a user does before that is done for certain while it loads."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from playwright.sync_api import Page, Request, Route

# A page that has drawn twice has also done what waited for the answer.
FRAMES = "() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(() => setTimeout(done))))"
LONGEST_WAIT = 60  # seconds, for whatever shall happen
_PROBE = "/livez?intercepted"


def intercept(page: Page, pattern: str, handle: Callable[[Route], Any], *, times: int | None = None) -> None:
    """Let `handle` answer requests of a page that is open, from the next one on.

    A page that is open may send a request that nobody intercepts for a moment after the browser was told to.
    """
    asked: list[Route] = []

    def note(route: Route) -> None:
        asked.append(route)
        route.fulfill(body="")

    page.route(_PROBE, note)
    page.route(pattern, handle, times=times)
    deadline = time.monotonic() + LONGEST_WAIT
    while not asked and time.monotonic() < deadline:
        page.evaluate("(address) => { fetch(address, { method: 'HEAD' }).catch(() => {}) }", _PROBE)
        page.wait_for_timeout(10)
    assert asked, "Nobody intercepts the requests of this page."
    page.unroute(_PROBE)


class HeldRequests:
    """The requests of a page to the addresses of a pattern, each of which waits to be let through."""

    def __init__(self, page: Page, pattern: str) -> None:
        self._page = page
        self._pattern = pattern
        self._held: list[Route] = []
        self._answered: list[Request] = []
        self._given_up: list[Request] = []
        self._is_over = False
        page.on("requestfinished", self._note_answer)
        page.on("requestfailed", self._note_end)
        if page.url.startswith("http"):
            intercept(page, pattern, self._hold)
        else:
            page.route(pattern, self._hold)

    def _note_answer(self, request: Request) -> None:
        self._answered.append(request)

    def _note_end(self, request: Request) -> None:
        self._given_up.append(request)

    def _hold(self, route: Route) -> None:
        if self._is_over:
            route.continue_()
        else:
            self._held.append(route)

    def answer(self) -> None:
        """Let the oldest through, once it is there, and wait until its answer has been taken in.

        One that the page has given up, as it does with a search when more is typed, is none of them.
        """
        self._answer(0)

    def answer_last(self) -> None:
        """The newest overtakes the others."""
        self._answer(-1)

    def _answer(self, position: int) -> None:
        while not self._let_through(self._take(position)):
            pass
        self.settle()

    def _let_through(self, route: Route) -> bool:
        """Whether the page got the answer."""
        limit = time.monotonic() + LONGEST_WAIT
        route.continue_()
        while route.request not in self._answered:
            if route.request in self._given_up:
                return False
            assert time.monotonic() < limit, f"{route.request.url} was not answered"
            self._page.wait_for_timeout(10)
        return True

    def refuse(self, status: int) -> None:
        self._take(0).fulfill(status=status, body="")

    def answer_all(self) -> None:
        """From now on nothing waits."""
        self._is_over = True
        while self._held:
            self._held.pop(0).continue_()

    def wait_for(self, count: int) -> None:
        limit = time.monotonic() + LONGEST_WAIT
        while len(self._held) < count:
            assert time.monotonic() < limit, f"{len(self._held)} of {count} requests to {self._pattern} came"
            self._page.wait_for_timeout(10)

    def wait_until(self, expression: str) -> None:
        """Wait until a JavaScript expression is true: `wait_for_function` would need the eval that pages forbid."""
        limit = time.monotonic() + LONGEST_WAIT
        while not self._page.main_frame.evaluate(expression):  # whether the page is loaded or not
            assert time.monotonic() < limit, f"{expression} did not become true"
            self._page.wait_for_timeout(10)

    @property
    def count(self) -> int:
        return len(self._held)

    def settle(self) -> None:
        """Let the page do what it does with an answer that it has."""
        self._page.evaluate(FRAMES)

    def _take(self, position: int) -> Route:
        self.wait_for(1)
        return self._held.pop(position)
