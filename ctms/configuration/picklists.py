"""The values of a custom picklist, in order, as its field stores them.

Each has an API name, a label, and says whether it is active. Records hold the API name, so that a label can be changed.
A value that is not active is retired: records keep it, and nobody can choose it.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Collection, Iterable
from dataclasses import asdict, dataclass
from typing import Any

LONGEST_NAME = 100
_SUFFIX = "__c"


@dataclass(frozen=True, slots=True, kw_only=True)
class PicklistValue:
    """One value of a picklist."""

    api_name: str
    label: str
    is_active: bool = True


def read_picklist(stored: Any) -> list[PicklistValue]:
    """Return the values that a field stores; a plain text stands for a value that is named as it is labelled."""
    return [
        PicklistValue(api_name=each, label=each) if isinstance(each, str) else PicklistValue(**each) for each in stored
    ]


def store_picklist(values: Iterable[PicklistValue]) -> list[dict[str, Any]]:
    """Return what a field stores; the reverse of `read_picklist`."""
    return [asdict(each) for each in values]


def build_value_name(*, label: str, taken: Collection[str]) -> str:
    """Make an API name from a label, `Dark red` → `dark_red__c`, with a number behind it if another value has it."""
    plain = unicodedata.normalize("NFKD", label).encode("ascii", "ignore").decode().lower()
    stem = re.sub(r"[^a-z0-9]+", "_", plain).strip("_")[:60].rstrip("_") or "value"
    name, number = f"{stem}{_SUFFIX}", 1
    while name in taken:
        number += 1
        name = f"{stem}_{number}{_SUFFIX}"
    return name


def find_values_problem(values: Collection[PicklistValue]) -> str:
    """Return why a picklist cannot have these values; empty if it can."""
    seen_names: set[str] = set()
    seen_labels: dict[str, str] = {}
    for each in values:
        key = each.label.casefold()
        if not each.label.strip() or not each.api_name:
            return "Every value needs a label. Enter one, or delete the value."
        if len(each.api_name) > LONGEST_NAME or len(each.label) > LONGEST_NAME:
            return f"{each.label[:40]}…: a value has at most {LONGEST_NAME} characters. Shorten it."
        if each.api_name in seen_names:
            return f"The API name {each.api_name} is there twice. Every value needs one of its own."
        if key in seen_labels:
            return f"“{each.label}” is there already, as “{seen_labels[key]}”. Choose another label."
        seen_names.add(each.api_name)
        seen_labels[key] = each.label
    if values and not any(each.is_active for each in values):
        return "Every value is retired. Leave one active, or make the field inactive."
    return _find_mistakable(values)


def _find_mistakable(values: Collection[PicklistValue]) -> str:
    """Return which label is the API name of another value: forms and files name a value by either."""
    named = {each.api_name.casefold(): each for each in values}
    for each in values:
        other = named.get(each.label.casefold(), each)
        if other.api_name.casefold() != each.api_name.casefold():
            return f"“{each.label}” is the API name of the value “{other.label}”. Choose another label."
    return ""
