"""Panels of other apps on a record page, below its sections. They are registered from `AppConfig.ready()`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from ctms.records.access import ObjectAccess


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordPanel:
    """A part of record pages. `build` returns what the template shows of a record, or None to leave the panel out.

    `build` must run a fixed number of statements for each page.
    """

    key: str
    title: str
    template: str
    build: Callable[[ObjectAccess, Any], Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class PanelPart:
    """A panel with its content for one record."""

    key: str
    title: str
    template: str
    content: Any


_panels: list[RecordPanel] = []


def register_record_panel(panel: RecordPanel) -> None:
    """Register a panel, to be shown below those registered before."""
    if panel not in _panels:
        _panels.append(panel)


def build_record_panels(*, access: ObjectAccess, record: Any) -> list[PanelPart]:
    """Return the panels that have something to show of the record."""
    built = [(panel, panel.build(access, record)) for panel in _panels]
    return [
        PanelPart(key=panel.key, title=panel.title, template=panel.template, content=content)
        for panel, content in built
        if content is not None
    ]
