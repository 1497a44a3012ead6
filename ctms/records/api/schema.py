"""Generates the OpenAPI document: describes the one view set for every object as it is configured now."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from drf_spectacular.generators import SchemaGenerator
from drf_spectacular.openapi import AutoSchema
from drf_spectacular.plumbing import ResolvedComponent
from drf_spectacular.utils import OpenApiExample, OpenApiParameter, OpenApiResponse

from ctms.accounts.models import User
from ctms.audit.reasons import HEADER
from ctms.configuration.registry import list_record_objects
from ctms.configuration.snapshot import load_configuration
from ctms.records.access import ObjectAccess
from ctms.records.api.answers import KEY_HEADER, KEY_PATTERN
from ctms.records.api.batches.bodies import RESULT, describe_answer, describe_body, describe_result, describe_rows
from ctms.records.api.by_key import list_key_parameters
from ctms.records.api.components import name_refusals, name_tags
from ctms.records.api.errors import MEDIA_TYPE, PROBLEM
from ctms.records.api.example_bodies import ExampleBodies
from ctms.records.api.keys import describe_keys
from ctms.records.api.paging import DEFAULT_SIZE, LARGEST_SIZE
from ctms.records.api.reading_documents import (
    ANSWER_ETAG,
    IF_NONE_MATCH,
    LINK,
    NOT_MODIFIED,
    describe_form,
    describe_showing,
    describe_sort,
)
from ctms.records.api.samples import add_examples
from ctms.records.api.serializers import PageSerializer, RecordInputSerializer, RecordSerializer
from ctms.records.conditions.askers import UserAsker
from ctms.records.conditions.parameters import Parameter, build_name_pattern
from ctms.records.conditions.parameters import list_parameters as list_filters
from ctms.records.lists.query import CURSOR, QUERY, SIZE
from ctms.records.requests import get_user

_READING = frozenset({"list", "retrieve", "by_key"})
_PLACEHOLDER = "{object_name}"
_COMPONENT_SUFFIXES: Mapping[type[Any], str] = {
    RecordSerializer: "",
    PageSerializer: "_page",
    RecordInputSerializer: "_new",
}

_REFUSALS: Mapping[int, str] = {
    400: "The body or a parameter is wrong; the errors name what.",
    401: "There is no valid token or session.",
    403: "Your security profile, or the object type, does not allow it; the detail says which.",
    404: "There is no such record, or you do not see it.",
    406: "Only JSON can be had.",
    409: "What is stored stands against it; `code` says what.",
    410: "The record was merged into another; `existing` is its address.",
    412: "The record is at another version than If-Match names.",
    413: "The body is too large.",
    415: "Only JSON is understood.",
    422: "Another request was answered under this Idempotency-Key.",
    428: "If-Match is missing.",
    429: "There were too many calls; Retry-After says how many seconds to wait.",
    503: "The database did not answer in time. Ask for less.",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class _Operation:
    verb: str  # of its identifier
    summary: str
    code: int
    outcome: str
    answer: type[PageSerializer | RecordSerializer] | None
    refusals: tuple[int, ...]


_OPERATIONS: Mapping[str, _Operation] = {
    "list": _Operation(
        verb="list",
        summary="List {plural}",
        code=200,
        outcome="A page of the list.",
        answer=PageSerializer,
        refusals=(400, 401, 403, 406, 429),
    ),
    "create": _Operation(
        verb="create",
        summary="Create a {label}",
        code=201,
        outcome="The new record.",
        answer=RecordSerializer,
        refusals=(400, 401, 403, 404, 406, 409, 410, 413, 415, 422, 429),
    ),
    "retrieve": _Operation(
        verb="read",
        summary="Read a {label}",
        code=200,
        outcome="The record.",
        answer=RecordSerializer,
        refusals=(400, 401, 403, 404, 406, 410, 429),
    ),
    "by_key": _Operation(
        verb="find",
        summary="Find a {label} by key",
        code=200,
        outcome="The record that has the key.",
        answer=RecordSerializer,
        refusals=(400, 401, 403, 404, 406, 409, 410, 429),
    ),
    "partial_update": _Operation(
        verb="change",
        summary="Change a {label}",
        code=200,
        outcome="The record as it is now.",
        answer=RecordSerializer,
        refusals=(400, 401, 403, 404, 406, 409, 410, 412, 413, 415, 422, 428, 429),
    ),
    "destroy": _Operation(
        verb="delete",
        summary="Delete a {label}",
        code=204,
        outcome="It is deleted.",
        answer=None,
        refusals=(400, 401, 403, 404, 406, 409, 410, 412, 422, 428, 429),
    ),
    "batch": _Operation(
        verb="batch",
        summary="Write up to 500 {plural}",
        code=200,
        outcome="What became of each row.",
        answer=None,
        refusals=(400, 401, 403, 404, 406, 413, 415, 422, 429),
    ),
}

_EXAMPLES: Mapping[str, Callable[[ExampleBodies, ObjectAccess], dict[str, Any]]] = {
    "create": ExampleBodies.build_new,
    "partial_update": ExampleBodies.build_change,
    "batch": ExampleBodies.build_batch,
}

_ETAG = OpenApiParameter(
    "ETag",
    str,
    OpenApiParameter.HEADER,
    response=[200, 201],
    description="For If-Match, while nobody has changed the record, and If-None-Match, while the answer is the same.",
)
_LOCATION = OpenApiParameter(
    "Location", str, OpenApiParameter.HEADER, response=[201], description="Address of the new record."
)
_CONTENT_LOCATION = OpenApiParameter(
    "Content-Location", str, OpenApiParameter.HEADER, response=[200], description="Address of the record."
)
_IF_MATCH = OpenApiParameter(
    "If-Match",
    str,
    OpenApiParameter.HEADER,
    required=True,
    description="The ETag that the record was read with; * for whatever version it has.",
)

_REASON = OpenApiParameter(
    HEADER,
    str,
    OpenApiParameter.HEADER,
    description="Why the record is changed or deleted, percent-encoded; needed where an admin asks for it.",
)

_KEY = OpenApiParameter(
    KEY_HEADER,
    {"type": "string", "pattern": KEY_PATTERN},
    OpenApiParameter.HEADER,
    description="Chosen by you, another one for each request: a request that is sent again under its key is not done "
    "again, but answered as before.",
)


def build_refusals(*codes: int) -> dict[Any, Any]:
    """Return the problem response of each status code, in the form that drf-spectacular takes."""
    return {(code, MEDIA_TYPE): OpenApiResponse(PROBLEM, description=_REFUSALS[code]) for code in codes}


class RecordSchema(AutoSchema):
    """Describes an operation on the records of one object: that of the view's `access`, which the generator sets."""

    view: Any

    @property
    def access(self) -> ObjectAccess:
        access: ObjectAccess = self.view.access
        return access

    def get_operation_id(self) -> str:
        return f"{_OPERATIONS[self.view.action].verb}_{self.access.shape.api_name}"

    def get_summary(self) -> str:
        vault_object = self.access.vault_object
        return _OPERATIONS[self.view.action].summary.format(label=vault_object.label, plural=vault_object.plural_label)

    def get_tags(self) -> list[str]:
        return [self.access.vault_object.plural_title]

    def get_override_parameters(self) -> list[Any]:
        if self.view.action == "list":
            return [*list_parameters(self.access), IF_NONE_MATCH, ANSWER_ETAG, LINK]
        if self.view.action == "by_key":
            return [*_list_key_parameters(self.access), *self._list_reading_parameters(), _CONTENT_LOCATION]
        if self.view.action == "retrieve":
            return self._list_reading_parameters()
        if self.view.action == "batch":
            return [_REASON, _KEY]
        return [_ETAG, _LOCATION, *([] if self.view.action == "create" else [_IF_MATCH, _REASON]), _KEY]

    def get_examples(self) -> list[OpenApiExample]:
        build = _EXAMPLES.get(self.view.action)
        if build is None:
            return []
        return [OpenApiExample("Example", value=build(self.view.examples, self.access), request_only=True)]

    def _list_reading_parameters(self) -> list[OpenApiParameter]:
        return [*describe_showing(self.access), IF_NONE_MATCH, _ETAG]

    def get_request_serializer(self) -> Any:
        if self.view.action == "batch":
            for name, row in describe_rows().items():
                self._share(name, row)
            return {"application/json": self._share("BatchRequest", describe_body())}
        return RecordInputSerializer(shape=self.access.shape, partial=self.view.action == "partial_update")

    def get_response_serializers(self) -> Any:
        operation = _OPERATIONS[self.view.action]
        answer: Any = operation.answer(shape=self.access.shape) if operation.answer else None
        if self.view.action == "batch":
            self._share(RESULT, describe_result())
            answer = self._share("BatchAnswer", describe_answer())
        described = OpenApiResponse(answer, description=operation.outcome)
        kept = NOT_MODIFIED if self.view.action in _READING else {}
        # The JSON alone: clients that are generated would take the answer for either that or a text.
        told = operation.code if answer is None else (operation.code, "application/json")
        return {told: described, **kept, **build_refusals(*operation.refusals)}

    def _share(self, name: str, schema: dict[str, Any]) -> dict[str, Any]:
        """Put a schema that is the same for all objects among the components once; return a reference to it."""
        component = ResolvedComponent(name=name, type=ResolvedComponent.SCHEMA, schema=schema, object=name)  # type: ignore[no-untyped-call]
        self.registry.register_on_missing(component)
        reference: dict[str, Any] = component.ref
        return reference

    def _is_list_view(self, _serializer: Any = None) -> bool:
        return False  # a page is an object

    def _map_serializer(self, serializer: Any, direction: Any, bypass_extensions: bool = False) -> Any:  # noqa: FBT001, FBT002  drf-spectacular's signature
        schema = super()._map_serializer(serializer, direction, bypass_extensions)  # type: ignore[no-untyped-call]
        if isinstance(serializer, RecordInputSerializer):
            schema["additionalProperties"] = False
            if serializer.partial:
                # A client may send back unchanged the values that the Vault fills.
                output = RecordSerializer(shape=serializer.shape)
                shown = super()._map_serializer(output, "response")  # type: ignore[no-untyped-call]
                schema["properties"] = shown["properties"] | schema["properties"]
        return schema

    def _get_serializer_name(self, serializer: Any, direction: Any, bypass_extensions: bool = False) -> str:  # noqa: FBT001, FBT002  drf-spectacular's signature
        shape = getattr(serializer, "shape", None)
        if shape is None:
            return super()._get_serializer_name(serializer, direction, bypass_extensions)
        return f"{shape.api_name}{'_change' if serializer.partial else _COMPONENT_SUFFIXES[type(serializer)]}"


class VaultSchemaGenerator(SchemaGenerator):
    """Describes the operations on records for each object of the study teams, with the filters the reader can use."""

    # On the command line nobody is logged in: describe all objects.
    user = User(is_superuser=True)
    has_reader = False

    def get_schema(self, request: Any = None, public: bool = False) -> Any:  # noqa: FBT001, FBT002  drf-spectacular's signature
        if request is not None:
            self.user, self.has_reader = get_user(request), True
        document = super().get_schema(request, public)  # type: ignore[no-untyped-call]
        name_refusals(document)
        name_tags(document)
        add_examples(document)
        return document

    def _get_paths_and_endpoints(self) -> list[tuple[str, str, str, Any]]:
        configuration = load_configuration()
        shapes = [configuration.get(each.api_name) for each in list_record_objects()]
        endpoints: Any = self.endpoints
        examples = ExampleBodies(has_reader=self.has_reader)
        found = []
        for path, path_regex, method, callback in endpoints:
            for shape in shapes if _PLACEHOLDER in path else (None,):
                view = self.create_view(callback, method)  # type: ignore[no-untyped-call]
                if shape is not None:
                    view.access = ObjectAccess(user=self.user, shape=shape, configuration=configuration)
                    view.examples = examples
                named = path.replace(_PLACEHOLDER, shape.api_name) if shape is not None else path
                found.append((named, path_regex, method, view))
        return found


def list_parameters(access: ObjectAccess) -> list[OpenApiParameter]:
    """List the parameters of an object's list: filters, search, order and cursor."""
    return [
        OpenApiParameter(QUERY, str, description="Words that are all found in the fields that are searched."),
        describe_sort(access),
        OpenApiParameter(CURSOR, str, description="A place in the list, as `next` and `previous` have it; or `last`."),
        OpenApiParameter(
            SIZE,
            {"type": "integer", "minimum": 1, "maximum": LARGEST_SIZE, "default": DEFAULT_SIZE},
            description="How many records a page has.",
        ),
        *describe_showing(access),
        *describe_form(),
        *[
            _build_filter(each)
            for each in list_filters(asker=UserAsker(access=access), object_name=access.shape.api_name)
        ],
        build_other_filters(),
    ]


def _list_key_parameters(access: ObjectAccess) -> list[OpenApiParameter]:
    text = f"Of a key. The keys are {describe_keys(access.shape)}."
    return [OpenApiParameter(name, str, description=text) for name in list_key_parameters(access)]


def _build_filter(parameter: Parameter) -> OpenApiParameter:
    schema = dict(parameter.schema)
    if parameter.takes_several:
        schema = {"type": "array", "items": schema}
        return OpenApiParameter(parameter.name, schema, description=parameter.text, explode=True)
    return OpenApiParameter(parameter.name, schema, description=parameter.text)


def build_other_filters() -> OpenApiParameter:
    """Describe the filters through references and in groups, which are too many to be listed."""
    return OpenApiParameter(
        "conditions",
        {
            "type": "object",
            "propertyNames": {"pattern": build_name_pattern()},
            "additionalProperties": {"type": "array", "items": {"type": "string"}},
            "example": {},  # a form that tries the API out would make one up, which is refused
        },
        style="form",
        explode=True,
        description=(
            "Filters by fields of records referred to, such as `study__v.status__v=active__v`, and groups of which one "
            "condition must hold, such as `any1.channel__v=phone__v&any1.complete__v=true`. Each property is a "
            "parameter; suffixes and values are those of the filters of the field."
        ),
    )
