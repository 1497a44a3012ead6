"""Paths of field rules in the Vault, through references of both kinds: standard ones, and those among custom fields."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ctms.configuration.fields import CUSTOM_SUFFIX
from ctms.configuration.registry import UnknownFieldError, get_object_of_model
from ctms.configuration.snapshot import load_configuration

if TYPE_CHECKING:
    from ctms.configuration.fields import ObjectField
    from ctms.configuration.registry import VaultObject


def resolve_rule_path(*, vault_object: VaultObject, path: str) -> tuple[tuple[ObjectField, ...], ObjectField]:
    """Return the references on the way of a path such as `site__v.monitor__c.npi__v`, and the field at its end.

    Custom fields are as admins have configured them. Raises UnknownFieldError.
    """
    *steps, last = path.split(".")
    references: list[ObjectField] = []
    here = vault_object
    for step in steps:
        found = _find_field(vault_object=here, name=step)
        target = get_object_of_model(found.reference) if found.reference else None
        if target is None:
            raise UnknownFieldError(f"{path!r}: {step!r} of {here.label} refers to no other object.")
        references.append(found)
        here = target
    return tuple(references), _find_field(vault_object=here, name=last)


def _find_field(*, vault_object: VaultObject, name: str) -> ObjectField:
    if not (name.endswith(CUSTOM_SUFFIX) and hasattr(vault_object.model, "custom_fields")):
        return vault_object.get_field(name)
    known = load_configuration().list_custom_fields(vault_object.api_name)
    found = next((each for each in known if each.api_name == name), None)
    if found is None:
        raise UnknownFieldError(f"{vault_object.label} has no custom field {name}.")
    return found
