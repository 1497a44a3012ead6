"""Saved views of lists: a user's own ones, shared ones, and the default with which a list opens."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from django.db import transaction
from django.db.models import Q
from django.http import QueryDict

from ctms.accounts.models import User
from ctms.records.lists.columns import save_preference
from ctms.records.lists.query import COLUMNS, CURSOR, SIZE, VIEW, drop_blanks
from ctms.records.models import ListPreference, SavedView

# Value of the `view` parameter for the unfiltered list, where the user's list opens with a view by default.
ALL = "all"


def list_views(*, user: User, object_name: str) -> list[SavedView]:
    """Return the views that the user may open: own ones first, then those that others share."""
    usable = Q(user=user) | Q(is_shared=True)
    found = SavedView.objects.filter(usable, of_object=object_name).select_related("user")
    return sorted(found, key=lambda view: (view.user_id != user.pk, view.name.casefold()))


def find_view(*, user: User, object_name: str, uid: UUID | str) -> SavedView | None:
    """Return a view that the user may open; None if it was deleted, or is not shared."""
    return next((view for view in list_views(user=user, object_name=object_name) if str(view.uid) == str(uid)), None)


def read_parameters(parameters: QueryDict) -> str:
    """Return the query string that a view stores: filters, search and sort."""
    kept = drop_blanks(parameters)
    for name in (COLUMNS, CURSOR, SIZE, VIEW):
        kept.pop(name, None)
    return kept.urlencode()


def build_parameters(view: SavedView) -> QueryDict:
    """Return the parameters that open a view: those that it stores, its columns and its uid."""
    parameters = QueryDict(view.parameters, mutable=True)
    if view.columns:
        parameters[COLUMNS] = ",".join(view.columns)
    parameters[VIEW] = str(view.uid)
    return parameters


def is_changed(*, view: SavedView, parameters: QueryDict, columns: Sequence[str]) -> bool:
    """Whether parameters or columns of a list differ from the view that it was opened with."""
    stored = {name: sorted(values) for name, values in QueryDict(view.parameters).lists()}
    now = {name: sorted(values) for name, values in QueryDict(read_parameters(parameters)).lists()}
    return stored != now or bool(view.columns and list(view.columns) != list(columns))


@transaction.atomic
def store_view(*, view: SavedView, is_default: bool) -> SavedView:
    """Save a new or changed view, and whether its user's list opens with it."""
    view.save()
    preference = ListPreference.objects.filter(user=view.user, of_object=view.of_object).first()
    was_default = preference is not None and preference.default_view_id == view.pk
    if is_default != was_default:
        set_default_view(user=view.user, object_name=view.of_object, view=view if is_default else None)
    return view


def set_default_view(*, user: User, object_name: str, view: SavedView | None) -> None:
    """Let the user's list open with a view, own or shared, or without any if it is None."""
    save_preference(user=user, object_name=object_name, default_view=view)
