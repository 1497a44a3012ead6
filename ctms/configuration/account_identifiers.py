"""Which fields of accounts can identify persons in the CRMs: registered by the app that knows the CRMs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

Choices = list[tuple[str, str]]


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountFields:
    """`list_choices` returns the fields that can identify accounts, empty if that is not known of every CRM.

    `find_problem` returns why a field cannot in one of the CRMs that use it; empty if it can, as far as is known.
    """

    list_choices: Callable[[], Choices]
    find_problem: Callable[[str], str]


_registered: list[AccountFields] = []


def register_account_fields(fields: AccountFields) -> None:
    """Register what knows the CRMs; called once, when the app is ready."""
    _registered[:] = [fields]


def list_account_choices() -> Choices:
    """Return (API name, text) of the fields that can identify accounts; empty if names have to be typed."""
    return _registered[0].list_choices() if _registered else []


def find_account_problem(name: str) -> str:
    """Return why a field cannot identify accounts, with the remedy; empty if it can, as far as is known."""
    return _registered[0].find_problem(name) if _registered and name else ""
