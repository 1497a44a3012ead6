"""Elements of HTML and SVG, in which every text and attribute is escaped."""

from __future__ import annotations

import html
from collections.abc import Iterable

from django.utils.safestring import SafeString

Attributes = dict[str, str | float]
NOTHING = SafeString("")


def build_element(name: str, attributes: Attributes, *children: str) -> SafeString:
    """Return the element as HTML. Numbers become places such as "12.25"; children are escaped unless they are HTML."""
    written = "".join(f' {each}="{_write(value)}"' for each, value in attributes.items())
    return SafeString(f"<{name}{written}>{join_elements(children)}</{name}>")


def join_elements(elements: Iterable[str]) -> SafeString:
    return SafeString("".join(each if isinstance(each, SafeString) else html.escape(each) for each in elements))


def write_percentage(share: float) -> str:
    """Return a share of the width: 0.125 is "12.5%"."""
    return f"{_write_number(share * 100)}%"


def _write(value: str | float) -> str:
    return html.escape(value) if isinstance(value, str) else _write_number(value)


def _write_number(value: float) -> str:
    written = f"{value:.2f}"
    return written.rstrip("0").rstrip(".") if "." in written else written
