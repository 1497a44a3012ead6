"""What the audit trail calls the fields of an object: the labels, types and custom fields of this Vault."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

from ctms.audit.words import FieldWords, register_describer
from ctms.configuration.fields import CUSTOM_SUFFIX, OBJECT_TYPE, ObjectField
from ctms.configuration.kinds import get_kind
from ctms.configuration.registry import get_object_of_model
from ctms.configuration.snapshot import load_configuration

if TYPE_CHECKING:
    from django.db import models

_TYPE_ATTRIBUTE = "object_type"


def register_field_words() -> None:
    """Let the audit trail use the words of this Vault. Called once, from `AppConfig.ready()`."""
    register_describer(describe_fields)


def describe_fields(model: type[models.Model], names: Collection[str]) -> Mapping[str, FieldWords]:
    """Return what these attributes and custom fields of a registered object are called where the model does not say it.

    Takes one statement if there is a custom field or the object type among them.
    """
    vault_object = get_object_of_model(model)
    if vault_object is None:
        return {}
    labelled = [vault_object.get_field(api_name) for api_name in vault_object.labels]
    fields = {each.attribute: each for each in labelled if each.attribute in names}
    if any(name == _TYPE_ATTRIBUTE or name.endswith(CUSTOM_SUFFIX) for name in names):
        configuration = load_configuration()
        shape = configuration.get(vault_object.api_name)
        fields |= {each.api_name: each for each in configuration.list_custom_fields(vault_object.api_name)}
        if OBJECT_TYPE in shape.fields:
            object_type = shape.fields[OBJECT_TYPE]
            fields[_TYPE_ATTRIBUTE] = replace(object_type, choices=tuple(shape.list_choices(object_type)))
    return {name: _put_into_words(each) for name, each in fields.items() if name in names}


def _put_into_words(field: ObjectField) -> FieldWords:
    kind = get_kind(field.kind)
    return FieldWords(
        label=field.label,
        kind=kind.audit_kind,
        tell=lambda stored: kind.tell(stored=stored, labels=field.choice_labels),
        choices=field.choice_labels,
        reference=field.reference,
        key="uid" if field.is_custom else "pk",
    )
