"""Views of lists that users keep: their own, those that others share, and the one that a list opens with."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from django.db import transaction
from django.db.models import Q
from django.http import QueryDict

from ctms.accounts.models import User
from ctms.records.columns import save_preference
from ctms.records.listing import COLUMNS, CURSOR, SIZE, VIEW, drop_blanks
from ctms.records.models import ListPreference, SavedView

# The view of everything, for those whose list opens with another.
ALL = "all"


def list_views(*, user: User, object_name: str) -> list[SavedView]:
    """The views that the user may open: own ones first, then those that others share."""
    usable = Q(user=user) | Q(is_shared=True)
    found = SavedView.objects.filter(usable, of_object=object_name).select_related("user")
    return sorted(found, key=lambda view: (view.user_id != user.pk, view.name.casefold()))


def find_view(*, user: User, object_name: str, uid: UUID | str) -> SavedView | None:
    """A view that the user may open; None for one that is gone, or is not shared (any more)."""
    return next((view for view in list_views(user=user, object_name=object_name) if str(view.uid) == str(uid)), None)


def read_parameters(parameters: QueryDict) -> str:
    """What a view keeps of an address: filters, search and sort."""
    kept = drop_blanks(parameters)
    for name in (COLUMNS, CURSOR, SIZE, VIEW):
        kept.pop(name, None)
    return kept.urlencode()


def build_parameters(view: SavedView) -> QueryDict:
    """The address of a view: all that it keeps, and which one it is."""
    parameters = QueryDict(view.parameters, mutable=True)
    if view.columns:
        parameters[COLUMNS] = ",".join(view.columns)
    parameters[VIEW] = str(view.uid)
    return parameters


def is_changed(*, view: SavedView, parameters: QueryDict, columns: Sequence[str]) -> bool:
    """Whether a list that was opened with the view shows something else now."""
    stored = {name: sorted(values) for name, values in QueryDict(view.parameters).lists()}
    now = {name: sorted(values) for name, values in QueryDict(read_parameters(parameters)).lists()}
    return stored != now or bool(view.columns and list(view.columns) != list(columns))


@transaction.atomic
def store_view(*, view: SavedView, is_default: bool) -> SavedView:
    """Save a new or a changed view, and whether its user's list opens with it."""
    view.save()
    preference = ListPreference.objects.filter(user=view.user, of_object=view.of_object).first()
    was_default = preference is not None and preference.default_view_id == view.pk
    if is_default != was_default:
        set_default_view(user=view.user, object_name=view.of_object, view=view if is_default else None)
    return view


def set_default_view(*, user: User, object_name: str, view: SavedView | None) -> None:
    """Let the user's list open with a view, an own or a shared one; None: with everything."""
    save_preference(user=user, object_name=object_name, default_view=view)
