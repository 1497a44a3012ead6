"""The catalogue for programs: each object's types, fields, choices and filters as they are configured now."""

from __future__ import annotations

from typing import Any

from django.urls import reverse
from drf_spectacular.utils import inline_serializer
from rest_framework import serializers

from ctms.accounts.models import User
from ctms.configuration.fields import OBJECT_TYPE, ObjectField
from ctms.configuration.kinds import list_kinds
from ctms.configuration.registry import list_record_objects
from ctms.configuration.snapshot import load_configuration
from ctms.records.access import AccessRefusedError, ObjectAccess, open_object
from ctms.records.api.fields import is_required
from ctms.records.conditions.askers import UserAsker
from ctms.records.conditions.parameters import list_parameters
from ctms.records.fields.references import get_target
from ctms.records.lists.query import can_sort


def _list_texts(help_text: str) -> serializers.ListField:
    return serializers.ListField(child=serializers.CharField(), help_text=help_text)


_CHOICE: dict[str, Any] = {
    "value": serializers.CharField(),
    "label": serializers.CharField(),
    "is_active": serializers.BooleanField(help_text="Whether it can be chosen; records keep one that cannot."),
}
_FIELD: dict[str, Any] = {
    "name": serializers.CharField(help_text="API name: the key in records."),
    "label": serializers.CharField(),
    "kind": serializers.ChoiceField(choices=sorted(kind.name for kind in list_kinds())),
    "is_required": serializers.BooleanField(help_text="Of every new record; object types may require more."),
    "is_unique": serializers.BooleanField(help_text="Custom: no two records have the same value."),
    "is_read_only": serializers.BooleanField(help_text="Filled by the Vault."),
    "is_custom": serializers.BooleanField(help_text="Added by an admin."),
    "is_sortable": serializers.BooleanField(),
    "max_length": serializers.IntegerField(allow_null=True),
    "reference": serializers.CharField(allow_null=True, help_text="API name of the object that it refers to."),
    "choices": inline_serializer("CatalogueChoice", _CHOICE, many=True),
}
_TYPE: dict[str, Any] = {
    "name": serializers.CharField(),
    "label": serializers.CharField(),
    "is_active": serializers.BooleanField(),
    "can_create": serializers.BooleanField(help_text="Whether you can create a record of it now."),
    "origin": serializers.CharField(allow_blank=True, help_text="Where its records come from that nobody writes here."),
    "fields": _list_texts("Fields that its records have."),
    "required": _list_texts("Fields that it requires."),
}
_OBJECT: dict[str, Any] = {
    "name": serializers.CharField(help_text="API name: part of the address of its records."),
    "label": serializers.CharField(),
    "plural_label": serializers.CharField(),
    "url": serializers.CharField(help_text="Address of its records."),
    "can_create": serializers.BooleanField(),
    "types": inline_serializer("CatalogueType", _TYPE, many=True),
    "fields": inline_serializer("CatalogueField", _FIELD, many=True),
    "filters": _list_texts("Parameters about its own fields that its list understands."),
}
CATALOGUE = inline_serializer("Catalogue", {"results": inline_serializer("CatalogueObject", _OBJECT, many=True)})


def describe_objects(*, user: User) -> list[dict[str, Any]]:
    """Describe the objects of which the user may read any record, in the order of the tabs."""
    configuration = load_configuration()
    described = []
    for each in list_record_objects():
        try:
            access = open_object(user=user, object_name=each.api_name, configuration=configuration)
        except AccessRefusedError:
            continue
        described.append(_describe_object(access))
    return described


def _describe_object(access: ObjectAccess) -> dict[str, Any]:
    return {
        "name": access.shape.api_name,
        "label": access.vault_object.title,
        "plural_label": access.vault_object.plural_title,
        "url": reverse("api_records", args=(access.shape.api_name,)),
        "can_create": access.can_create(),
        "types": [
            {
                "name": each.api_name,
                "label": each.label,
                "is_active": each.is_active,
                "can_create": not access.explain_create(each.api_name),
                "origin": each.origin,
                "fields": [field.api_name for field in access.shape.list_type_fields(each.api_name)],
                "required": sorted(each.required),
            }
            for each in access.shape.types.values()
            if each.api_name
        ],
        "fields": [_describe_field(access=access, field=each) for each in access.shape.fields.values()],
        "filters": [
            each.name for each in list_parameters(asker=UserAsker(access=access), object_name=access.shape.api_name)
        ],
    }


def _describe_field(*, access: ObjectAccess, field: ObjectField) -> dict[str, Any]:
    target = get_target(field)
    is_writable = not field.is_read_only or field.api_name == OBJECT_TYPE
    return {
        "name": field.api_name,
        "label": field.label,
        "kind": field.kind,
        "is_required": is_writable and is_required(shape=access.shape, field=field),
        "is_unique": field.is_unique,
        "is_read_only": not is_writable,
        "is_custom": field.is_custom,
        "is_sortable": can_sort(access=access, field=field),
        "max_length": field.max_length,
        "reference": target.api_name if target else None,
        "choices": [
            {"value": value, "label": label, "is_active": value not in field.retired} for value, label in field.choices
        ],
    }
