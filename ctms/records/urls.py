"""Addresses of the study teams' pages: one set for every object."""

from __future__ import annotations

from django.urls import path

from ctms.records.views import (
    bulk,
    deletions,
    exports,
    favourites,
    fields,
    forms,
    home,
    imports,
    lists,
    lookups,
    operations,
    pages,
    profile,
    saved_views,
)

_OBJECT = "records/<str:object_name>/"
_RECORD = f"{_OBJECT}<uuid:uid>/"

urlpatterns = [
    path("", home.show_home, name="home"),
    path("search/", lookups.search_everything, name="search"),
    path("profile/", profile.show_profile, name="profile"),
    path("profile/tokens/", profile.create_token, name="token_create"),
    path("profile/tokens/<uuid:uid>/revoke/", profile.revoke_token, name="token_revoke"),
    path("operations/<uuid:uid>/", operations.show_operation, name="operation"),
    path("operations/<uuid:uid>/problems.csv", operations.download_problems, name="operation_problems"),
    path("operations/<uuid:uid>/resume/", operations.resume_operation, name="operation_resume"),
    path("operations/<uuid:uid>/discard/", operations.discard_draft, name="operation_discard"),
    path(_OBJECT, lists.show_list, name="record_list"),
    path(f"{_OBJECT}columns/", lists.choose_columns, name="record_columns"),
    path(f"{_OBJECT}views/", saved_views.save_view, name="view_save"),
    path(f"{_OBJECT}views/<uuid:uid>/", saved_views.change_view, name="view_change"),
    path(f"{_OBJECT}filters/<str:field_name>/", lists.show_filter, name="record_filter"),
    path(f"{_OBJECT}export.<str:file_format>", exports.export_list, name="record_export"),
    path(f"{_OBJECT}bulk/", bulk.edit_many, name="record_bulk"),
    path(f"{_OBJECT}bulk/<uuid:uid>/", bulk.preview_edit, name="record_bulk_preview"),
    path(f"{_OBJECT}import/", imports.upload_file, name="record_import"),
    path(f"{_OBJECT}import/template.csv", imports.download_template, name="record_import_template"),
    path(f"{_OBJECT}import/<uuid:uid>/", imports.preview_import, name="record_import_preview"),
    path(f"{_OBJECT}lookup/<str:field_name>/", lookups.find_choices, name="record_lookup"),
    path(f"{_OBJECT}create/", forms.create_record, name="record_create"),
    path(f"{_OBJECT}quick/", forms.log_quickly, name="record_quick"),
    path(_RECORD, pages.show_record, name="record"),
    path(f"{_RECORD}timeline/", pages.show_timeline, name="record_timeline"),
    path(f"{_RECORD}edit/", forms.edit_record, name="record_edit"),
    path(f"{_RECORD}clone/", forms.clone_record, name="record_clone"),
    path(f"{_RECORD}delete/", deletions.confirm_deletion, name="record_delete"),
    path(f"{_RECORD}status/", pages.set_status, name="record_status"),
    path(f"{_RECORD}actions/<str:action_name>/", pages.do_action, name="record_action"),
    path(f"{_RECORD}fields/<str:field_name>/", fields.edit_field, name="record_field"),
    path(f"{_RECORD}favourite/", favourites.toggle_favourite, name="record_favourite"),
]
