"""How lists mark what will fail."""

from __future__ import annotations

from django.utils.html import format_html


def show_trouble(*, lacks_required: bool) -> str:
    """A badge for an integration, or its rule, of which a required field rule is inactive."""
    return format_html("<span class='vault-badge warn'>{}</span>", "Required rule inactive") if lacks_required else "–"
