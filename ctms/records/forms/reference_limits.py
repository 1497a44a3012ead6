"""Limits the references of a form to what fits the others, before they are validated."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode
from uuid import UUID

from django import forms
from django.core.exceptions import ValidationError

from ctms.records.fields.reference_field import ReferenceField, ReferenceInput


def limit_references(
    *, fields: Mapping[str, forms.Field], data: Any, fixed: Mapping[str, Any]
) -> dict[str, list[UUID]]:
    """Limit each reference to what fits the others and `fixed`; return the uids of all that was chosen or typed.

    Typed names are looked up, those with the fewest parents first.
    """
    references = {name: each for name, each in fields.items() if isinstance(each, ReferenceField)}
    chosen: dict[str, list[UUID]] = {name: [uid] for name, uid in fixed.items()}
    words: dict[str, list[str]] = {}
    for name, each in references.items():
        chosen[name], words[name] = each.split_chosen(data, name)
    for name in sorted(words, key=lambda name: len(references[name].list_parents())):
        if words[name]:
            references[name].limit_to_parents(_list_single(chosen))
        for text in words[name]:
            try:
                chosen[name].append(references[name].find(text).uid)
            except ValidationError:
                continue  # the form reports it when it is validated
    for each in references.values():
        each.limit_to_parents(_list_single(chosen))
    return chosen


def _list_single(chosen: Mapping[str, list[UUID]]) -> dict[str, Any]:
    """Return the uid of references with exactly one; several do not limit the other references."""
    return {name: uids[0] for name, uids in chosen.items() if len(uids) == 1}


class LimitedReferenceInput(ReferenceInput):
    """Asks for suggestions that fit references which the form does not have: `fixed`, by name."""

    def __init__(self, *, field: ReferenceField, fixed: Mapping[str, Any]) -> None:
        super().__init__(field)
        self.fixed = fixed

    def get_context(self, name: str, value: Any, attrs: dict[str, Any] | None) -> dict[str, Any]:
        context = super().get_context(name, value, attrs)
        context["widget"]["lookup_url"] += f"?{urlencode(self.fixed)}"
        return context
