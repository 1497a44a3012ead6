"""The panels of the admin console's landing page. Each app registers its own from `AppConfig.ready()`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

    from ctms.accounts.models import User


@dataclass(frozen=True, slots=True, kw_only=True)
class ConsolePanel:
    """A panel. `build` returns the `content` for its template, or None to leave the panel out for this user.

    Panels are ordered by `position`; a wide one takes the whole width.
    """

    title: str
    template: str
    build: Callable[[User], dict[str, Any] | None]
    position: int
    is_wide: bool = False


_panels: list[ConsolePanel] = []


def register_console_panel(panel: ConsolePanel) -> None:
    """Add a panel; does nothing if it is registered already."""
    if panel not in _panels:
        _panels.append(panel)


def build_console_panels(user: User) -> list[dict[str, Any]]:
    """Return title, template and content of each panel that has any for the user, in order."""
    built = [(panel, panel.build(user)) for panel in sorted(_panels, key=lambda each: each.position)]
    return [
        {"title": panel.title, "template": panel.template, "is_wide": panel.is_wide, "content": content}
        for panel, content in built
        if content is not None
    ]
