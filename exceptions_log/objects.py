"""Registration of the exception objects. Users read them; only the transfer writes them."""

from __future__ import annotations


def register_exception_objects() -> None:
    """Called once, when the app is ready."""
