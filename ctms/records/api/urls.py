"""URLs of the REST API, the same for every object."""

from __future__ import annotations

from django.urls import path, register_converter
from django.urls.converters import StringConverter

from ctms.records.api import addresses  # noqa: F401  registers the converter of uids
from ctms.records.api.changes.views import ChangesView
from ctms.records.api.docs import SchemaView, show_docs
from ctms.records.api.me import MeView
from ctms.records.api.problems import show_problem_types
from ctms.records.api.views import CatalogueView, NothingHereView, RecordViewSet


class AnythingConverter(StringConverter):
    """Matches the whole rest of a path, line feeds included."""

    regex = "(?s:.*)"


register_converter(AnythingConverter, "anything")

urlpatterns = [
    path("schema/", SchemaView.as_view(), name="api_schema"),
    path("docs/", show_docs, name="api_docs"),
    path("problems/", show_problem_types, name="api_problems"),
    path("problems/<str:code>/", show_problem_types, name="api_problem"),
    path("me/", MeView.as_view(), name="api_me"),
    path("objects/", CatalogueView.as_view(), name="api_objects"),
    path("<str:object_name>/", RecordViewSet.as_view({"get": "list", "post": "create"}), name="api_records"),
    path("<str:object_name>/changes/", ChangesView.as_view(), name="api_changes"),
    path("<str:object_name>/batch/", RecordViewSet.as_view({"post": "batch"}), name="api_batch"),
    path("<str:object_name>/by-key/", RecordViewSet.as_view({"get": "by_key"}), name="api_by_key"),
    path(
        "<str:object_name>/<uid:uid>/",
        RecordViewSet.as_view({"get": "retrieve", "patch": "partial_update", "delete": "destroy"}),
        name="api_record",
    ),
    path("<anything:address>", NothingHereView.as_view(), name="api_nothing"),
]
