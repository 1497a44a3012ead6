"""Finds a field in what is stored as text: addresses of views, columns, conditions, rules."""

from __future__ import annotations

import re
from collections.abc import Iterable

from ctms.configuration.registry import UnknownObjectError, get_object_of_model
from ctms.configuration.snapshot import load_configuration


def names_field(*, texts: Iterable[str], start: str, object_name: str, api_name: str) -> bool:
    """Whether one of the texts holds a path that leads from the object `start` to the field.

    A path is the API name, with those of the references that lead to its object before it: `study__v.tier__c`. What
    follows it, such as the operator of a condition in an address, is no part of it.
    """
    wanted = re.compile(rf"(?<![a-z0-9_])((?:[a-z0-9_]+\.)*){re.escape(api_name)}(?![a-z0-9]|_(?!_))")
    return any(
        _lead_to(start=start, steps=found[1].split(".")[:-1], object_name=object_name)
        for text in texts
        for found in wanted.finditer(text)
    )


def _lead_to(*, start: str, steps: list[str], object_name: str) -> bool:
    """Whether the references lead from one object to the other; what is no field, such as a group, is passed over."""
    here = start
    configuration = load_configuration()
    for step in steps:
        try:
            field = configuration.get(here).fields.get(step)
        except UnknownObjectError:
            return False
        target = get_object_of_model(field.reference) if field is not None and field.reference is not None else None
        if target is not None:
            here = target.api_name
    return here == object_name
