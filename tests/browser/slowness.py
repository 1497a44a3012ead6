"""A server that answers when the test says so: what a user does before that is done for certain while it loads."""

from __future__ import annotations

import time

from playwright.sync_api import Page, Route

# A page that has drawn twice has also done what waited for the answer.
FRAMES = "() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(() => setTimeout(done))))"
LONGEST_WAIT = 30  # seconds, as for what shall appear


class HeldRequests:
    """The requests of a page to the addresses of a pattern, each of which waits to be let through."""

    def __init__(self, page: Page, pattern: str) -> None:
        self._page = page
        self._pattern = pattern
        self._held: list[Route] = []
        self._is_over = False
        page.route(pattern, self._hold)

    def _hold(self, route: Route) -> None:
        if self._is_over:
            route.continue_()
        else:
            self._held.append(route)

    def answer(self) -> None:
        """Let the oldest through, once it is there, and wait until its answer has been taken in."""
        self._answer(self._take(0))

    def answer_last(self) -> None:
        """The newest overtakes the others."""
        self._answer(self._take(-1))

    def _answer(self, route: Route) -> None:
        with self._page.expect_response(lambda response: response.request == route.request) as response:
            route.continue_()
        response.value.finished()
        self.settle()

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

    @property
    def count(self) -> int:
        return len(self._held)

    def settle(self) -> None:
        """Let the page do what it does with an answer that it has."""
        self._page.evaluate(FRAMES)

    def _take(self, position: int) -> Route:
        self.wait_for(1)
        return self._held.pop(position)
