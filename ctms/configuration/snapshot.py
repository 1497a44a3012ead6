"""The configuration in force: the registered objects with the changes that admins have made.

The process keeps it until something changes, which one statement checks whenever it is loaded.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import cache, lru_cache
from typing import Any

from django.db import connection, models
from django.db.models import Count, Max, Sum, Value
from django.utils.text import capfirst

from ctms.configuration.choices import SectionKind
from ctms.configuration.custom_fields import read_field
from ctms.configuration.fields import OBJECT_TYPE, ObjectField
from ctms.configuration.layouts import FieldSection, Layout, RelatedSection
from ctms.configuration.models import (
    CustomField,
    LayoutSection,
    ObjectType,
    ObjectTypeAction,
    ObjectTypeField,
    PageLayout,
    ReasonRule,
)
from ctms.configuration.registry import (
    UnknownFieldError,
    UnknownObjectError,
    VaultObject,
    get_object,
)
from ctms.core.choices import RecordStatus
from ctms.core.request_memory import remember

FindFields = Callable[[VaultObject], Mapping[str, ObjectField]]
_CONFIGURED = (ObjectType, ObjectTypeField, ObjectTypeAction, CustomField, PageLayout, LayoutSection, ReasonRule)


@dataclass(frozen=True, slots=True, kw_only=True)
class TypeShape:
    """An object type in force. `fields` are those assigned to it. An object without types has one, named ""."""

    api_name: str
    label: str
    is_active: bool
    origin: str
    fields: frozenset[str]
    required: frozenset[str]
    actions: frozenset[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class SectionShape:
    """A section of a record page: either of `fields`, or of `related` records with `columns`."""

    key: str
    title: str
    fields: tuple[ObjectField, ...] = ()
    related: VaultObject | None = None
    related_field: ObjectField | None = None
    columns: tuple[str, ...] = ()
    prevent_creation: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class LayoutShape:
    """A page layout. `warnings` name what it contains that is not registered (any more) and so is left out."""

    name: str
    sections: tuple[SectionShape, ...]
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ObjectShape:
    """An object in force: its standard and active custom fields, its types and its layouts.

    It is compared by identity (`eq=False`), so that it can be the key of what is derived from it.
    """

    vault_object: VaultObject
    fields: Mapping[str, ObjectField]
    types: Mapping[str, TypeShape]
    layouts: Mapping[str, LayoutShape]

    @property
    def api_name(self) -> str:
        return self.vault_object.api_name

    def get_field(self, api_name: str) -> ObjectField:
        """Return the standard or active custom field of that API name. Raises UnknownFieldError if there is none."""
        try:
            return self.fields[api_name]
        except KeyError:
            raise UnknownFieldError(
                f"{self.vault_object.title} has no field {api_name!r}. Its fields: {', '.join(self.fields)}."
            ) from None

    def get_type(self, api_name: str) -> TypeShape:
        """Return the object type. One that is not registered any more has all fields and is inactive."""
        return self.types.get(api_name) or TypeShape(
            api_name=api_name,
            label=api_name,
            is_active=False,
            origin="",
            fields=frozenset(self.fields),
            required=frozenset(),
            actions=frozenset(),
        )

    def get_layout(self, object_type: str) -> LayoutShape:
        """Return the layout of the type, or else that of the object."""
        return self.layouts.get(object_type) or self.layouts[""]

    def list_type_fields(self, object_type: str) -> list[ObjectField]:
        """Return the fields that records of the type have."""
        assigned = self.get_type(object_type).fields
        return [each for name, each in self.fields.items() if name in assigned]

    def list_choices(self, field: ObjectField) -> list[tuple[str, str]]:
        """Return values and labels of a picklist; for object types, the labels are those that admins have set."""
        if field.api_name == OBJECT_TYPE:
            return [(each.api_name, each.label) for each in self.types.values()]
        return list(field.choices)


@dataclass(frozen=True, slots=True, kw_only=True)
class Configuration:
    """All rows that admins have configured, by object and model; `get` builds an object from them and keeps it."""

    rows: Mapping[str, Mapping[type[models.Model], list[Any]]]
    shapes: dict[str, ObjectShape] = field(default_factory=dict)

    def get(self, object_name: str) -> ObjectShape:
        """Return the object of that API name as it is in force. Raises UnknownObjectError."""
        if object_name not in self.shapes:
            vault_object = get_object(object_name)
            self.shapes[object_name] = _build_shape(
                vault_object=vault_object, rows=self.rows.get(object_name, {}), find_fields=self.build_fields
            )
        return self.shapes[object_name]

    def build_fields(self, vault_object: VaultObject) -> Mapping[str, ObjectField]:
        """Return the standard and active custom fields of an object by API name."""
        custom = self.rows.get(vault_object.api_name, {}).get(CustomField, [])
        return _build_fields(vault_object=vault_object, custom=custom)

    def list_custom_fields(self, object_name: str) -> list[ObjectField]:
        """Return all custom fields of an object, inactive ones too: records may still hold values of theirs."""
        return [read_field(row) for row in self.rows.get(object_name, {}).get(CustomField, [])]

    def list_reasoned(self, object_name: str) -> dict[str, str]:
        """Return API name → label of the fields whose changes need a reason.

        A rule for the whole object stands for all fields, and for the deletion, whose name is empty.
        """
        named = {row.field_name for row in self.rows.get(object_name, {}).get(ReasonRule, [])}
        labels = {name: each.label for name, each in self.get(object_name).fields.items()} if named else {}
        if "" in named:
            return {"": "it", **labels}
        return {name: label for name, label in labels.items() if name in named}


def load_configuration() -> Configuration:
    """Return the configuration in force now. Takes one statement if nothing has changed, eight if something has.

    A request that only reads asks once.
    """
    return remember("configuration", _load_configuration)


def _load_configuration() -> Configuration:
    return _read_configuration(_read_stamp())


# A few, since a transaction that changes the configuration sees another than those beside it until it ends.
@lru_cache(maxsize=8)
def _read_configuration(_stamp: Hashable) -> Configuration:
    return Configuration(rows=_read_rows())


def forget_configuration() -> None:
    """Drop the kept configurations. For tests, which change databases."""
    _read_configuration.cache_clear()


def _read_stamp() -> Hashable:
    statement, parameters = _build_stamp_statement()
    with connection.cursor() as cursor:
        cursor.execute(statement, parameters)
        return tuple(sorted(cursor.fetchall()))


@cache
def _build_stamp_statement() -> tuple[str, tuple[Any, ...]]:
    """SQL and parameters; built once, for it is asked in every request."""
    # A change raises the sum of versions, a new row the highest key, and a deletion lowers the count.
    stamps = [
        model._base_manager.order_by()
        .annotate(table=Value(number))
        .values("table")
        .annotate(rows=Count("pk"), versions=Sum("version"), last=Max("pk"), at=Max("modified_at"))
        .values_list("table", "rows", "versions", "last", "at")
        for number, model in enumerate(_CONFIGURED)
    ]
    statement, parameters = stamps[0].union(*stamps[1:], all=True).query.sql_with_params()
    return statement, tuple(parameters)


def _read_rows() -> dict[str, dict[type[models.Model], list[Any]]]:
    rows: dict[str, dict[type[models.Model], list[Any]]] = {}
    for model, path in (
        (ObjectType, "of_object"),
        (ObjectTypeField, "object_type__of_object"),
        (ObjectTypeAction, "object_type__of_object"),
        (CustomField, "of_object"),
        (PageLayout, "of_object"),
        (ReasonRule, "of_object"),
        (LayoutSection, "layout__of_object"),
    ):
        found: Iterable[Any] = model._base_manager.order_by("pk")
        if "__" in path:
            found = model._base_manager.select_related(path.partition("__")[0]).order_by("pk")
        for row in found:
            owner = row
            for step in path.split("__"):
                owner = getattr(owner, step)
            rows.setdefault(owner, {}).setdefault(model, []).append(row)
    return rows


def _build_shape(
    *, vault_object: VaultObject, rows: Mapping[type[models.Model], list[Any]], find_fields: FindFields
) -> ObjectShape:
    fields = find_fields(vault_object)
    types = _build_types(vault_object=vault_object, fields=fields, rows=rows)
    sections: dict[int, list[LayoutSection]] = {}
    for section in sorted(rows.get(LayoutSection, []), key=lambda each: each.position):
        sections.setdefault(section.layout_id, []).append(section)
    layouts = {layout.object_type: layout for layout in build_default_layouts(vault_object)}
    configured = {
        row.object_type: Layout(
            name=row.name,
            object_type=row.object_type,
            sections=tuple(read_section(section) for section in sections.get(row.pk, [])),
        )
        for row in rows.get(PageLayout, [])
    }
    return ObjectShape(
        vault_object=vault_object,
        fields=fields,
        types=types,
        layouts={
            name: build_layout_shape(vault_object=vault_object, layout=layout, find_fields=find_fields)
            for name, layout in ({"": layouts[""]} | configured if configured else layouts).items()
        },
    )


def _build_fields(*, vault_object: VaultObject, custom: list[CustomField]) -> dict[str, ObjectField]:
    fields = {name: vault_object.get_field(name) for name in vault_object.list_field_names()}
    if not vault_object.object_types:
        fields.pop(OBJECT_TYPE, None)
    return fields | {row.api_name: read_field(row) for row in custom if row.status == RecordStatus.ACTIVE}


def _build_types(
    *, vault_object: VaultObject, fields: Mapping[str, ObjectField], rows: Mapping[type[models.Model], list[Any]]
) -> dict[str, TypeShape]:
    delivered = frozenset(fields) - vault_object.unassigned_fields
    always = frozenset(name for name, each in fields.items() if each.is_custom and each.is_required)
    if not vault_object.object_types:
        return {
            "": TypeShape(
                api_name="",
                label="",
                is_active=True,
                origin="",
                fields=frozenset(fields),
                required=always,
                actions=frozenset(),
            )
        }
    types: dict[str, TypeShape] = {}
    stored = {row.api_name: row for row in rows.get(ObjectType, [])}
    for object_type in vault_object.object_types:
        row = stored.get(object_type.api_name)
        decided = [each for each in rows.get(ObjectTypeField, []) if row is not None and each.object_type_id == row.pk]
        assigned = delivered | {each.field_name for each in decided if each.is_assigned and each.field_name in fields}
        assigned -= {each.field_name for each in decided if not each.is_assigned}
        types[object_type.api_name] = TypeShape(
            api_name=object_type.api_name,
            label=row.label if row else object_type.label,
            is_active=row.status == RecordStatus.ACTIVE if row else object_type.delivered_active,
            origin=object_type.origin,
            fields=assigned,
            required=(always & assigned)
            | {
                each.field_name
                for each in decided
                if each.is_assigned and each.is_required and each.field_name in fields
            }
            | {name for name, other in vault_object.required_with.items() if {name, other} <= assigned},
            actions=frozenset(
                each.action_name
                for each in rows.get(ObjectTypeAction, [])
                if row is not None and each.object_type_id == row.pk
            ),
        )
    return types


def build_default_layouts(vault_object: VaultObject) -> list[Layout]:
    """Return the layouts with which an object is registered, with one of all its fields if the object names none."""
    if any(layout.object_type == "" for layout in vault_object.layouts):
        return list(vault_object.layouts)
    own = tuple(
        name for name in ("name__v", *vault_object.fields, "status__v") if name in vault_object.list_field_names()
    )
    details = Layout(
        name=f"{capfirst(vault_object.label)} page layout", sections=(FieldSection(title="Details", fields=own),)
    )
    return [details, *vault_object.layouts]


def read_section(row: LayoutSection) -> FieldSection | RelatedSection:
    """Return a stored section as the kind of section that objects are registered with."""
    if row.kind == SectionKind.FIELDS:
        return FieldSection(title=row.title, fields=tuple(row.items))
    return RelatedSection(
        title=row.title,
        related_object=row.related_object,
        related_field=row.related_field,
        columns=tuple(row.items),
        prevent_creation=row.prevent_creation,
    )


def build_layout_shape(*, vault_object: VaultObject, layout: Layout, find_fields: FindFields) -> LayoutShape:
    """Resolve the names of a layout; what is not registered is left out and named in the warnings."""
    fields = find_fields(vault_object)
    warnings: list[str] = []
    sections: list[SectionShape] = []
    for number, section in enumerate(layout.sections):
        key = f"section-{number}"
        if isinstance(section, FieldSection):
            missing = [name for name in section.fields if name not in fields]
            warnings += [f"{section.title}: {vault_object.title} has no field {name}." for name in missing]
            known = tuple(fields[name] for name in section.fields if name in fields)
            sections.append(SectionShape(key=key, title=section.title, fields=known))
        else:
            try:
                related = get_object(section.related_object)
                related_field = related.get_field(section.related_field)
            except (UnknownObjectError, UnknownFieldError) as error:
                warnings.append(f"{section.title}: {error}")
                continue
            if related_field.reference is not vault_object.model:
                warnings.append(f"{section.title}: {related_field.label} of {related.label} refers to another object.")
                continue
            known_columns = find_fields(related)
            missing = [name for name in section.columns if name not in known_columns]
            warnings += [f"{section.title}: {related.title} has no field {name}." for name in missing]
            sections.append(
                SectionShape(
                    key=key,
                    title=section.title or related.plural_title,
                    related=related,
                    related_field=related_field,
                    columns=tuple(name for name in section.columns if name in known_columns) or related.list_columns,
                    prevent_creation=section.prevent_creation,
                )
            )
    return LayoutShape(name=layout.name, sections=tuple(sections), warnings=tuple(warnings))
