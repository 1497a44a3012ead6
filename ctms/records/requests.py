"""Reads user, object, record and version from a request.

Raises Http404 for what does not exist or is not visible, and PermissionDenied for what the profile does not allow.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any
from uuid import UUID

from django.contrib.auth.middleware import get_user as get_logged_in
from django.core.exceptions import BadRequest, PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, QueryDict
from django.urls import reverse
from django.utils.functional import SimpleLazyObject

from ctms.accounts.addresses import get_client_address
from ctms.accounts.models import User
from ctms.audit.actors import Actor
from ctms.audit.change_sets import CHANGE, build_reference
from ctms.audit.reasons import read_reason
from ctms.configuration.registry import UnknownObjectError
from ctms.records.access import AccessRefusedError, ObjectAccess, open_object
from ctms.records.addresses import get_object_url, get_record_url

# Where a list says which list it is, so that the user comes back to it.
LIST = "query"
# The same of the home page.
HOME = "home"
# Longest number accepted in a request; databases can store longer ones.
MOST_DIGITS = 18


def shows_refusals(view: Callable[..., HttpResponse]) -> Callable[..., HttpResponse]:
    """Let a view answer what the profile or the object type does not allow with the reason, as PermissionDenied."""

    @wraps(view)
    def answer(*args: Any, **kwargs: Any) -> HttpResponse:
        try:
            return view(*args, **kwargs)
        except AccessRefusedError as error:
            raise PermissionDenied(str(error)) from error

    return answer


def get_user(request: HttpRequest) -> User:
    """Return the user of a request to a page that requires a login."""
    user = request.user
    if isinstance(user, SimpleLazyObject):
        # The user itself: a page asks hundreds of times for its attributes, and a lazy object takes long to answer.
        user = get_logged_in(request)
    if not isinstance(user, User):
        raise TypeError("Nobody is logged in.")
    return user


def build_actor(request: HttpRequest, *, source: str = "page") -> Actor:
    """Return the actor for the audit trail: the request's user, and the way by which they write.

    All that is written with it is one change set, which can be undone together.
    """
    user = get_user(request)
    return Actor(
        user=user,
        source=source,
        reference=build_reference(kind=CHANGE),
        address=get_client_address(request),
        reason=read_reason(request),
        connection_uid=user.calling_for.uid if user.calling_for else None,
    )


def open_object_or_404(request: HttpRequest, object_name: str) -> ObjectAccess:
    """Return the user's access to the object. Raises Http404, and PermissionDenied with the reason."""
    try:
        return open_object(user=get_user(request), object_name=object_name)
    except UnknownObjectError as error:
        raise Http404(f"There is no object {object_name}.") from error
    except AccessRefusedError as error:
        raise PermissionDenied(str(error)) from error


def get_record_or_404(*, access: ObjectAccess, uid: UUID, fields: Any = ()) -> Any:
    """Return the record, if the user sees it, with the records that `fields` refer to. Raises Http404."""
    names = [each.attribute for each in fields if each.reference is not None and not each.is_custom]
    records = access.list_records()
    if names:
        records = records.select_related(*names)
    record = records.filter(uid=uid).first()
    if record is None:
        raise Http404(f"There is no {access.vault_object.label} of this address, or it is not visible to you.")
    return record


def read_version(request: HttpRequest) -> int:
    """Return the version of the record that the user saw. Raises BadRequest if the form does not say."""
    text = request.POST.get("expected_version", "")
    if not text.isdecimal() or len(text) > MOST_DIGITS:
        raise BadRequest("expected_version: the version of the record that you saw, as a number.")
    return int(text)


def find_way_back(parameters: QueryDict, *, record: Any) -> str:
    """Return the URL of the list that the parameters name as `query`, of the home page (`home`), or of the record."""
    if comes_from_home(parameters):
        return get_home_url(parameters)
    if LIST not in parameters:
        return get_record_url(record)
    query = parameters[LIST]
    address = get_object_url("record_list", record.object_name)
    return f"{address}?{query}" if query else address


def comes_from_home(parameters: QueryDict) -> bool:
    """Whether the parameters say that the user comes from the home page."""
    return HOME in parameters


def get_home_url(parameters: QueryDict) -> str:
    """Return the URL of the home page, with the query string that the parameters name as `home`."""
    query = parameters.get(HOME, "")
    return f"{reverse('home')}?{query}" if query else reverse("home")


def keep_way_back(parameters: QueryDict) -> dict[str, str]:
    """Return those of the parameters that say where the user comes from, for a form in between."""
    return {name: parameters.get(name, "") for name in (LIST, HOME) if name in parameters}
