"""URLs of the study teams' pages, the same for every object."""

from __future__ import annotations

from django.urls import path

from ctms.records.bulk.views import edits, hand_over, imports, operations, undo
from ctms.records.calendar.views import calendar, copies, moves
from ctms.records.feed.views import show_feed
from ctms.records.forms import views
from ctms.records.lists.views import exports, filters, lists, saved_views
from ctms.records.merging.views import merge
from ctms.records.pages.views import (
    autocomplete,
    deletions,
    favourites,
    home,
    inline_edit,
    profile,
    quick_changes,
    record_page,
)
from ctms.records.timelines import views as timelines

_OBJECT = "records/<str:object_name>/"
_RECORD = f"{_OBJECT}<uuid:uid>/"

urlpatterns = [
    path("", home.show_home, name="home"),
    path("calendar/", calendar.show_calendar, name="calendar"),
    path("home/<slug:key>/", home.show_panel, name="home_panel"),
    path("search/", autocomplete.search_everything, name="search"),
    path("profile/", profile.show_profile, name="profile"),
    path("profile/sessions/end/", profile.end_sessions, name="sessions_end"),
    path("profile/tokens/", profile.create_token, name="token_create"),
    path("profile/tokens/<uuid:uid>/revoke/", profile.revoke_token, name="token_revoke"),
    path("profile/calendar/", profile.change_feed, name="feed_change"),
    path("profile/time-zone/", profile.settle_time_zone, name="time_zone"),
    path("calendar/feed.ics", show_feed, name="calendar_feed"),
    path("operations/<uuid:uid>/", operations.show_operation, name="operation"),
    path("operations/<uuid:uid>/problems.csv", operations.download_problems, name="operation_problems"),
    path("operations/<uuid:uid>/resume/", operations.resume_operation, name="operation_resume"),
    path("operations/<uuid:uid>/check/", operations.check_again, name="operation_check"),
    path("operations/<uuid:uid>/discard/", operations.discard_draft, name="operation_discard"),
    path("changes/", undo.show_changes, name="changes"),
    path("undo/<str:kind>/<str:key>/", undo.undo_change, name="undo"),
    path("hand-over/", hand_over.show_waiting, name="hand_over"),
    path("hand-over/users/<uuid:uid>/", hand_over.hand_over_user, name="hand_over_user"),
    path(_OBJECT, lists.show_list, name="record_list"),
    path(f"{_OBJECT}columns/", lists.choose_columns, name="record_columns"),
    path(f"{_OBJECT}views/", saved_views.save_view, name="view_save"),
    path(f"{_OBJECT}views/<uuid:uid>/", saved_views.change_view, name="view_change"),
    path(f"{_OBJECT}filters/", filters.show_filters, name="record_filters"),
    path(f"{_OBJECT}filters/change/", filters.change_filters, name="record_filters_change"),
    path(f"{_OBJECT}filters/<str:field_name>/", filters.show_filter, name="record_filter"),
    path(f"{_OBJECT}export.<str:file_format>", exports.export_list, name="record_export"),
    path(f"{_OBJECT}bulk/", edits.edit_many, name="record_bulk"),
    path(f"{_OBJECT}bulk/<uuid:uid>/", edits.preview_edit, name="record_bulk_preview"),
    path(f"{_OBJECT}hand-over/", hand_over.hand_over_many, name="record_hand_over_many"),
    path(f"{_OBJECT}hand-over/<uuid:uid>/", hand_over.preview_hand_over, name="record_hand_over_preview"),
    path(f"{_OBJECT}import/", imports.upload_file, name="record_import"),
    path(f"{_OBJECT}import/template.csv", imports.download_template, name="record_import_template"),
    path(f"{_OBJECT}import/<uuid:uid>/", imports.preview_import, name="record_import_preview"),
    path(f"{_OBJECT}import/<uuid:uid>/reading/", imports.change_reading, name="record_import_reading"),
    path(f"{_OBJECT}import/<uuid:uid>/existing/", imports.choose_existing, name="record_import_existing"),
    path(f"{_OBJECT}undo/<uuid:uid>/", undo.preview_undo, name="record_undo_preview"),
    path(f"{_OBJECT}lookup/<str:field_name>/", autocomplete.find_choices, name="record_lookup"),
    path(f"{_OBJECT}duplicates/", autocomplete.show_duplicates, name="record_duplicates"),
    path(f"{_OBJECT}create/", views.create_record, name="record_create"),
    path(f"{_OBJECT}templates/", views.show_templates, name="record_templates"),
    path(f"{_OBJECT}quick/", views.log_quickly, name="record_quick"),
    path(_RECORD, record_page.show_record, name="record"),
    path(f"{_RECORD}peek/", record_page.show_peek, name="record_peek"),
    path(f"{_RECORD}places/", record_page.show_places, name="record_places"),
    path(f"{_RECORD}history/", record_page.show_timeline, name="record_timeline"),
    path(f"{_RECORD}timeline/", timelines.show_timeline, name="timeline"),
    path(f"{_RECORD}edit/", views.edit_record, name="record_edit"),
    path(f"{_RECORD}clone/", views.clone_record, name="record_clone"),
    path(f"{_RECORD}delete/", deletions.confirm_deletion, name="record_delete"),
    path(f"{_RECORD}merge/", merge, name="record_merge"),
    path(f"{_RECORD}hand-over/", hand_over.hand_over_record, name="record_hand_over"),
    path(f"{_RECORD}status/", record_page.set_status, name="record_status"),
    path(f"{_RECORD}actions/<str:action_name>/", record_page.do_action, name="record_action"),
    path(f"{_RECORD}change/<str:change_name>/", quick_changes.change_quickly, name="record_change"),
    path(f"{_RECORD}copies/", copies.copy_record, name="record_copies"),
    path(f"{_RECORD}move/", moves.move_entry, name="record_move"),
    path(f"{_RECORD}fields/<str:field_name>/", inline_edit.edit_field, name="record_field"),
    path(f"{_RECORD}favourite/", favourites.toggle_favourite, name="record_favourite"),
]
