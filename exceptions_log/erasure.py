"""Forgets the values of an erased person in user exceptions."""

from __future__ import annotations

from ctms.clinical.erasure import ErasedPerson, register_eraser
from exceptions_log.models import ExceptionItem, Failure

_FIELDS = ("name", "error_message", "cause", "item", "item_data")


def register_exceptions_eraser() -> None:
    """Register the eraser; called once, when the app is ready."""
    register_eraser(_erase_items)


def _erase_items(erased: ErasedPerson) -> int:
    return sum(erased.clean_rows(model.objects.all(), fields=_FIELDS) for model in (ExceptionItem, Failure))
