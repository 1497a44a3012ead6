"""The web pages of an organisation: an overview, a list of each object, and a page of each record."""

# ruff: noqa: S608  SOQL with checked ids

from typing import Any
from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import PlainTextResponse, RedirectResponse, Response
from starlette.routing import BaseRoute, Route

from crm_sync.sandbox.data.ids import normalise_id
from crm_sync.sandbox.data.visibility import list_hidden
from crm_sync.sandbox.pages.calls import ACCOUNT_CHOICES, CallPages
from crm_sync.sandbox.pages.data import (
    PAGE_SIZE,
    Tab,
    find_record,
    find_record_link,
    list_page,
    list_related,
    make_cell,
    make_cells,
    run_page,
    show_moment,
)
from crm_sync.sandbox.pages.frame import TEMPLATES, PageFrame
from crm_sync.sandbox.pages.recycling import RecyclingPages
from crm_sync.sandbox.pages.tools import ToolPages
from crm_sync.sandbox.service import Service


def list_page_routes(service: Service) -> list[BaseRoute]:
    """Return the routes of all pages of an organisation. They must come after those of the API."""
    rooms = (CallPages(service), ToolPages(service), RecyclingPages(service), Pages(service))
    return [route for room in rooms for route in room.list_routes()]


class Pages(PageFrame):
    """The pages that show records: overview, lists and record pages."""

    def list_routes(self) -> list[BaseRoute]:
        """Return the routes. Those that match any name come last."""
        return [
            Route("/", self.show_overview, methods=["GET"]),
            Route("/style.css", self.send_style, methods=["GET"]),
            Route("/lightning/r/{name}/{record_id}/view", self.find_page, methods=["GET"]),
            Route("/{slug}", self.show_list, methods=["GET"]),
            Route("/{slug}/{record_id}", self.show_record, methods=["GET"]),
        ]

    async def send_style(self, _request: Request) -> Response:
        """Answer GET /style.css."""
        style = (TEMPLATES / "style.css").read_text(encoding="utf-8")
        return PlainTextResponse(style, headers={"Cache-Control": "max-age=60"}, media_type="text/css")

    async def show_overview(self, request: Request) -> Response:
        """Answer GET / with the number of records of each object and the log-ins."""
        organisation = self.service.organisation
        return self.render(
            "overview.html",
            active="overview",
            counts=[(tab, organisation.count_records(object_name=tab.object_name)) for tab in self.tabs.values()],
            base_url=f"{request.url.scheme}://{request.headers.get('host', '')}",
            users=organisation.users,
            apps=organisation.connected_apps,
            organisation_id=organisation.id,
        )

    async def show_list(self, request: Request) -> Response:
        """Answer GET on a list such as /accounts, and on /<record id>, as the real CRM addresses records."""
        tab = self.tabs.get(request.path_params["slug"])
        if tab is None:
            return self.redirect_to_record(request.path_params["slug"])
        search = request.query_params.get("q", "").strip()
        page = max(int(text) if (text := request.query_params.get("page", "1")).isdecimal() else 1, 1)
        records, total = list_page(self.service, tab, search=search, page=page)
        pages = max(-(-total // PAGE_SIZE), 1)
        if page > pages:
            return RedirectResponse(f"/{tab.slug}?{urlencode({'q': search, 'page': pages})}", 303)
        sobject = tab.sobject
        rows = [[make_cell(sobject, path, record) for path in tab.columns] for record in records]
        return self.render(
            "list.html",
            active=tab.slug,
            tab=tab,
            search=search,
            total=total,
            headings=[label_column(tab, path) for path in tab.columns],
            rows=rows,
            page=page,
            pages=pages,
            first=(page - 1) * PAGE_SIZE + 1,
            last=(page - 1) * PAGE_SIZE + len(rows),
            before=f"/{tab.slug}?{urlencode({'q': search, 'page': page - 1})}" if page > 1 else "",
            after=f"/{tab.slug}?{urlencode({'q': search, 'page': page + 1})}" if page < pages else "",
        )

    def redirect_to_record(self, identifier: str) -> Response:
        """Redirect to a record's page, or return the page that says there is none."""
        normalised = normalise_id(identifier)
        link = find_record_link(normalised) if normalised else ""
        return RedirectResponse(link, 303) if link else self.refuse_missing()

    async def find_page(self, request: Request) -> Response:
        """Answer GET /lightning/r/X/<id>/view, the address of a record's page in the real CRM."""
        return self.redirect_to_record(request.path_params["record_id"])

    async def show_record(self, request: Request) -> Response:
        """Answer GET on a record page such as /accounts/<id>. Records in the recycle bin have theirs, too."""
        tab = self.tabs.get(request.path_params["slug"])
        identifier = request.path_params["record_id"]
        record = find_record(self.service, tab, identifier, include_deleted=True) if tab else None
        if tab is None or record is None:
            return self.refuse_missing()
        others, others_total = self.list_other_accounts(record) if tab.object_name == "Account" else ([], 0)
        return self.render(
            "record.html",
            active=tab.slug,
            tab=tab,
            sobject=tab.sobject,
            record=record,
            title=record["Name"] or record["Id"],
            cells=make_cells(tab.sobject, record, system=False),
            system_cells=make_cells(tab.sobject, record, system=True),
            related=list_related(self.service, tab.sobject, record["Id"]),
            is_call=tab.object_name == "Call2_vod__c",
            is_account=tab.object_name == "Account",
            others=others,
            others_left_out=others_total - len(others),
            deleted=show_moment(record["LastModifiedDate"]) if record["IsDeleted"] else "",
            hidden=bool(list_hidden(self.service.organisation, record_ids=[record["Id"]])),
            marked=bool(record.get("Send_to_Vault_Clinical_vod__c")),
        )

    def list_other_accounts(self, record: dict[str, Any]) -> tuple[list[dict[str, Any]], int]:
        """Return up to 500 accounts that may be merged into an account, and the number of all of them."""
        return run_page(
            self.service,
            f"SELECT Id, Name, External_ID_vod__c FROM Account WHERE Id != '{record['Id']}' ORDER BY Name, Id",
            limit=ACCOUNT_CHOICES,
            offset=0,
        )


def label_column(tab: Tab, path: str) -> str:
    """Return the heading of a list's column."""
    relationship, _, name = path.rpartition(".")
    if relationship:
        return tab.sobject.by_relationship[relationship.lower()].label
    return tab.sobject.by_lower_name[name.lower()].label
