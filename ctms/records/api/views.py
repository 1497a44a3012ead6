"""The REST API: one view set for the records of every object, and the catalogue of the objects."""

from __future__ import annotations

from typing import Any, NoReturn
from uuid import UUID

from django.core.exceptions import ValidationError
from django.db.models import Q
from django.http import Http404
from django.urls import reverse
from django.utils.cache import add_never_cache_headers
from drf_spectacular.utils import extend_schema
from rest_framework import status
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView
from rest_framework.viewsets import ViewSet

from ctms.audit.selectors import is_uid_known
from ctms.configuration.fields import OBJECT_TYPE
from ctms.records.access import AccessRefusedError, ObjectAccess
from ctms.records.api.catalogue import CATALOGUE, describe_objects
from ctms.records.api.errors import ExistsError, MergedError
from ctms.records.api.etags import format_etag, require_match
from ctms.records.api.paging import build_page
from ctms.records.api.schema import RecordSchema, build_refusals
from ctms.records.api.serializers import CONFIRMED, UID, RecordInputSerializer, show_record
from ctms.records.fields.kinds.reference import read_reference
from ctms.records.merging.redirects import find_winner
from ctms.records.requests import build_actor, get_record_or_404, get_user, open_object_or_404
from ctms.records.writing.services import build_record, delete_with_parts, write_values

_SOURCE = "api"


class UncachedView(APIView):
    """A view whose responses no browser or proxy may cache."""

    def finalize_response(self, request: Request, response: Any, *args: Any, **kwargs: Any) -> Any:
        answer = super().finalize_response(request, response, *args, **kwargs)
        add_never_cache_headers(answer)
        return answer


class CatalogueView(UncachedView):
    """The objects of the Vault."""

    @extend_schema(
        operation_id="list_objects",
        tags=["Objects"],
        summary="List the objects",
        responses={200: CATALOGUE, **build_refusals(401, 406, 429)},
    )
    def get(self, request: Request) -> Response:
        """The objects whose records you may read, with their types, fields and filters as they are configured."""
        return Response({"results": describe_objects(user=get_user(request))})


class RecordViewSet(UncachedView, ViewSet):
    """Records of one object."""

    schema = RecordSchema()

    def list(self, request: Request, object_name: str) -> Response:
        """The records that you see, page by page."""
        access = open_object_or_404(request, object_name)
        return Response(build_page(request=request, access=access))

    def create(self, request: Request, object_name: str) -> Response:
        """Create a record. With a uid or an external id of your own, a request sent twice creates one record alone."""
        access = open_object_or_404(request, object_name)
        if not access.can_create():
            raise AccessRefusedError(access.explain_create(next(iter(access.shape.types))))
        _refuse_existing(access=access, body=request.data)
        serializer = RecordInputSerializer(shape=access.shape, access=access, data=request.data)
        serializer.is_valid(raise_exception=True)
        values = dict(serializer.validated_data)
        uid, confirmed = values.pop(UID, None), values.pop(CONFIRMED, ())
        record = build_record(access=access, object_type=_choose_type(access=access, values=values))
        record.uid = uid or record.uid
        try:
            write_values(
                access=access,
                record=record,
                values=values,
                actor=build_actor(request, source=_SOURCE),
                references_are_checked=True,
                confirmed=confirmed,
            )
        except ValidationError:
            # Another request may have created the same record in between; then the answer is that it exists.
            _refuse_existing(access=access, body=request.data)
            raise
        return _answer(access=access, record=record, code=status.HTTP_201_CREATED)

    def retrieve(self, request: Request, object_name: str, uid: UUID) -> Response:
        """A record; its ETag is what a change of it names in If-Match."""
        access = open_object_or_404(request, object_name)
        return _answer(access=access, record=_get_record(access=access, uid=uid))

    def partial_update(self, request: Request, object_name: str, uid: UUID) -> Response:
        """Change the values that are given and differ. If nothing differs, nothing is written."""
        access = open_object_or_404(request, object_name)
        record = _get_record(access=access, uid=uid)
        if reason := access.explain_edit(record):
            raise AccessRefusedError(reason)
        expected_version = require_match(request=request, record=record)
        serializer = RecordInputSerializer(record, shape=access.shape, access=access, data=request.data, partial=True)
        serializer.is_valid(raise_exception=True)
        values = dict(serializer.validated_data)
        confirmed = values.pop(CONFIRMED, ())
        write_values(
            access=access,
            record=record,
            values=values,
            actor=build_actor(request, source=_SOURCE),
            expected_version=expected_version,
            references_are_checked=True,
            confirmed=confirmed,
        )
        return _answer(access=access, record=record)

    def destroy(self, request: Request, object_name: str, uid: UUID) -> Response:
        """Delete a record and its parts; all its values stay in the audit trail."""
        access = open_object_or_404(request, object_name)
        record = _get_record(access=access, uid=uid)
        if reason := access.explain_delete(record):
            raise AccessRefusedError(reason)
        expected_version = require_match(request=request, record=record)
        actor = build_actor(request, source=_SOURCE)
        delete_with_parts(access=access, record=record, actor=actor, expected_version=expected_version)
        return Response(status=status.HTTP_204_NO_CONTENT)


class NothingHereView(UncachedView):
    """Answers every other path of the API with a 404 in the API's own shape."""

    schema = None

    def get(self, _request: Request, address: str) -> NoReturn:
        raise Http404(f"There is nothing at {address!r}. Addresses end in a slash; {reverse('api_docs')} lists them.")

    post = put = patch = delete = get


def _get_record(*, access: ObjectAccess, uid: UUID) -> Any:
    try:
        return get_record_or_404(access=access, uid=uid, fields=access.shape.fields.values())
    except Http404:
        winner = find_winner(access=access, uid=uid)
        if winner is None:
            raise
        label = access.vault_object.label
        raise MergedError(
            f"This {label} was merged into {winner}, whose uid__sys is {winner.uid}. Use that one.",
            url=_get_address(access=access, record=winner),
        ) from None


def _choose_type(*, access: ObjectAccess, values: dict[str, Any]) -> str:
    """Return the given object type, or the only one that the user can create."""
    if OBJECT_TYPE in values or not access.vault_object.object_types:
        return str(values.get(OBJECT_TYPE, ""))
    names = [each.api_name for each in access.list_creatable_types()]
    if len(names) > 1:
        raise ValidationError({OBJECT_TYPE: f"This field is required. Choose one of {', '.join(names)}."})
    return names[0]


def _refuse_existing(*, access: ObjectAccess, body: Any) -> None:
    """Raise ExistsError if a record has the body's uid or external id, or if a record of any object had the uid.

    What the caller does not see is refused in one way, whether it is hidden, another object's, or deleted.
    """
    named = body if isinstance(body, dict) else {}
    uid, external_id = named.get(UID), named.get("external_id__v")
    claimed = Q(pk__in=())
    if read := read_reference(uid) if isinstance(uid, str) else None:
        claimed |= Q(uid=read)
    if isinstance(external_id, str) and external_id.strip() and external_id.isprintable():
        claimed |= Q(external_id=external_id.strip())
    visible = access.list_records().filter(claimed).first()
    if visible is not None:
        raise ExistsError(
            f"A {access.vault_object.label} of this uid or external ID exists already; nothing was saved.",
            url=_get_address(access=access, record=visible),
        )
    # The history and the transfers of a deleted record would appear as those of a new one with its uid.
    if (read and is_uid_known(read)) or access.vault_object.model._base_manager.filter(claimed).exists():
        raise ExistsError(
            "This uid__sys or external_id__v is taken; nothing was saved. Send a new UUID, or leave it out; send "
            "another External ID, or ask an admin who has it.",
            url="",
        )


def _answer(*, access: ObjectAccess, record: Any, code: int = status.HTTP_200_OK) -> Response:
    headers = {"ETag": format_etag(record)}
    if code == status.HTTP_201_CREATED:
        headers["Location"] = _get_address(access=access, record=record)
    return Response(show_record(record=record, access=access), status=code, headers=headers)


def _get_address(*, access: ObjectAccess, record: Any) -> str:
    return reverse("api_record", args=(access.shape.api_name, record.uid))
