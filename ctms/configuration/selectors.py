"""Reads the stored configuration: settings, object types, relations and page layouts."""

from __future__ import annotations

from uuid import UUID

from ctms.configuration.drafts import Sections, draft_section
from ctms.configuration.fields import COMMON_FIELDS, ObjectField
from ctms.configuration.models import (
    ApplicationSettings,
    CustomField,
    LayoutSection,
    ObjectType,
    ObjectTypeAction,
    PageLayout,
)
from ctms.configuration.registry import (
    UnknownFieldError,
    UnknownObjectError,
    VaultObject,
    get_object,
    list_objects,
)
from ctms.configuration.snapshot import read_section
from ctms.core.choices import RecordStatus
from ctms.core.errors import VaultError

# The fields that are on every object type; the external id can be taken off.
_ALWAYS_ON_TYPES = COMMON_FIELDS.keys() - {"external_id__v"}


class UnknownObjectTypeError(VaultError):
    """The object has no type of that API name in this Vault."""


def get_application_settings() -> ApplicationSettings:
    """Return the application settings, or unsaved ones with default values."""
    return ApplicationSettings.objects.first() or ApplicationSettings()


def find_record_name(object_name: str, uid: UUID) -> str:
    """Return the name of a record; empty if there is no such object or record."""
    try:
        model = get_object(object_name).model
    except UnknownObjectError:
        return ""
    record = model._base_manager.filter(uid=uid).first()
    return str(record) if record is not None else ""


# -- Object types ---------------------------------------------------------------------------------
def get_object_type(*, object_name: str, object_type: str) -> ObjectType:
    """Return the row of an object type. Raises UnknownObjectTypeError naming the existing types."""
    rows = ObjectType.objects.filter(of_object=object_name)
    row = next((each for each in rows if each.api_name == object_type), None)
    if row is None:
        there = ", ".join(each.api_name for each in rows) or "none"
        raise UnknownObjectTypeError(f"{object_name} has no object type {object_type!r}. Its types: {there}.")
    return row


def is_object_type_active(*, object_name: str, object_type: str) -> bool:
    """Whether records of that type may be created; without a stored row, whether the type is registered as active."""
    row = ObjectType.objects.filter(of_object=object_name, api_name=object_type).first()
    if row is not None:
        return row.status == RecordStatus.ACTIVE
    return any(t.api_name == object_type and t.delivered_active for t in get_object(object_name).object_types)


def is_action_assigned(*, object_name: str, object_type: str, action_name: str) -> bool:
    """Whether an admin has assigned the action to the object type."""
    return ObjectTypeAction.objects.filter(
        object_type__of_object=object_name, object_type__api_name=object_type, action_name=action_name
    ).exists()


def is_always_on_types(field: ObjectField) -> bool:
    """Whether the field is on every object type: one that every record has, or that the object requires.

    A custom field that is required is so on the types that have it.
    """
    return field.api_name in _ALWAYS_ON_TYPES or (field.is_required and not field.is_custom)


# -- Objects and their relations ------------------------------------------------------------------
def find_object(api_name: str) -> VaultObject | None:
    """Return the object of that API name; None if it is not registered (any more)."""
    try:
        return get_object(api_name)
    except UnknownObjectError:
        return None


def list_custom_field_objects() -> list[VaultObject]:
    """Return the objects that can have custom fields: the study teams' objects whose model stores their values."""
    return [each for each in list_objects() if not each.is_setup and hasattr(each.model, "custom_fields")]


def list_relations(vault_object: VaultObject) -> list[tuple[VaultObject, ObjectField]]:
    """Return (object, field) for each field that refers to this object: what related sections can show."""
    return [
        (other, other.get_field(name))
        for other in sorted(list_objects(), key=lambda each: each.plural_title)
        if vault_object.is_setup or not other.is_setup
        for name in other.fields
        if other.get_field(name).reference is vault_object.model
    ]


def find_relation_problem(*, vault_object: VaultObject, related_object: str, related_field: str) -> str:
    """Return a sentence saying why a section cannot show these related records; empty if it can."""
    try:
        related = get_object(related_object)
        field = related.get_field(related_field)
    except (UnknownObjectError, UnknownFieldError) as error:
        return str(error)
    if field.reference is not vault_object.model:
        return f"{field.label} ({related_field}) of {related.title} does not refer to {vault_object.title}."
    return ""


# -- Page layouts ---------------------------------------------------------------------------------
def list_layouts(object_name: str) -> list[PageLayout]:
    """Return the page layouts of an object, first the one for all types without a layout of their own."""
    return list(PageLayout.objects.filter(of_object=object_name))


def find_layout(*, object_name: str, object_type: str = "") -> PageLayout | None:
    """Return the layout for records of a type: its own, or else the object's; None if there is neither."""
    layouts = {each.object_type: each for each in list_layouts(object_name)}
    return layouts.get(object_type) or layouts.get("")


def read_sections(layout: PageLayout) -> Sections:
    """Return the sections of a layout in order, as drafts that can be changed."""
    rows = LayoutSection.objects.filter(layout=layout).order_by("position")
    return tuple(draft_section(read_section(row), key=str(row.uid)) for row in rows)


def list_inactive_fields(object_name: str) -> dict[str, CustomField]:
    """Return the inactive custom fields of an object by API name."""
    rows = CustomField.objects.filter(of_object=object_name, status=RecordStatus.INACTIVE)
    return {row.api_name: row for row in rows}
