"""Describes the changes feed of an object in the OpenAPI document."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import OpenApiParameter, OpenApiResponse
from rest_framework import serializers

from ctms.configuration.snapshot import ObjectShape
from ctms.records.api.changes.histories import Change
from ctms.records.api.changes.parameters import LARGEST_PAGE, SINCE
from ctms.records.api.schema import RecordSchema, build_refusals
from ctms.records.api.serializers import RecordSerializer
from ctms.records.lists.query import SIZE

_REFUSALS = (400, 401, 403, 404, 406, 429)


class ChangeSerializer(serializers.Serializer[Any]):
    """What happened to a record. `record` is as it is now; null if it is gone."""

    change = serializers.ChoiceField(
        choices=Change.values,
        help_text="; ".join(f"`{value}`: {label}" for value, label in Change.choices) + ".",
    )
    uid__sys = serializers.UUIDField()
    at = serializers.DateTimeField(allow_null=True, help_text="Of the last change; null where all records are told.")
    by = serializers.CharField(allow_null=True, help_text="Who made the last change, as the audit trail names them.")

    def __init__(self, instance: Any = None, *, shape: ObjectShape, **kwargs: Any) -> None:
        super().__init__(instance, **kwargs)
        self.shape = shape

    def get_fields(self) -> dict[str, serializers.Field[Any, Any, Any, Any]]:
        return super().get_fields() | {"record": RecordSerializer(shape=self.shape, allow_null=True)}


class ChangesSerializer(serializers.Serializer[Any]):
    """A page of the feed."""

    reset = serializers.BooleanField(
        help_text="Whether all records are told from here on: what is not among them until `more` is false, is gone."
    )
    bookmark = serializers.CharField(help_text="For `since` of the next call: at once if there is more, else later.")
    more = serializers.BooleanField(help_text="Whether there is another page now.")

    def __init__(self, instance: Any = None, *, shape: ObjectShape, **kwargs: Any) -> None:
        super().__init__(instance, **kwargs)
        self.shape = shape

    def get_fields(self) -> dict[str, serializers.Field[Any, Any, Any, Any]]:
        results: Any = serializers.ListSerializer(child=ChangeSerializer(shape=self.shape))
        return super().get_fields() | {"results": results}


_SUFFIXES = {ChangeSerializer: "_told", ChangesSerializer: "_changes"}


class ChangesSchema(RecordSchema):
    """Describes the feed of one object."""

    def get_operation_id(self) -> str:
        return f"list_changes_of_{self.access.shape.api_name}"

    def get_summary(self) -> str:
        return f"List what happened to {self.access.vault_object.plural_label}"

    def get_override_parameters(self) -> list[Any]:
        return [
            OpenApiParameter(
                SINCE, str, description="The bookmark of the last answer; without it, all records are told."
            ),
            OpenApiParameter(
                SIZE,
                {"type": "integer", "minimum": 1, "maximum": LARGEST_PAGE, "default": LARGEST_PAGE},
                description="How many records a page has.",
            ),
        ]

    def get_examples(self) -> list[Any]:
        return []

    def get_request_serializer(self) -> Any:
        return None

    def get_response_serializers(self) -> Any:
        described = OpenApiResponse(ChangesSerializer(shape=self.access.shape), description="A page of the feed.")
        return {(200, "application/json"): described, **build_refusals(*_REFUSALS)}

    def _get_serializer_name(self, serializer: Any, direction: Any, bypass_extensions: bool = False) -> str:  # noqa: FBT001, FBT002  drf-spectacular's signature
        suffix = _SUFFIXES.get(type(serializer))
        if suffix is None:
            return super()._get_serializer_name(serializer, direction, bypass_extensions)
        return f"{serializer.shape.api_name}{suffix}"
