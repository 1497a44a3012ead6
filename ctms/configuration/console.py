"""The landing page of the admin console is made of panels. Each app registers its own from `AppConfig.ready()`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

    from ctms.accounts.models import User


@dataclass(frozen=True, slots=True, kw_only=True)
class ConsolePanel:
    """A part of the page: `build` gives its template what to show to a user, or None to leave the panel out.

    `position` orders the panels of several apps; a wide one takes the whole width.
    """

    title: str
    template: str
    build: Callable[[User], dict[str, Any] | None]
    position: int
    is_wide: bool = False


_panels: list[ConsolePanel] = []


def register_console_panel(panel: ConsolePanel) -> None:
    """Add a panel."""
    if panel not in _panels:
        _panels.append(panel)


def build_console_panels(user: User) -> list[dict[str, Any]]:
    """Title, template and content of each panel that has something to say to the user, in order."""
    built = [(panel, panel.build(user)) for panel in sorted(_panels, key=lambda each: each.position)]
    return [
        {"title": panel.title, "template": panel.template, "is_wide": panel.is_wide, "content": content}
        for panel, content in built
        if content is not None
    ]
