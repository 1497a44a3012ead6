"""Who makes the changes that Django's own means write, which do not say it: the user of the request, else *System*."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import replace

from django.http import HttpRequest, HttpResponse
from django.urls import reverse

from ctms.accounts.addresses import get_client_address
from ctms.accounts.models import User
from ctms.accounts.selectors import get_system_user
from ctms.audit.actors import Actor, build_system_actor

_API = "/api/"
_find_actor: ContextVar[Callable[[], Actor] | None] = ContextVar("find_actor", default=None)


@contextmanager
def acting_as(actor: Actor) -> Iterator[None]:
    """Let what is written in the `with` block be written by this actor."""
    with _acting(lambda: actor):
        yield


def get_actor() -> Actor:
    """Return who writes at present; outside of requests and of `acting_as` it is *System*, by a command."""
    find = _find_actor.get()
    return find() if find is not None else build_system_actor(source="command")


def get_actor_for(user: User) -> Actor:
    """Return `user` as the actor of the present request, in which they have yet to log in."""
    return replace(get_actor(), user=user)


class ActorMiddleware:
    """Lets what a request writes be written by its user, by way of a page, the admin console or the API."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        # Asked only when something is written: until then the API may recognise the user of a token.
        with _acting(lambda: _build_actor(request)):
            return self.get_response(request)


def _build_actor(request: HttpRequest) -> Actor:
    source = "page"
    if request.path.startswith(reverse("admin:index")):
        source = "admin"
    elif request.path_info.startswith(_API):
        source = "api"
    user = request.user if isinstance(request.user, User) else get_system_user()
    calling_for = user.calling_for
    return Actor(
        user=user,
        source=source,
        address=get_client_address(request),
        connection_uid=calling_for.uid if calling_for else None,
    )


@contextmanager
def _acting(find: Callable[[], Actor]) -> Iterator[None]:
    token = _find_actor.set(find)
    try:
        yield
    finally:
        _find_actor.reset(token)
