"""Names of kinds of records as tabs, headings and menus have them."""

from __future__ import annotations


def capitalise(label: str) -> str:
    """Return a label with each word in capitals: `study site` is `Study Site`."""
    return " ".join(word[:1].upper() + word[1:] for word in label.split())
