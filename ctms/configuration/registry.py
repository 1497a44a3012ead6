"""The object registry: what an object is, told once by the app that owns it and read by everything else.

An app registers from `AppConfig.ready()`. A field path such as `study__v.name__v` follows references between objects.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from django.core.exceptions import FieldDoesNotExist
from django.db import models

from ctms.core.errors import VaultError

if TYPE_CHECKING:
    from collections.abc import Mapping


class UnknownObjectError(VaultError):
    """No object of that API name is registered."""


class UnknownFieldError(VaultError):
    """The object has no field of that API name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ObjectType:
    """An object type as delivered; whether it is active in this Vault is a row of `configuration.ObjectType`."""

    api_name: str
    label: str
    delivered_active: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class ObjectField:
    """One field: its API name, the attribute of the model that holds it, and what it refers to, if anything."""

    api_name: str
    attribute: str
    label: str
    reference: type[models.Model] | None = None
    is_picklist: bool = False


# Fields that every record has, whatever its object ("Every record" of the object model).
COMMON_FIELDS: Mapping[str, str] = {
    "uid__sys": "uid",
    "name__v": "name",
    "status__v": "status",
    "object_type__v": "object_type",
    "external_id__v": "external_id",
    "created_date__v": "created_at",
    "created_by__v": "created_by",
    "modified_date__v": "modified_at",
    "modified_by__v": "modified_by",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class VaultObject:
    """An object of the Vault. `fields` maps API names to attributes, beyond those that every record has."""

    model: type[models.Model]
    fields: Mapping[str, str]
    object_types: tuple[ObjectType, ...] = ()
    list_columns: tuple[str, ...] = ("name__v", "status__v", "modified_date__v")
    actions: Mapping[str, str] = field(default_factory=dict)  # API name of an action → its label
    is_setup: bool = False  # belongs to the admin console, not among the study teams' records

    @property
    def api_name(self) -> str:
        name: str = self.model.object_name  # type: ignore[attr-defined]
        return name

    @property
    def label(self) -> str:
        return str(self.model._meta.verbose_name)

    def get_field(self, api_name: str) -> ObjectField:
        """The field of that API name; raises UnknownFieldError naming those there are."""
        attribute = self.fields.get(api_name) or COMMON_FIELDS.get(api_name)
        if attribute is None or not hasattr(self.model, attribute):
            raise UnknownFieldError(
                f"{self.label} ({self.api_name}) has no field {api_name!r}. "
                f"Its fields: {', '.join(self.list_field_names())}."
            )
        try:
            model_field = self.model._meta.get_field(attribute)
        except FieldDoesNotExist:
            return ObjectField(api_name=api_name, attribute=attribute, label=attribute.replace("_", " "))
        return ObjectField(
            api_name=api_name,
            attribute=attribute,
            label=str(getattr(model_field, "verbose_name", attribute)),
            reference=model_field.related_model if isinstance(model_field, models.ForeignKey) else None,
            is_picklist=bool(getattr(model_field, "choices", None)),
        )

    def list_field_names(self) -> list[str]:
        """API names of all fields, the common ones first, as far as the model has them."""
        own = {f.name for f in self.model._meta.get_fields()}
        return [name for name, attribute in COMMON_FIELDS.items() if attribute in own] + list(self.fields)


_objects: dict[str, VaultObject] = {}
_objects_by_model: dict[type[models.Model], VaultObject] = {}


def register_object(vault_object: VaultObject) -> None:
    """Make an object known.

    Raises ValueError for a field whose attribute the model does not have, for a list column that is no field, and for
    an API name that another model has.
    """
    for api_name, attribute in vault_object.fields.items():
        if not hasattr(vault_object.model, attribute):
            raise ValueError(f"{vault_object.api_name}.{api_name}: {vault_object.model.__name__} has no {attribute!r}.")
    for column in vault_object.list_columns:
        if column not in vault_object.list_field_names():
            raise ValueError(f"{vault_object.api_name}: the list column {column!r} is none of its fields.")
    known = _objects.get(vault_object.api_name)
    if known is not None and known.model is not vault_object.model:
        raise ValueError(f"{vault_object.api_name} is the API name of {known.model.__name__} already.")
    _objects[vault_object.api_name] = vault_object
    _objects_by_model[vault_object.model] = vault_object


def get_object(api_name: str) -> VaultObject:
    """The object of that API name; raises UnknownObjectError."""
    try:
        return _objects[api_name]
    except KeyError:
        raise UnknownObjectError(
            f"No object {api_name!r} is registered. Registered: {', '.join(sorted(_objects))}."
        ) from None


def get_object_of_model(model: type[models.Model]) -> VaultObject | None:
    """The object that a model is, if it is registered."""
    return _objects_by_model.get(model)


def list_objects() -> list[VaultObject]:
    """All registered objects, by API name."""
    return [_objects[name] for name in sorted(_objects)]


def resolve_path(*, vault_object: VaultObject, path: str) -> tuple[list[ObjectField], ObjectField]:
    """Follow a dotted path of API names: the references on the way, and the field at its end.

    `custom__c` names at the end are custom fields, held in the record's `custom_fields`. Raises UnknownFieldError.
    """
    *steps, last = path.split(".")
    current = vault_object
    references: list[ObjectField] = []
    for step in steps:
        found = current.get_field(step)
        target = get_object_of_model(found.reference) if found.reference else None
        if target is None:
            raise UnknownFieldError(f"{path!r}: {step!r} of {current.label} refers to no other object.")
        references.append(found)
        current = target
    if last.endswith("__c") and hasattr(current.model, "custom_fields"):
        return references, ObjectField(api_name=last, attribute=f"custom_fields__{last}", label=last)
    return references, current.get_field(last)


def read_path(*, record: Any, references: list[ObjectField], end: ObjectField) -> Any:
    """Value at the end of a resolved path, None where a reference on the way is empty. Reads only what is loaded."""
    for reference in references:
        record = getattr(record, reference.attribute)
        if record is None:
            return None
    if end.attribute.startswith("custom_fields__"):
        return record.custom_fields.get(end.api_name)
    return getattr(record, end.attribute)
