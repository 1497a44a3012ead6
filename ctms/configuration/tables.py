"""The rows of tables in the admin console: the list of objects, and the tabs of an object."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

from django.urls import reverse

from ctms.configuration.fields import ObjectField
from ctms.configuration.kinds import get_kind
from ctms.configuration.models import CustomField, LayoutSection, ObjectType, ObjectTypeAction, PageLayout
from ctms.configuration.registry import VaultObject, get_object_of_model, list_objects, resolve_path
from ctms.configuration.selectors import is_always_on_types, list_layouts
from ctms.configuration.snapshot import ObjectShape, load_configuration
from ctms.core.choices import RecordStatus
from ctms.core.text.titles import capitalise

if TYPE_CHECKING:
    from collections.abc import Mapping

NO_VALUE = "–"


@dataclass(frozen=True, slots=True, kw_only=True)
class ObjectRow:
    """A row in the list of objects."""

    title: str
    api_name: str
    url: str
    type_count: int
    custom_field_count: int
    layout_count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class FieldRow:
    """A field of an object. `types` names the object types that it is on; `url` is the page of a custom field."""

    label: str
    api_name: str
    kind: str
    is_custom: bool
    is_active: bool
    required: str
    types: str
    url: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class TypeRow:
    """An object type of an object."""

    label: str
    api_name: str
    url: str
    is_active: bool
    origin: str
    field_count: int
    layout: str


@dataclass(frozen=True, slots=True, kw_only=True)
class TypeFieldRow:
    """A field on the page of an object type, and whether its assignment and requirement can be changed there."""

    label: str
    api_name: str
    kind: str
    is_always_on: bool
    is_always_required: bool
    may_be_required: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class ActionRow:
    """An action of an object. `cells` say for each object type whether it is assigned: (API name, label, assigned)."""

    label: str
    api_name: str
    cells: tuple[tuple[str, str, bool], ...]

    @property
    def assigned_labels(self) -> str:
        return ", ".join(label for _, label, is_assigned in self.cells if is_assigned) or NO_VALUE


@dataclass(frozen=True, slots=True, kw_only=True)
class LayoutRow:
    """A page layout of an object."""

    name: str
    url: str
    used_for: str
    section_count: int
    delete_url: str


def build_object_url(object_name: str, tab: str = "") -> str:
    """Return the address of an object's page, or of one of its tabs."""
    url = reverse("admin:configuration_configuredobject_change", args=(object_name,))
    return f"{url}?tab={tab}" if tab else url


def list_object_rows(*, is_setup: bool) -> list[ObjectRow]:
    """Return the objects of the admin console, or those of the study teams, by label."""
    custom = Counter(CustomField.objects.order_by().values_list("of_object", flat=True))
    layouts = Counter(PageLayout.objects.order_by().values_list("of_object", flat=True))
    return [
        ObjectRow(
            title=each.title,
            api_name=each.api_name,
            url=build_object_url(each.api_name),
            type_count=len(each.object_types),
            custom_field_count=custom[each.api_name],
            layout_count=layouts[each.api_name],
        )
        for each in sorted(list_objects(), key=lambda each: each.title)
        if each.is_setup is is_setup
    ]


def list_details(vault_object: VaultObject) -> list[tuple[str, str]]:
    """Return what is registered about an object, as (label, text), for its first tab."""
    fields = {name: vault_object.get_field(name).label for name in vault_object.list_field_names()}
    parts = [get_object_of_model(model) for model, _ in vault_object.parts]
    return [
        ("Label", vault_object.title),
        ("Plural label", vault_object.plural_title),
        ("API name", vault_object.api_name),
        ("Used in", "Admin console" if vault_object.is_setup else "Study teams’ pages, reports and API"),
        ("Columns of its list", ", ".join(fields[name] for name in vault_object.list_columns)),
        ("Searched by", ", ".join(_label_path(vault_object, path) for path in vault_object.search_fields)),
        ("Filled by the Vault", ", ".join(fields[name] for name in sorted(vault_object.generated_fields)) or NO_VALUE),
        ("Deleted with a record", ", ".join(part.plural_title for part in parts if part) or "Nothing"),
    ]


def list_field_rows(shape: ObjectShape) -> list[FieldRow]:
    """Return the fields of an object: standard ones, active custom ones, then inactive custom ones."""
    custom = {row.api_name: row for row in CustomField.objects.filter(of_object=shape.api_name)}
    rows = [_build_field_row(shape=shape, field=field, custom=custom) for field in shape.fields.values()]
    return rows + [
        FieldRow(
            label=row.label,
            api_name=row.api_name,
            kind=row.get_kind_display(),
            is_custom=True,
            is_active=False,
            required=NO_VALUE,
            types=NO_VALUE,
            url=_build_custom_field_url(row),
        )
        for row in custom.values()
        if row.status != RecordStatus.ACTIVE
    ]


def list_type_rows(shape: ObjectShape) -> list[TypeRow]:
    """Return the object types of an object."""
    rows = {row.api_name: row for row in ObjectType.objects.filter(of_object=shape.api_name)}
    layouts = {layout.object_type: layout.name for layout in list_layouts(shape.api_name)}
    return [
        TypeRow(
            label=each.label,
            api_name=name,
            url=reverse("admin:configuration_objecttype_change", args=(rows[name].pk,)),
            is_active=each.is_active,
            origin=each.origin,
            field_count=len(each.fields),
            layout=layouts.get(name) or layouts.get("", NO_VALUE),
        )
        for name, each in shape.types.items()
        if name in rows
    ]


def list_type_field_rows(shape: ObjectShape) -> list[TypeFieldRow]:
    """Return every field that an object type can have."""
    return [
        TypeFieldRow(
            label=field.label,
            api_name=field.api_name,
            kind=describe_kind(field),
            is_always_on=is_always_on_types(field),
            is_always_required=field.is_required and not field.is_read_only,
            may_be_required=not (field.is_required or field.is_read_only or get_kind(field.kind).always_has_value),
        )
        for field in shape.fields.values()
    ]


def list_action_rows(shape: ObjectShape) -> list[ActionRow]:
    """Return the actions that admins can assign, with the types that they are assigned to."""
    assigned = set(
        ObjectTypeAction.objects.filter(object_type__of_object=shape.api_name).values_list(
            "object_type__api_name", "action_name"
        )
    )
    return [
        ActionRow(
            label=label,
            api_name=action,
            cells=tuple((name, each.label, (name, action) in assigned) for name, each in shape.types.items()),
        )
        for action, label in shape.vault_object.actions.items()
    ]


def list_layout_rows(shape: ObjectShape) -> list[LayoutRow]:
    """Return the page layouts of an object."""
    rows = list_layouts(shape.api_name)
    counts = Counter(LayoutSection.objects.filter(layout__of_object=shape.api_name).values_list("layout", flat=True))
    return [
        LayoutRow(
            name=row.name,
            url=reverse("admin:configuration_pagelayout_change", args=(row.pk,)),
            used_for=describe_use(layout=row, layouts=rows, shape=shape),
            section_count=counts[row.pk],
            delete_url=reverse("admin:configuration_pagelayout_delete", args=(row.pk,)) if row.object_type else "",
        )
        for row in rows
    ]


def list_layout_choices(object_name: str = "") -> list[tuple[str, str]]:
    """Return the object types without a layout of their own, of one or of all objects, as (value, label)."""
    taken = set(PageLayout.objects.values_list("of_object", "object_type"))
    configuration = load_configuration()
    return [
        (f"{each.api_name}:{name}", f"{each.title}: {shape.label}")
        for each in sorted(list_objects(), key=lambda each: each.title)
        if object_name in ("", each.api_name) and (each.api_name, "") in taken
        for name, shape in configuration.get(each.api_name).types.items()
        if name and (each.api_name, name) not in taken
    ]


def describe_kind(field: ObjectField) -> str:
    """Return what a field holds, in words, e.g. `Date` or `Reference to Study`."""
    label = get_kind(field.kind).label
    if field.reference is None:
        return label
    target = get_object_of_model(field.reference)
    return f"{label} to {target.title if target else capitalise(str(field.reference._meta.verbose_name))}"


def describe_use(*, layout: PageLayout, layouts: list[PageLayout], shape: ObjectShape) -> str:
    """Return in words which records have this layout, given all layouts of the object."""
    if layout.object_type:
        each = shape.types.get(layout.object_type)
        return each.label if each else f"{layout.object_type}, which is no object type any more"
    if not shape.vault_object.object_types:
        return "Every record"
    has_own = {each.object_type for each in layouts}
    others = [each.label for name, each in shape.types.items() if name not in has_own]
    return ", ".join(others) or "No object type: each has its own"


def _label_path(vault_object: VaultObject, path: str) -> str:
    references, end = resolve_path(vault_object=vault_object, path=path)
    return ": ".join(field.label for field in (*references, end))


def _build_field_row(*, shape: ObjectShape, field: ObjectField, custom: Mapping[str, CustomField]) -> FieldRow:
    on = [each for each in shape.types.values() if field.api_name in each.fields]
    required_on = [each.label for each in on if field.api_name in each.required]
    named = ", ".join(each.label for each in on) or "None"
    row = custom.get(field.api_name)
    return FieldRow(
        label=field.label,
        api_name=field.api_name,
        kind=describe_kind(field),
        is_custom=field.is_custom,
        is_active=True,
        required=_describe_required(field=field, type_labels=required_on),
        types="All" if len(on) == len(shape.types) else named,
        url=_build_custom_field_url(row) if row else "",
    )


def _describe_required(*, field: ObjectField, type_labels: list[str]) -> str:
    if field.is_required and not field.is_read_only:
        return "Yes"
    return f"On {', '.join(type_labels)}" if type_labels else NO_VALUE


def _build_custom_field_url(row: CustomField) -> str:
    return reverse("admin:configuration_customfield_change", args=(row.pk,))
