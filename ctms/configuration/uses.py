"""Where a custom field is used. Each app tells it of its own rows, by a finder that it registers here."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from ctms.configuration.fields import ObjectField


@dataclass(frozen=True, slots=True, kw_only=True)
class Use:
    """A place that refers to a field: what it is, its name, and its address in the Vault, if it has a page.

    `keeps_field` says that the field cannot be deleted while this refers to it; other references go with the field.
    """

    place: str
    name: str
    url: str = ""
    keeps_field: bool = False


# Called with the API name of the object, and its field.
UseFinder = Callable[[str, ObjectField], Iterable[Use]]
_finders: list[UseFinder] = []


def register_use_finder(finder: UseFinder) -> None:
    """Ask `finder` where fields are used. Called once for each, from `AppConfig.ready()`."""
    if finder not in _finders:
        _finders.append(finder)


def list_uses(*, object_name: str, field: ObjectField) -> list[Use]:
    """Return every place that refers to the field, those that keep it first."""
    found = [use for finder in _finders for use in finder(object_name, field)]
    return sorted(found, key=lambda use: (not use.keeps_field, use.place, use.name))
