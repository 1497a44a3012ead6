"""The ASGI application of one organisation: its API, its control interface and its pages."""

from starlette.applications import Starlette
from starlette.routing import Route

from crm_sync.sandbox.control import Control
from crm_sync.sandbox.data.organisation import Organisation
from crm_sync.sandbox.pages.records import list_page_routes
from crm_sync.sandbox.service import Service
from crm_sync.sandbox.serving.http import Wire


def create_app(organisation: Organisation | Service) -> Starlette:
    """Return the application that serves an organisation at the root of its own origin.

    Pass a `Service` instead of an `Organisation` to use its misbehaviour and its request log.
    """
    service = organisation if isinstance(organisation, Service) else Service(organisation)
    wire = Wire(service)
    app = Starlette(
        routes=[
            Route("/services/{rest:path}", wire),
            Route("/services", wire),
            Route("/id/{rest:path}", wire),
            *Control(service).list_routes(),
            *list_page_routes(service),
        ]
    )
    app.state.service = service
    return app
