"""Forms of object types and their actions."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.utils.datastructures import MultiValueDict

from ctms.audit.forms import AuditedModelForm
from ctms.configuration.models import ObjectType
from ctms.configuration.registry import UnknownObjectError
from ctms.configuration.services import FieldDecision
from ctms.configuration.snapshot import load_configuration
from ctms.configuration.tables import ActionRow, TypeFieldRow, list_type_field_rows


class TickTable(forms.Widget):
    """A table of check-boxes, which also posts what was ticked when it was shown.

    Its value is column → ticked rows. With what was shown, `TickField` finds what the user has changed, so that two
    admins who change the same table do not undo each other's changes.
    """

    columns: tuple[str, ...] = ()

    def value_from_datadict(self, data: Any, files: MultiValueDict[str, Any], name: str) -> dict[str, Any]:  # noqa: ARG002  Django's signature
        ticked = {column: data.getlist(f"{name}_{column}") for column in self.columns}
        return {**ticked, "shown": data.get(f"{name}_shown", "")}

    def value_omitted_from_data(self, data: Any, files: MultiValueDict[str, Any], name: str) -> bool:  # noqa: ARG002  Django's signature
        return f"{name}_shown" not in data

    def id_for_label(self, id_: str) -> str:  # noqa: ARG002  no label: it could belong to one box only
        return ""


class TickField(forms.Field):
    """The ticks of a `TickTable` that the user has changed: column → {row: whether it is ticked now}."""

    def clean(self, value: Any) -> dict[str, dict[str, bool]]:
        try:
            shown = json.loads(value["shown"])
            return {
                column: {row: row in value[column] for row in set(value[column]) ^ set(shown[column])}
                for column in self.widget.columns
            }
        except (KeyError, RecursionError, TypeError, ValueError) as error:
            raise ValidationError("The form came incomplete. Reload the page and enter it again.") from error

    def has_changed(self, initial: Any, data: Any) -> bool:
        return any(set(data[column]) != set((initial or {}).get(column, ())) for column in self.widget.columns)


# -- Object types ---------------------------------------------------------------------------------
class TypeFieldsTable(TickTable):
    """A table of all fields of an object: whether they are on this type, and required there."""

    template_name = "admin/configuration/type_fields.html"
    columns = ("assigned", "required")
    rows: Iterable[TypeFieldRow] = ()

    def get_context(self, name: str, value: Any, attrs: dict[str, Any] | None) -> dict[str, Any]:
        context: dict[str, Any] = super().get_context(name, value, attrs)
        assigned, required = set(value["assigned"]), set(value["required"])
        context["shown"] = value.get("shown") or json.dumps({key: sorted(value[key]) for key in self.columns})
        context["rows"] = [
            {
                "field": row,
                "is_assigned": row.is_always_on or row.api_name in assigned,
                "is_required": row.is_always_required or row.api_name in required,
            }
            for row in self.rows
        ]
        return context


class ObjectTypeForm(AuditedModelForm):
    """The form of an object type with the table of its fields."""

    type_fields = TickField(label="Object type fields", required=False, widget=TypeFieldsTable)

    class Meta:
        model = ObjectType
        fields = ("label", "status")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        field = self.fields.get("type_fields")
        if field is None:
            return
        try:
            shape = load_configuration().get(self.instance.of_object)
        except UnknownObjectError:
            del self.fields["type_fields"]
            return
        present = shape.get_type(self.instance.api_name)
        rows = list_type_field_rows(shape)
        field.widget.rows = rows
        self.initial["type_fields"] = {
            "assigned": [row.api_name for row in rows if row.api_name in present.fields and not row.is_always_on],
            "required": [row.api_name for row in rows if row.api_name in present.required and row.may_be_required],
        }
        self._present = present

    def list_decisions(self) -> dict[str, FieldDecision]:
        """Return the decisions about the fields that the user has changed, by API name."""
        changed = self.cleaned_data.get("type_fields") or {"assigned": {}, "required": {}}
        return {
            name: FieldDecision(
                is_assigned=changed["assigned"].get(name, name in self._present.fields),
                is_required=changed["required"].get(name, name in self._present.required),
            )
            for name in {**changed["assigned"], **changed["required"]}
        }


class TypeActionsTable(TickTable):
    """A table with a row for each action and a column for each object type."""

    template_name = "admin/configuration/type_actions.html"
    columns = ("assigned",)
    rows: Iterable[ActionRow] = ()

    def get_context(self, name: str, value: Any, attrs: dict[str, Any] | None) -> dict[str, Any]:
        context: dict[str, Any] = super().get_context(name, value, attrs)
        ticked = set(value["assigned"])
        rows = list(self.rows)
        context["shown"] = value.get("shown") or json.dumps({"assigned": sorted(ticked)})
        context["types"] = [label for _, label, _ in rows[0].cells] if rows else []
        context["rows"] = [
            {
                "action": row,
                "cells": [
                    {
                        "value": f"{object_type}:{row.api_name}",
                        "is_ticked": f"{object_type}:{row.api_name}" in ticked,
                        "label": f"{row.label}: {label}",
                    }
                    for object_type, label, _ in row.cells
                ],
            }
            for row in rows
        ]
        return context


class TypeActionsForm(forms.Form):
    """The form that says which actions are offered on records of which object types."""

    actions = TickField(label="Object type actions", required=False, widget=TypeActionsTable)

    def __init__(self, *args: Any, rows: list[ActionRow], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["actions"].widget.rows = rows
        self.initial["actions"] = {
            "assigned": [f"{name}:{row.api_name}" for row in rows for name, _, is_assigned in row.cells if is_assigned]
        }

    def list_changes(self) -> list[tuple[str, str, bool]]:
        """Return what the user has changed, as (object type, action, whether it is assigned now)."""
        changed = self.cleaned_data["actions"]["assigned"]
        return [(*key.partition(":")[::2], now) for key, now in sorted(changed.items())]
