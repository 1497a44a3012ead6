"""Choices of CRM objects and fields, as the connection's organisation has described them, for forms of the console.

Where nothing was described yet, names are typed; they are checked when the organisation describes its objects.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from unfold.widgets import UnfoldAdminSelect2Widget, UnfoldAdminTextInputWidget

from connections.crmchecks import can_identify

if TYPE_CHECKING:
    from collections.abc import Iterable

    from django import forms

    from connections.crmdescription import DescribedField, DescribedObject, KnownObjects

Choices = list[tuple[str, str]]

_TYPED = "This organisation was not described yet, so the name is typed; it is checked when the CRM describes it."
_STALE = "not in the CRM's description"


def list_object_choices(known: KnownObjects) -> Choices:
    """Return the objects of the organisation, by label."""
    labels = dict(known.labels) or {each.name: each.label for each in known.described.values() if each is not None}
    named = [(name, f"{label} ({name})" if label and label != name else name) for name, label in labels.items()]
    return sorted(named, key=lambda choice: choice[1].casefold())


def list_target_choices(described: DescribedObject | None) -> Choices:
    """Return the fields that the CRM user may fill."""
    return _list_choices(described, lambda field: field.is_createable and field.is_updateable)


def list_source_choices(*, described: DescribedObject | None, known: KnownObjects, people: bool = False) -> Choices:
    """Return the fields that can be read, and those of records referred to; with `people`, references to users."""
    if described is None:
        return []
    if people:
        users = [each for each in described.fields.values() if each.relationship and each.refers_to_object("User")]
        return [(each.relationship, f"{each.label or each.name} ({each.relationship})") for each in users]
    choices = _list_choices(described, lambda _field: True)
    for reference in described.fields.values():
        for name in reference.refers_to if reference.relationship else ():
            target = known.find(name)
            for path, text in _list_choices(target, lambda _field: True):
                choices.append((f"{reference.relationship}.{path}", f"{reference.label or reference.name}: {text}"))
    return choices


def list_external_id_choices(described: DescribedObject | None) -> Choices:
    """Return the external ids that the CRM user may fill."""
    return _list_choices(described, lambda field: field.is_external_id and field.is_createable)


def list_checkbox_choices(described: DescribedObject | None) -> Choices:
    """Return the checkboxes."""
    return _list_choices(described, lambda field: field.type == "boolean")


def list_text_choices(described: DescribedObject | None) -> Choices:
    """Return the fields that the CRM user may change and that take a text."""
    return _list_choices(
        described, lambda field: field.is_updateable and field.type in ("string", "textarea", "picklist")
    )


def list_identifier_choices(described: Iterable[DescribedObject | None]) -> Choices:
    """Return the fields that can identify accounts in each of the objects."""
    found: dict[str, str] = {}
    for each in described:
        for name, text in _list_choices(each, can_identify):
            found.setdefault(name, text)
    return list(found.items())


def offer(field: forms.Field, choices: Choices, *, value: str, is_needed: bool = False) -> None:
    """Let a field choose from the choices, searchable; without any, its value is typed.

    A value that is none of them stays chosen and says so, so that an old rule can be changed elsewhere.
    """
    if not choices:
        field.widget = UnfoldAdminTextInputWidget(attrs={"autocapitalize": "off", "spellcheck": "false"})
        field.help_text = " ".join(filter(None, (str(field.help_text), _TYPED)))
        return
    by_name = {name.lower(): name for name, _ in choices}
    shown: list[tuple[str, Any]] = [] if is_needed and value else [("", "–")]
    if value and value.lower() not in by_name:
        shown.append((value, f"{value} ({_STALE})"))
    # Names in the CRM ignore case, so a stored one may be spelled otherwise than described.
    shown += [(value if value and name.lower() == value.lower() else name, text) for name, text in choices]
    field.widget = UnfoldAdminSelect2Widget(choices=shown)


def describe_field(field: DescribedField) -> str:
    """Return a field in words: `Region (Region__c), string, 80 characters, required`."""
    name = f"{field.label} ({field.name})" if field.label and field.label != field.name else field.name
    marks = [
        field.type,
        f"{field.length:,} characters" if field.length and field.type != "reference" else "",
        f"to {', '.join(field.refers_to)}" if field.refers_to else "",
        "required" if field.is_needed else "",
        "unique" if field.is_unique else "",
    ]
    return ", ".join([name, *filter(None, marks)])


def _list_choices(described: DescribedObject | None, takes: Any) -> Choices:
    fields = [each for each in described.fields.values() if takes(each)] if described is not None else []
    ordered = sorted(fields, key=lambda each: (each.label or each.name).casefold())
    return [(each.name, describe_field(each)) for each in ordered]
