"""Icons of the sprite, as the HTML that shows them."""

from __future__ import annotations

import functools

from django.utils.html import format_html
from django.utils.safestring import SafeString


@functools.lru_cache(maxsize=512)
def render_icon(name: str, css_class: str = "") -> SafeString:
    """Return the HTML of an icon of `components/sprite.html`; `name` is without "icon-", `css_class` such as "small".

    Screen readers skip it and read the text beside it.
    """
    return format_html(
        '<svg class="{}" aria-hidden="true" focusable="false"><use href="#icon-{}"></use></svg>',
        f"icon {css_class}".strip(),
        name,
    )
