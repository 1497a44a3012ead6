"""Measure and cut texts in UTF-16 units, as Salesforce and browsers count: an emoji counts as two."""

from __future__ import annotations


def measure_text(text: str) -> int:
    """Return the number of UTF-16 units of a text."""
    return len(text.encode("utf-16-le", errors="surrogatepass")) // 2


def cut_text(text: str, length: int) -> str:
    """Return the longest beginning of a text that has at most `length` UTF-16 units and splits no character."""
    units = text.encode("utf-16-le", errors="surrogatepass")[: 2 * max(length, 0)]
    return units.decode("utf-16-le", errors="ignore")
