"""What axe, the accessibility checker, finds on a page once it is there."""

from __future__ import annotations

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page


def find_violations(page: Page, *, within: str | None = None) -> list[tuple[str, list[str]]]:
    """Rule and elements of each violation, on the page or in what the selector finds.

    Whoever left another page first expects something of the new one: axe cannot know which of them is meant.
    """
    page.wait_for_load_state()
    found = Axe().run(page, context=within).response["violations"]
    return [(each["id"], [node["html"] for node in each["nodes"]]) for each in found]
