"""The kinds of custom fields, for tests that try each."""

from __future__ import annotations

from ctms.configuration.kinds import find_custom_kind, list_custom_choices


def list_custom_names() -> list[str]:
    """Return the stored names of the kinds that custom fields can have."""
    return [name for name, _ in list_custom_choices()]


def choose_values(kind: str, *values: str) -> list[str]:
    """Return the values for a custom field of a kind that is a list of values; none for one that is not."""
    return list(values) if find_custom_kind(kind).has_choices else []
