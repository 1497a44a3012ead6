"""Fields of objects, built from the fields of a model or from custom fields."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from django.core.exceptions import FieldDoesNotExist
from django.db import models
from django.db.models.expressions import Combinable
from django.utils.text import capfirst

from ctms.configuration.kinds import DEFAULT_KIND, find_model_kind, get_kind

# API name → attribute, for the fields that the records of every object have.
OBJECT_TYPE = "object_type__v"
COMMON_FIELDS: Mapping[str, str] = {
    "uid__sys": "uid",
    "name__v": "name",
    "status__v": "status",
    OBJECT_TYPE: "object_type",
    "external_id__v": "external_id",
    "created_date__v": "created_at",
    "created_by__v": "created_by",
    "modified_date__v": "modified_at",
    "modified_by__v": "modified_by",
}
CUSTOM_SUFFIX = "__c"


@dataclass(frozen=True, slots=True, kw_only=True)
class ObjectField:
    """One field: its API name, the attribute of the model that holds it, and which values it takes.

    `kind` is the name of its kind. `attribute` is also its look-up; a custom field's is `custom_fields__<API name>`.
    `choices` are (value, label). A field `is_computed` if it is a property of the model, which no column holds. Its
    `expression`, if the model has one in `database_expressions`, answers the same in a statement. It is given the
    look-up that leads to the record.
    """

    api_name: str
    attribute: str
    label: str
    kind: str = DEFAULT_KIND
    reference: type[models.Model] | None = None
    choices: tuple[tuple[str, str], ...] = ()
    is_required: bool = False
    is_read_only: bool = False
    is_custom: bool = False
    is_computed: bool = False
    expression: Callable[[str], Combinable] | None = None
    is_derived: bool = False  # follows from other records, and changes without a new version of its own
    may_be_empty: bool = True  # whether the column may be NULL; an empty text is not NULL
    max_length: int | None = None
    is_whole: bool = False  # a number without a fraction
    help_text: str = ""
    # What admins decide about a custom field.
    retired: frozenset[str] = frozenset()  # choices that records keep and nobody can choose
    is_unique: bool = False
    default: Any = None  # as JSON holds it
    decimals: int | None = None
    least: Decimal | None = None
    greatest: Decimal | None = None

    @property
    def is_wide(self) -> bool:
        """Whether the field takes a whole row of a form or page."""
        return get_kind(self.kind).is_wide

    @property
    def choice_labels(self) -> dict[str, str]:
        """The labels of the choices, by value."""
        return dict(self.choices)

    @property
    def offered(self) -> list[tuple[str, str]]:
        """The choices that are not retired."""
        return [(value, label) for value, label in self.choices if value not in self.retired]


def build_model_field(*, model: type[models.Model], api_name: str, attribute: str) -> ObjectField:
    """Return the field for an attribute of a model; a property becomes a read-only field.

    It is a whole number if the property says that it returns `int` or `int | None`, else a text.
    """
    try:
        field = model._meta.get_field(attribute)
    except FieldDoesNotExist:
        label = attribute.replace("_", " ").capitalize()
        is_whole = _returns_number(model=model, attribute=attribute)
        return ObjectField(
            api_name=api_name,
            attribute=attribute,
            label=label,
            kind=find_model_kind(
                field_class=models.IntegerField if is_whole else models.CharField, has_choices=False
            ).name,
            is_computed=True,
            expression=getattr(model, "database_expressions", {}).get(attribute),
            is_read_only=True,
            is_whole=is_whole,
        )
    if not isinstance(field, models.Field):
        raise TypeError(f"{model.__name__}.{attribute} is no field of one value.")
    choices = tuple((str(value), str(label)) for value, label in (field.choices or ()))
    return ObjectField(
        api_name=api_name,
        attribute=attribute,
        label=str(capfirst(str(field.verbose_name))),
        kind=find_model_kind(field_class=type(field), has_choices=bool(choices)).name,
        reference=field.related_model if isinstance(field, models.ForeignKey) else None,
        choices=choices,
        is_required=not field.blank and not isinstance(field, models.BooleanField),
        is_read_only=not field.editable,
        is_derived=attribute in getattr(model, "derived_fields", ()),
        may_be_empty=field.null,
        max_length=field.max_length,
        is_whole=isinstance(field, models.IntegerField),
        help_text=str(field.help_text),
    )


def _returns_number(*, model: type[models.Model], attribute: str) -> bool:
    getter = getattr(getattr(model, attribute, None), "fget", None)
    said = getattr(getter, "__annotations__", {}).get("return")
    return said in (int, int | None, "int", "int | None")
