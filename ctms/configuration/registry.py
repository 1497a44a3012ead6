"""The object registry: what an object is, told once by the app that owns it and read by everything else.

An app registers from `AppConfig.ready()`. A field path such as `study__v.name__v` follows references between objects.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from django.db import models
from django.utils.text import capfirst

from ctms.configuration.choices import FieldKind
from ctms.configuration.fields import COMMON_FIELDS, CUSTOM_SUFFIX, ObjectField, build_model_field
from ctms.configuration.layouts import FieldSection, Layout, RelatedSection
from ctms.core.errors import VaultError

if TYPE_CHECKING:
    from ctms.accounts.models import User

__all__ = [
    "COMMON_FIELDS",
    "FieldSection",
    "Layout",
    "ObjectField",
    "ObjectType",
    "Offer",
    "PartEntry",
    "RelatedSection",
    "VaultObject",
]


class UnknownObjectError(VaultError):
    """No object of that API name is registered."""


class UnknownFieldError(VaultError):
    """The object has no field of that API name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ObjectType:
    """An object type as delivered; whether it is active in this Vault is a row of `configuration.ObjectType`.

    `origin` says where the records of a type come from that users neither create, change nor delete.
    """

    api_name: str
    label: str
    delivered_active: bool = True
    origin: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Offer:
    """What a reference offers, where the models do not say it: it follows from another reference, named `by`.

    `build` makes of the record there the condition of what is offered, `build_first` of what of that comes first.
    `remedy` tells people what to do for others. Pages and their suggestions ask; what is stored already stays.
    """

    by: str
    build: Callable[[Any], models.Q]
    build_first: Callable[[Any], models.Q]
    remedy: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PartEntry:
    """Parts of a record that its form takes along: one for each record that is chosen in one entry, named `name`.

    `part` is the API name of the parts' object, `parent` its reference to the record, `reference` the one that is
    chosen. It shows where the page layout holds these parts as related records and does not prevent their creation.
    """

    name: str
    part: str
    parent: str
    reference: str


def _see_all(queryset: models.QuerySet[Any], _user: User) -> models.QuerySet[Any]:
    return queryset


def _suggest_nothing(_user: User) -> Mapping[str, Any]:
    return {}


def _fill_nothing(_record: Any, _user: User) -> None:
    """Most records hold nothing of who creates them but `created_by`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class VaultObject:
    """An object of the Vault. Only `model` is needed; all else has a default that works.

    `fields` maps API names to attributes, beyond those that every record has.
    """

    model: type[models.Model]
    description: str = ""  # what a record is, in a sentence or two, for those who see none of them yet
    fields: Mapping[str, str] = field(default_factory=dict)
    object_types: tuple[ObjectType, ...] = ()
    actions: Mapping[str, str] = field(default_factory=dict)  # API name of an action → its label
    labels: Mapping[str, str] = field(default_factory=dict)  # of fields whose model calls them something else
    # Made by the Vault where they are empty, or always: never asked for.
    generated_fields: frozenset[str] = frozenset()
    # Not on the object types as delivered: an admin assigns them.
    unassigned_fields: frozenset[str] = frozenset()
    list_columns: tuple[str, ...] = ("name__v", "status__v", "modified_date__v")
    default_sort: str = ""  # a field, downwards with a leading minus; empty: as they were created
    search_fields: tuple[str, ...] = ("name__v",)  # paths; of a referenced object's: `person__v.name__v`
    filters: tuple[str, ...] = ()  # offered first; every field that is stored can be filtered by
    header_fields: tuple[str, ...] = ()  # beside the name, at the head of a record's page
    quick_fields: tuple[str, ...] = ()  # enough to log a record in seconds, from anywhere
    layouts: tuple[Layout, ...] = ()
    offers: Mapping[str, Offer] = field(default_factory=dict)  # reference → what it offers
    # Rows that go with a record that is deleted: their model, and its attribute that refers here. All others keep it.
    parts: tuple[tuple[type[models.Model], str], ...] = ()
    part_entries: tuple[PartEntry, ...] = ()  # parts that are chosen on the record's own form
    # A reference of which the form of a new record takes several: a record is saved for each of them.
    repeated_by: str = ""
    # How a value stands out in lists and headers: field → what makes (tone, text) of a record.
    # Tones: complete, planned, overdue, failure, neutral, quiet.
    chips: Mapping[str, Callable[[Any], tuple[str, str]]] = field(default_factory=dict)
    icons: Mapping[str, Mapping[str, str]] = field(default_factory=dict)  # beside a value: field → value → icon
    caption_field: str = ""  # what people know a record by, where the name is a number: shown after the name
    tab_label: str = ""  # where the plural is too long for a tab
    tab: int | None = None  # position among the tabs; none: reached from other records
    icon: str = "record"
    is_setup: bool = False  # belongs to the admin console, not among the study teams' records
    limit_to_visible: Callable[[models.QuerySet[Any], User], models.QuerySet[Any]] = _see_all
    complete_new: Callable[[Any, User], None] = _fill_nothing  # fill what follows from who creates a record
    # API name → value with which the form of a new record begins; whoever fills it may change them.
    initial_values: Callable[[User], Mapping[str, Any]] = _suggest_nothing

    @property
    def api_name(self) -> str:
        name: str = self.model.object_name  # type: ignore[attr-defined]
        return name

    @property
    def label(self) -> str:
        return str(self.model._meta.verbose_name)

    @property
    def title(self) -> str:
        """The label as a heading begins with it."""
        return str(capfirst(self.label))

    @property
    def plural_label(self) -> str:
        return str(self.model._meta.verbose_name_plural)

    @property
    def plural_title(self) -> str:
        return str(capfirst(self.plural_label))

    def get_field(self, api_name: str) -> ObjectField:
        """The standard field of that API name; raises UnknownFieldError naming those there are."""
        attribute = self.fields.get(api_name) or COMMON_FIELDS.get(api_name)
        if attribute is None or not hasattr(self.model, attribute):
            raise UnknownFieldError(
                f"{self.label} ({self.api_name}) has no field {api_name!r}. "
                f"Its fields: {', '.join(self.list_field_names())}."
            )
        return _build_field(vault_object=self, api_name=api_name, attribute=attribute)

    def list_field_names(self) -> list[str]:
        """API names of all standard fields, the common ones first, as far as the model has them."""
        own = {f.name for f in self.model._meta.get_fields()}
        return [name for name, attribute in COMMON_FIELDS.items() if attribute in own] + list(self.fields)

    def get_object_type(self, api_name: str) -> ObjectType | None:
        """The object type as delivered."""
        return next((each for each in self.object_types if each.api_name == api_name), None)


_objects: dict[str, VaultObject] = {}
_objects_by_model: dict[type[models.Model], VaultObject] = {}


def register_object(vault_object: VaultObject) -> None:
    """Make an object known.

    Raises ValueError for a field whose attribute the model does not have, for a column, filter or layout field that is
    no field, and for an API name that another model has.
    """
    for api_name, attribute in vault_object.fields.items():
        if not hasattr(vault_object.model, attribute):
            raise ValueError(f"{vault_object.api_name}.{api_name}: {vault_object.model.__name__} has no {attribute!r}.")
    known_names = set(vault_object.list_field_names())
    for role, names in _list_named_fields(vault_object):
        for name in names:
            if name not in known_names:
                raise ValueError(f"{vault_object.api_name}: {role} {name!r} is none of its fields.")
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


def list_record_objects() -> list[VaultObject]:
    """The objects of the study teams: those with a tab in the order of the tabs, then the others by label."""
    found = [each for each in _objects.values() if not each.is_setup]
    return sorted(found, key=lambda each: (each.tab is None, each.tab or 0, each.label))


def list_referring_fields(vault_object: VaultObject) -> list[tuple[VaultObject, ObjectField]]:
    """Objects of the study teams with each of their standard fields that refers to this object."""
    return [
        (other, other.get_field(name))
        for other in list_record_objects()
        for name in other.fields
        if other.get_field(name).reference is vault_object.model
    ]


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
    if last.endswith(CUSTOM_SUFFIX) and hasattr(current.model, "custom_fields"):
        return references, ObjectField(api_name=last, attribute=f"custom_fields__{last}", label=last, is_custom=True)
    return references, current.get_field(last)


def read_path(*, record: Any, references: list[ObjectField], end: ObjectField) -> Any:
    """Value at the end of a resolved path, None where a reference on the way is empty. Reads only what is loaded."""
    for reference in references:
        record = getattr(record, reference.attribute)
        if record is None:
            return None
    if end.is_custom:
        return record.custom_fields.get(end.api_name)
    return getattr(record, end.attribute)


def _build_field(*, vault_object: VaultObject, api_name: str, attribute: str) -> ObjectField:
    built = build_model_field(model=vault_object.model, api_name=api_name, attribute=attribute)
    changes: dict[str, Any] = {}
    if api_name in vault_object.labels:
        changes["label"] = vault_object.labels[api_name]
    if api_name == "object_type__v":
        changes["choices"] = tuple((each.api_name, each.label) for each in vault_object.object_types)
        changes["kind"] = FieldKind.PICKLIST
    if api_name in vault_object.generated_fields:
        changes |= {"is_read_only": True, "is_required": False}
    return replace(built, **changes) if changes else built


def _list_named_fields(vault_object: VaultObject) -> list[tuple[str, tuple[str, ...]]]:
    sections = [section for layout in vault_object.layouts for section in layout.sections]
    return [
        ("the list column", vault_object.list_columns),
        ("the sort field", tuple(filter(None, (vault_object.default_sort.removeprefix("-"),)))),
        ("the filter", vault_object.filters),
        ("the header field", vault_object.header_fields),
        ("the quick field", vault_object.quick_fields),
        ("the caption field", tuple(filter(None, (vault_object.caption_field,)))),
        ("the repeated field", tuple(filter(None, (vault_object.repeated_by,)))),
        ("the generated field", tuple(vault_object.generated_fields)),
        ("the unassigned field", tuple(vault_object.unassigned_fields)),
        ("the field with an offer", tuple(vault_object.offers)),
        ("the field that decides an offer", tuple(each.by for each in vault_object.offers.values())),
        *[("the layout's field", section.fields) for section in sections if isinstance(section, FieldSection)],
    ]
