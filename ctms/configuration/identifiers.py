"""Which fields of Person can identify a person in a CRM: one text each, in which the database can search."""

from __future__ import annotations

from ctms.configuration.fields import CUSTOM_SUFFIX, ObjectField
from ctms.configuration.kinds import get_kind
from ctms.configuration.registry import UnknownFieldError, UnknownObjectError, get_object
from ctms.configuration.snapshot import load_configuration

PERSON = "person__sys"


def list_identifying_fields() -> list[ObjectField]:
    """Return the standard and active custom text fields of Person that the database can search."""
    try:
        fields = load_configuration().get(PERSON).fields.values()
    except UnknownObjectError:
        return []
    return [field for field in fields if get_kind(field.kind).can_identify and not field.is_computed]


def find_identifier_problem(name: str) -> str:
    """Return a sentence saying why a field cannot identify persons; empty if it can, or if `name` is empty."""
    if not name or name in {field.api_name for field in list_identifying_fields()}:
        return ""
    try:
        known = load_configuration().get(PERSON).fields.get(name)
        if known is not None:
            return f"{known.label} ({name}) is no text field of Person that can be searched. Choose another field."
        if name.endswith(CUSTOM_SUFFIX):
            return f"Person has no active custom field {name!r}. Add it under Configuration > Custom Fields."
        get_object(PERSON).get_field(name)
    except (UnknownFieldError, UnknownObjectError) as error:
        return str(error)
    return ""
