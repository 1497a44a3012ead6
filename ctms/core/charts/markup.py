"""Elements of HTML and SVG, in which every text and attribute is escaped."""

from __future__ import annotations

from collections.abc import Iterable

from django.utils.html import conditional_escape, escape
from django.utils.safestring import SafeString, mark_safe

Attributes = dict[str, str | float]
NOTHING = SafeString("")


def build_element(name: str, attributes: Attributes, *children: str) -> SafeString:
    """Return the element as HTML. Numbers become places such as "12.25"; children are escaped unless they are HTML."""
    written = "".join(f' {each}="{_write(value)}"' for each, value in attributes.items())
    return mark_safe(f"<{name}{written}>{join_elements(children)}</{name}>")  # noqa: S308  escaped above


def join_elements(elements: Iterable[str]) -> SafeString:
    return mark_safe("".join(conditional_escape(each) for each in elements))  # noqa: S308  each is escaped


def write_percentage(share: float) -> str:
    """Return a share of the width: 0.125 is "12.5%"."""
    return f"{_write_number(share * 100)}%"


def _write(value: str | float) -> str:
    return escape(value) if isinstance(value, str) else _write_number(value)


def _write_number(value: float) -> str:
    written = f"{value:.2f}"
    return written.rstrip("0").rstrip(".") if "." in written else written
