"""The ASGI application of one organisation: its API, its control interface and its pages."""

import re

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from crm_sync.sandbox.control import Control
from crm_sync.sandbox.data.organisation import Organisation
from crm_sync.sandbox.pages.consent import ConsentPages
from crm_sync.sandbox.pages.records import list_page_routes
from crm_sync.sandbox.service import Service
from crm_sync.sandbox.serving.http import Wire

SLASHES = re.compile("/{2,}")
RAW_SLASHES = re.compile(b"/{2,}")


class SingleSlashes:
    """Takes doubled slashes in an address for one: clients may keep an organisation's address with a slash at its end.

    Slashes in values are percent-encoded, and stay.
    """

    def __init__(self, app: ASGIApp) -> None:
        """Pass requests on to `app`."""
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, with single slashes in its path."""
        if "//" in scope.get("path", ""):
            scope["path"] = SLASHES.sub("/", scope["path"])
            if scope.get("raw_path"):
                scope["raw_path"] = RAW_SLASHES.sub(b"/", scope["raw_path"])
        await self.app(scope, receive, send)


def create_app(organisation: Organisation | Service) -> Starlette:
    """Return the application that serves an organisation at the root of its own origin.

    Pass a `Service` instead of an `Organisation` to use its misbehaviour and its request log.
    """
    service = organisation if isinstance(organisation, Service) else Service(organisation)
    wire = Wire(service)
    app = Starlette(
        routes=[
            *ConsentPages(service).list_routes(),
            Route("/.well-known/openid-configuration", wire),
            Route("/services/{rest:path}", wire),
            Route("/services", wire),
            Route("/id/{rest:path}", wire),
            *Control(service).list_routes(),
            *list_page_routes(service),
        ],
        middleware=[Middleware(SingleSlashes)],
    )
    app.state.service = service
    return app
