"""Columns and page size of a user's list: from the address, else the user's preference, else the object's default."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from ctms.accounts.models import User
from ctms.configuration.fields import ObjectField
from ctms.configuration.snapshot import ObjectShape
from ctms.records.lists.query import ListQuery
from ctms.records.models import ListPreference

PAGE_SIZES = (25, 50, 100, 200)
NAME = "name__v"
# How much room the rows of all lists take; the user chooses it.
COMFORTABLE, COMPACT = "comfortable", "compact"
DENSITIES = (COMFORTABLE, COMPACT)


def get_preference(*, user: User, object_name: str) -> ListPreference:
    """Return the user's preference for the list of the object; a new, unsaved one if there is none yet."""
    found = ListPreference.objects.select_related("default_view").filter(user=user, of_object=object_name).first()
    return found or ListPreference(user=user, of_object=object_name)


def save_preference(*, user: User, object_name: str, **values: Any) -> None:
    """Save a choice of the user: `columns` by API name (empty for the default), `page_size` or `default_view`."""
    ListPreference.objects.update_or_create(user=user, of_object=object_name, defaults=values)


def choose_columns(*, listed: ListQuery, preference: ListPreference) -> list[ObjectField]:
    """Return the columns in order. What the record is called is always first, because it links to the record."""
    shape = listed.access.shape
    if listed.columns is not None:
        return _put_lead_first(shape=shape, names=[each.api_name for each in listed.columns])
    return _put_lead_first(shape=shape, names=preference.columns or shape.vault_object.list_columns)


def get_lead(shape: ObjectShape) -> str:
    """Return the name of the field that the object's records are called by."""
    title = shape.vault_object.title_field
    return title if title in shape.fields else NAME


def choose_size(*, listed: ListQuery, preference: ListPreference) -> int:
    """Return the number of rows on a page."""
    return listed.size or preference.page_size


def list_choosable(*, shape: ObjectShape, chosen: Iterable[ObjectField]) -> list[ObjectField]:
    """Return every field: the chosen ones in their order, then the others by label."""
    first = list(chosen)
    names = {each.api_name for each in first}
    others = [each for name, each in shape.fields.items() if name not in names]
    return first + sorted(others, key=lambda each: each.label.casefold())


def move_column(*, names: Sequence[str], name: str, step: int) -> list[str]:
    """Return the columns with one of them moved by `step`; unchanged if it cannot move, or is not among them."""
    moved = list(names)
    if name not in moved:
        return moved
    position = moved.index(name)
    moved.insert(min(max(position + step, 0), len(moved) - 1), moved.pop(position))
    return moved


def _put_lead_first(*, shape: ObjectShape, names: Sequence[str]) -> list[ObjectField]:
    lead = get_lead(shape)
    # A name beside a title is a code, and stands at the end wherever it was chosen.
    code = [NAME] if NAME in names and lead != NAME else []
    ordered = dict.fromkeys([lead, *(name for name in names if name not in code), *code])
    return [shape.fields[name] for name in ordered if name in shape.fields]
