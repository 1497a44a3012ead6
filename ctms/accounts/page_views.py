"""Notes what users look at whose security profile asks for it, such as inspectors."""

from __future__ import annotations

from collections.abc import Callable
from http import HTTPStatus
from typing import TYPE_CHECKING, Any
from uuid import UUID

from ctms.accounts.models import PageView, User
from ctms.accounts.policies import find_active_profile

if TYPE_CHECKING:
    from django.http import HttpRequest, HttpResponseBase

_WITH_SECRETS = ("calendar_feed", "invitation", "oidc_callback")
_ADDRESS_LENGTH = PageView._meta.get_field("address").max_length
_NAME_LENGTH = PageView._meta.get_field("record_name").max_length
# Finds the name of a record by the API name of its object and its uid; registered by the app that knows the objects.
_finders: list[Callable[[str, UUID], str]] = []  # one at most


def register_name_finder(find_name: Callable[[str, UUID], str]) -> None:
    """Say how a record's name is found. Called once, from `AppConfig.ready()`."""
    _finders[:] = [find_name]


def note_page_view(*, request: HttpRequest, response: HttpResponseBase) -> None:
    """Write what was asked for and answered, if the profile of the request's user says that it is noted.

    The record is that of the address; its name is kept as of now, and only if the record was shown.
    """
    user = request.user
    if not isinstance(user, User) or not _is_noted(user):
        return
    object_name, uid = _read_record(request)
    is_shown = response.status_code == HTTPStatus.OK
    PageView.objects.create(
        user=user,
        method=request.method or "",
        address=_get_address(request).replace("\0", "")[:_ADDRESS_LENGTH],
        status=response.status_code,
        object_name=object_name[:80].replace("\0", ""),
        record_uid=uid,
        record_name=_finders[0](object_name, uid)[:_NAME_LENGTH] if _finders and uid and is_shown else "",
    )


def _get_address(request: HttpRequest) -> str:
    """Return the address of a request, without secrets: those of feeds, invitations and providers."""
    found = request.resolver_match
    return request.path if found is not None and found.url_name in _WITH_SECRETS else request.get_full_path()


def _is_noted(user: User) -> bool:
    profile = find_active_profile(user=user)
    return profile is not None and profile.log_views


def _read_record(request: HttpRequest) -> tuple[str, UUID | None]:
    found: Any = request.resolver_match.kwargs if request.resolver_match else {}
    uid = found.get("uid")
    return str(found.get("object_name", "")), uid if isinstance(uid, UUID) else None
