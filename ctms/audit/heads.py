"""The head of the chain of audit entries, for printed pages. What computes it registers itself here."""

from __future__ import annotations

from collections.abc import Callable

_readers: list[Callable[[], str]] = []  # one at most


def register_chain_head(read: Callable[[], str]) -> None:
    """Say how the head is read. Called once, from `AppConfig.ready()`."""
    _readers[:] = [read]


def get_chain_head() -> str:
    """Return the present head; empty if there is no chain."""
    return _readers[0]() if _readers else ""
