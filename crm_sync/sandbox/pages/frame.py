"""The base class of all pages: it renders templates, reads forms and refuses forms of other sites."""

from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

from jinja2 import Environment, FileSystemLoader
from starlette.requests import Request
from starlette.responses import HTMLResponse

from crm_sync.sandbox.control import is_same_origin
from crm_sync.sandbox.pages.data import TABS
from crm_sync.sandbox.service import Service

TEMPLATES = Path(__file__).resolve().parents[1] / "templates"
ENVIRONMENT = Environment(loader=FileSystemLoader(TEMPLATES), autoescape=True)
SECURITY_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; style-src 'self'; img-src data:; form-action 'self'; "
    "base-uri 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cache-Control": "no-store",
}


class PageFrame:
    """Renders the pages of one organisation."""

    def __init__(self, service: Service) -> None:
        """Show the organisation of `service`."""
        self.service = service
        # The lists are of the vendor's objects: an organisation that has others is spoken to over the API.
        self.tabs = {tab.slug: tab for tab in TABS if tab.fits(service.organisation.schema)}

    def render(self, template: str, *, active: str, status: int = 200, **content: Any) -> HTMLResponse:
        """Return a page. `active` is the highlighted tab; the template escapes all `content`."""
        organisation = self.service.organisation
        page = ENVIRONMENT.get_template(template).render(
            organisation=organisation.name,
            tabs=self.tabs.values(),
            active=active,
            usage_used=organisation.usage.used,
            usage_limit=organisation.usage.limit,
            rules=self.service.misbehaviour.rules,
            **content,
        )
        return HTMLResponse(page, status, SECURITY_HEADERS)

    def refuse(self, *, status: int, title: str, text: str) -> HTMLResponse:
        """Return a page that says what went wrong."""
        return self.render("message.html", active="", status=status, title=title, text=text)

    def refuse_missing(self) -> HTMLResponse:
        """Return the page for an address that does not exist."""
        return self.refuse(
            status=404,
            title="Nothing here",
            text="There is no such page or record; it may have been deleted. Choose a list above.",
        )

    async def read_form(self, request: Request) -> dict[str, str] | None:
        """Return the values of a form, or None when another site sent it."""
        if not is_same_origin(request):
            return None
        body = (await request.body()).decode("utf-8", "replace")
        return dict(parse_qsl(body, keep_blank_values=True))

    def refuse_foreign(self) -> HTMLResponse:
        """Return the page for a form that another site sent."""
        return self.refuse(
            status=403,
            title="Refused",
            text="This form was sent from another site. Open it on this page and try again.",
        )
