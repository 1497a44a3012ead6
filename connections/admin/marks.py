"""The badge for integrations and rules that will fail."""

from __future__ import annotations

from django.utils.html import format_html


def show_trouble(*, lacks_required: bool) -> str:
    """Return a badge for an integration or rule that has an inactive required field rule, else a dash."""
    return format_html("<span class='vault-badge warn'>{}</span>", "Required rule inactive") if lacks_required else "–"
