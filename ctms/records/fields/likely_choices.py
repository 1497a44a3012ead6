"""Which choices of a reference are likely, by the other references of a form: they come first, and others follow."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ctms.configuration.fields import ObjectField
from ctms.configuration.form_offers import Likely, LikelyChoices
from ctms.configuration.snapshot import ObjectShape
from ctms.records.access import ObjectAccess
from ctms.records.fields.references import list_visible


def get_likely_choices(*, shape: ObjectShape, field: ObjectField) -> LikelyChoices | None:
    """Return what the object declares for the field; None if it declares nothing."""
    return None if field.is_custom else shape.vault_object.likely_choices.get(field.api_name)


def list_likely(*, access: ObjectAccess, field: ObjectField, chosen: Mapping[str, Any]) -> Sequence[Likely]:
    """Return the likely choices beside what is chosen, as API name → uid; of that, only what the user sees counts.

    Takes one statement for each of the references that decide and have a value.
    """
    declared = get_likely_choices(shape=access.shape, field=field)
    if declared is None:
        return ()
    named = {}
    for name in declared.by:
        visible = list_visible(access=access, field=access.shape.fields[name]) if chosen.get(name) else None
        record = visible.filter(uid=chosen[name]).first() if visible is not None else None
        if record is not None:
            named[name] = record
    return declared.build(named, access.user) if named else ()
