"""A value as pages show it, and its HTML: a chip, a link, or a text with its icon."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from html import escape
from typing import Any

from django.utils.safestring import SafeString

from ctms.core.icons import render_icon

# Tones of the registry whose CSS class has another name.
_TONES: Mapping[str, str] = {"failure": "failed", "quiet": "inactive", "neutral": ""}
_NONE = SafeString('<span class="none">–</span>')


@dataclass(frozen=True, slots=True, kw_only=True)
class ShownValue:
    """A value as pages show it. `tone` makes it a badge, `url` a link; `raw` is used to sort, export and compare.

    `icon` names an icon of the sprite to show before the text. A link `is_external` if it leaves the Vault. What is
    HTML is escaped here and not in templates, because a page shows hundreds of values.
    """

    text: str
    raw: Any
    url: str = ""
    tone: str = ""
    icon: str = ""
    is_external: bool = False

    @property
    def html(self) -> SafeString:
        """The value for a page, with its line breaks; a dash for an empty one."""
        return SafeString(self._render_marked() or render_lines(self.text)) if self.text else _NONE

    @property
    def cell_html(self) -> SafeString:
        """The value for a cell of a list; nothing for an empty one."""
        return SafeString(self._render_marked() or f"<span>{escape(self.text)}</span>") if self.text else SafeString("")

    def _render_marked(self) -> str:
        if self.tone:
            return render_chip(text=self.text, tone=self.tone)
        if self.url:
            outside = ' rel="noopener noreferrer" target="_blank"' if self.is_external else ""
            return f'<a href="{escape(self.url)}"{outside}>{escape(self.text)}</a>'
        if self.icon:
            return f'<span class="channel">{render_icon(self.icon, "small")} {escape(self.text)}</span>'
        return ""


def render_chip(*, text: str, tone: str) -> str:
    """Return the HTML of a state as a coloured word."""
    return f'<span class="chip {_TONES.get(tone, tone)}">{escape(text)}</span>'


def render_lines(text: str) -> str:
    """Return the HTML of a text with its line breaks."""
    return escape(text).replace("\r\n", "\n").replace("\r", "\n").replace("\n", "<br>")
