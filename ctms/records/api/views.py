"""The REST API: one view set for the records of every object, and the catalogue of the objects."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any, NoReturn
from uuid import UUID

from django.core.exceptions import ValidationError
from django.http import Http404, QueryDict
from django.urls import reverse
from django.utils.cache import add_never_cache_headers
from drf_spectacular.utils import extend_schema
from rest_framework import status
from rest_framework.renderers import JSONRenderer
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.viewsets import ViewSet

from ctms.records.access import AccessRefusedError, ObjectAccess
from ctms.records.api.answers import WriteResponse, answers_once
from ctms.records.api.batches.bodies import read_batch
from ctms.records.api.batches.writing import has_written, write_batch
from ctms.records.api.by_key import find_by_key
from ctms.records.api.catalogue import CATALOGUE, describe_objects
from ctms.records.api.compression import compress_later
from ctms.records.api.conflicts import build_merged, get_address, name_conflict, refuse_existing
from ctms.records.api.creating import begin_record, require_create
from ctms.records.api.csv import CsvRenderer, write_page
from ctms.records.api.cursors import EXPAND, FIELDS, FORMAT, format_links
from ctms.records.api.etags import format_answer_etag, format_etag, is_known, require_match
from ctms.records.api.paging import build_page, read_list_request
from ctms.records.api.parameters import KnownParametersView, refuse_unknown
from ctms.records.api.schema import RecordSchema, build_refusals
from ctms.records.api.serializers import CONFIRMED, RecordInputSerializer, show_record
from ctms.records.api.showing import Showing, read_showing
from ctms.records.lists.query import InvalidListError
from ctms.records.merging.redirects import find_winner
from ctms.records.models import KeptAnswer
from ctms.records.requests import build_actor, get_record_or_404, get_user, open_object_or_404
from ctms.records.writing.services import delete_with_parts, write_values

_SOURCE = "api"


class UncachedView(KnownParametersView):
    """A view whose responses no browser or proxy may cache."""

    def finalize_response(self, request: Request, response: Any, *args: Any, **kwargs: Any) -> Any:
        answer = super().finalize_response(request, response, *args, **kwargs)
        add_never_cache_headers(answer)
        compress_later(request=request, response=answer)
        return answer


class CatalogueView(UncachedView):
    """The objects of the Vault."""

    @extend_schema(
        operation_id="list_objects",
        tags=["Objects"],
        summary="List the objects",
        responses={200: CATALOGUE, **build_refusals(400, 401, 406, 429)},
    )
    def get(self, request: Request) -> Response:
        """The objects whose records you may read, with their types, fields and filters as they are configured."""
        return Response({"results": describe_objects(user=get_user(request))})


class RecordViewSet(UncachedView, ViewSet):
    """Records of one object."""

    schema = RecordSchema()

    def list_known_parameters(self) -> Collection[str] | None:
        if self.action in ("list", "by_key"):
            return None
        return (FIELDS, EXPAND) if self.action == "retrieve" else ()

    def get_renderers(self) -> list[Any]:
        return [JSONRenderer(), *([CsvRenderer()] if self.action == "list" else [])]

    def perform_content_negotiation(self, request: Request, force: bool = False) -> Any:  # noqa: FBT001, FBT002  Django REST framework's signature
        asked = request.query_params.get(FORMAT)
        for each in self.get_renderers() if self.action == "list" else ():
            if each.format == asked:  # whatever the header says
                return each, each.media_type
        return super().perform_content_negotiation(request, force)

    def list(self, request: Request, object_name: str) -> Response:
        """The records that you see, page by page: as JSON or, with `format=csv`, as CSV."""
        access = open_object_or_404(request, object_name)
        asked = read_list_request(parameters=request.query_params, access=access)
        page = build_page(request=request, asked=asked)
        is_csv = isinstance(request.accepted_renderer, CsvRenderer)
        etag = format_answer_etag([request.accepted_renderer.format, page.told])
        if is_known(request=request, etag=etag):
            return Response(status=status.HTTP_304_NOT_MODIFIED, headers={"ETag": etag})
        body = write_page(showing=asked.showing, shown=page.body["results"]) if is_csv else page.body
        headers = {"ETag": etag, "Link": format_links(page.body)}
        return Response(body, headers={name: value for name, value in headers.items() if value})

    @answers_once
    def create(self, request: Request, object_name: str) -> WriteResponse:
        """Create a record. With a uid or an external id of your own, a request sent twice creates one record alone."""
        access = open_object_or_404(request, object_name)
        require_create(access)
        refuse_existing(access=access, body=request.data)
        serializer = RecordInputSerializer(shape=access.shape, access=access, data=request.data)
        serializer.is_valid(raise_exception=True)
        values = dict(serializer.validated_data)
        confirmed = values.pop(CONFIRMED, ())
        record = begin_record(access=access, values=values)
        try:
            write_values(
                access=access,
                record=record,
                values=values,
                actor=build_actor(request, source=_SOURCE),
                references_are_checked=True,
                confirmed=confirmed,
            )
        except ValidationError as error:
            # Another request may have created the same record in between; then the answer is that it exists.
            refuse_existing(access=access, body=request.data)
            raise name_conflict(access=access, record=record, error=error) from error
        return _answer(access=access, record=record, code=status.HTTP_201_CREATED)

    def retrieve(self, request: Request, object_name: str, uid: UUID) -> Response:
        """A record; its ETag is what a change of it names in If-Match."""
        access = open_object_or_404(request, object_name)
        showing = _read_showing(access=access, parameters=request.query_params)
        return _answer_read(request=request, showing=showing, record=_get_record(access=access, uid=uid))

    def by_key(self, request: Request, object_name: str) -> Response:
        """The record that has a key, such as its external ID. Send the fields of one key, and no others."""
        access = open_object_or_404(request, object_name)
        showing = _read_showing(access=access, parameters=request.query_params)
        key = request.query_params.copy()
        for name in (FIELDS, EXPAND):
            key.pop(name, None)
        record = find_by_key(access=access, records=showing.select(access.list_records()), parameters=key)
        answer = _answer_read(request=request, showing=showing, record=record)
        answer.headers["Content-Location"] = get_address(access=access, record=record)
        return answer

    @answers_once
    def partial_update(self, request: Request, object_name: str, uid: UUID) -> WriteResponse:
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
        try:
            write_values(
                access=access,
                record=record,
                values=values,
                actor=build_actor(request, source=_SOURCE),
                expected_version=expected_version,
                references_are_checked=True,
                confirmed=confirmed,
            )
        except ValidationError as error:
            raise name_conflict(access=access, record=record, error=error) from error
        return _answer(access=access, record=record)

    @answers_once
    def destroy(self, request: Request, object_name: str, uid: UUID) -> WriteResponse:
        """Delete a record and its parts; all its values stay in the audit trail."""
        access = open_object_or_404(request, object_name)
        record = _get_record(access=access, uid=uid)
        if reason := access.explain_delete(record):
            raise AccessRefusedError(reason)
        expected_version = require_match(request=request, record=record)
        actor = build_actor(request, source=_SOURCE)
        delete_with_parts(access=access, record=record, actor=actor, expected_version=expected_version)
        return WriteResponse(status=status.HTTP_204_NO_CONTENT, uid=uid)

    @answers_once
    def batch(self, request: Request, object_name: str) -> WriteResponse:
        """Create, change and delete up to 500 records. The answer says of each row what became of it."""
        access = open_object_or_404(request, object_name)
        asked = read_batch(request.data)
        answer = write_batch(access=access, batch=asked, actor=build_actor(request, source=_SOURCE))
        return WriteResponse(answer, status=status.HTTP_200_OK, results=answer, has_written=has_written(answer))

    def repeat(self, request: Request, kept: KeptAnswer, object_name: str, uid: UUID | None = None) -> Response:
        """Give the answer of before again: a record as it is now, if the user still sees it."""
        del uid
        access = open_object_or_404(request, object_name)
        if kept.results is not None:
            return Response(kept.results, status=kept.status)
        if kept.record_uid is None or kept.status == status.HTTP_204_NO_CONTENT:
            return Response(status=kept.status)
        return _answer(access=access, record=_get_record(access=access, uid=kept.record_uid), code=kept.status)


class NothingHereView(UncachedView):
    """Answers every other path of the API with a 404 in the API's own shape."""

    schema = None
    known_parameters = None

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
        raise build_merged(access=access, winner=winner) from None


def _read_showing(*, access: ObjectAccess, parameters: QueryDict) -> Showing:
    """Return what a request for one record asks to be shown. Raises InvalidListError."""
    of_showing = QueryDict(mutable=True)
    for name in (FIELDS, EXPAND):
        if name in parameters:
            of_showing.setlist(name, parameters.getlist(name))
    refuse_unknown(of_showing, known=(FIELDS, EXPAND))
    problems: dict[str, list[str]] = {}
    showing = read_showing(access=access, parameters=of_showing, problems=problems)
    if problems:
        raise InvalidListError(problems)
    return showing


def _answer_read(*, request: Request, showing: Showing, record: Any) -> Response:
    """Answer with a record, or with nothing if the client says that it has this answer."""
    [shown] = showing.show([record])
    etag = format_etag(record=record, shown=shown)
    if is_known(request=request, etag=etag):
        return Response(status=status.HTTP_304_NOT_MODIFIED, headers={"ETag": etag})
    return Response(shown, headers={"ETag": etag})


def _answer(*, access: ObjectAccess, record: Any, code: int = status.HTTP_200_OK) -> WriteResponse:
    shown = show_record(record=record, access=access)
    headers = {"ETag": format_etag(record=record, shown=shown)}
    if code == status.HTTP_201_CREATED:
        headers["Location"] = get_address(access=access, record=record)
    return WriteResponse(shown, status=code, headers=headers, uid=record.uid)
