"""The web pages of an organisation: lists and records for everybody, calls to create, edit, delete and send."""

# ruff: noqa: S608  SOQL, built from the schema's names, checked ids and escaped text

from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlencode

from django.template import Context, Engine
from starlette.requests import Request
from starlette.responses import HTMLResponse, PlainTextResponse, RedirectResponse, Response
from starlette.routing import BaseRoute, Route

from crm_sync.sandbox.control import is_same_origin
from crm_sync.sandbox.errors import ApiError
from crm_sync.sandbox.ids import normalise_id
from crm_sync.sandbox.misbehaviour_form import EFFECTS, METHODS, read_rule, read_settings
from crm_sync.sandbox.pages_data import (
    PAGE_SIZE,
    TABS,
    TABS_BY_SLUG,
    Tab,
    find_record,
    find_record_link,
    list_page,
    list_related,
    make_cell,
    make_cells,
    run_page,
)
from crm_sync.sandbox.records import PlannedRow, read_record
from crm_sync.sandbox.schema import CALL, OBJECTS
from crm_sync.sandbox.service import FIRST_ERROR_STATUS, Service
from crm_sync.sandbox.writes import delete_rows, write_rows

TEMPLATES = Path(__file__).resolve().parents[2] / "templates" / "crm_sandbox"
LOG_ROWS = 200
ACCOUNT_CHOICES = 500
FORM_FIELDS = (
    "Account_vod__c",
    "Call_Date_vod__c",
    "Call_Datetime_vod__c",
    "Call_Channel_vod__c",
    "Status_vod__c",
    "Send_to_Vault_Clinical_vod__c",
)
SECURITY_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; style-src 'self'; img-src data:; form-action 'self'; "
    "base-uri 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cache-Control": "no-store",
}


class Pages:
    """The pages of one organisation."""

    def __init__(self, service: Service) -> None:
        """Show this organisation."""
        self.service = service
        self.engine = Engine(dirs=[str(TEMPLATES)])

    def list_routes(self) -> list[BaseRoute]:
        """Return the routes of the pages; they come after those of the API."""
        return [
            Route("/", self.show_overview, methods=["GET"]),
            Route("/style.css", self.send_style, methods=["GET"]),
            Route("/misbehaviour", self.edit_misbehaviour, methods=["GET", "POST"]),
            Route("/log", self.show_log, methods=["GET", "POST"]),
            Route("/calls/new", self.edit_call, methods=["GET", "POST"]),
            Route("/calls/{record_id}/edit", self.edit_call, methods=["GET", "POST"]),
            Route("/calls/{record_id}/send", self.send_call, methods=["POST"]),
            Route("/calls/{record_id}/delete", self.delete_call, methods=["POST"]),
            Route("/lightning/r/{name}/{record_id}/view", self.find_page, methods=["GET"]),
            Route("/{slug}", self.show_list, methods=["GET"]),
            Route("/{slug}/{record_id}", self.show_record, methods=["GET"]),
        ]

    # -- drawing --------------------------------------------------------------------------------------

    def render(self, template: str, *, active: str, status: int = 200, **content: Any) -> HTMLResponse:
        """Return a page. Everything in ``content`` is escaped by the template."""
        organisation = self.service.organisation
        context = Context(
            {
                "organisation": organisation.name,
                "tabs": TABS,
                "active": active,
                "usage_used": organisation.usage.used,
                "usage_limit": organisation.usage.limit,
                "rules": self.service.misbehaviour.rules,
                **content,
            },
            use_l10n=False,
            use_tz=False,
        )
        return HTMLResponse(self.engine.get_template(template).render(context), status, SECURITY_HEADERS)

    def refuse(self, *, status: int, title: str, text: str) -> HTMLResponse:
        """Return a page that says what went wrong and what to do."""
        return self.render("message.html", active="", status=status, title=title, text=text)

    def refuse_missing(self) -> HTMLResponse:
        """Return the page for an address that leads nowhere."""
        return self.refuse(
            status=404,
            title="Nothing here",
            text="There is no such page or record; it may have been deleted. Choose a list above.",
        )

    async def read_form(self, request: Request) -> dict[str, str] | None:
        """Return the form of a request of our own pages, or None when another site sent it."""
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

    async def send_style(self, _request: Request) -> Response:
        """GET /style.css."""
        style = (TEMPLATES / "style.css").read_text(encoding="utf-8")
        return PlainTextResponse(style, headers={"Cache-Control": "max-age=60"}, media_type="text/css")

    # -- lists and records ----------------------------------------------------------------------------

    async def show_overview(self, request: Request) -> Response:
        """GET /: what there is, and how to log in."""
        organisation = self.service.organisation
        return self.render(
            "overview.html",
            active="overview",
            counts=[(tab, organisation.count_records(object_name=tab.object_name)) for tab in TABS],
            base_url=f"{request.url.scheme}://{request.headers.get('host', '')}",
            users=organisation.users,
            apps=organisation.connected_apps,
            organisation_id=organisation.id,
        )

    async def show_list(self, request: Request) -> Response:
        """GET /accounts and its like; also /<record id>, as the real CRM addresses records."""
        tab = TABS_BY_SLUG.get(request.path_params["slug"])
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
        """Return the way to a record's page, or the page that says there is none."""
        normalised = normalise_id(identifier)
        link = find_record_link(normalised) if normalised else ""
        return RedirectResponse(link, 303) if link else self.refuse_missing()

    async def find_page(self, request: Request) -> Response:
        """GET /lightning/r/X/<id>/view: the address the real CRM's own pages have."""
        return self.redirect_to_record(request.path_params["record_id"])

    async def show_record(self, request: Request) -> Response:
        """GET /accounts/<id> and its like."""
        tab = TABS_BY_SLUG.get(request.path_params["slug"])
        record = find_record(self.service, tab, request.path_params["record_id"]) if tab else None
        if tab is None or record is None:
            return self.refuse_missing()
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
            is_call=tab.sobject is CALL,
            marked=bool(record.get("Send_to_Vault_Clinical_vod__c")),
        )

    # -- calls ----------------------------------------------------------------------------------------

    async def edit_call(self, request: Request) -> Response:
        """GET and POST /calls/new and /calls/<id>/edit."""
        identifier = request.path_params.get("record_id")
        record = find_record(self.service, TABS_BY_SLUG["calls"], identifier) if identifier else None
        if identifier and record is None:
            return self.refuse_missing()
        if request.method == "GET":
            values = {name: record[name] for name in FORM_FIELDS} if record else {"Status_vod__c": "Planned_vod"}
            if not record:
                values["Account_vod__c"] = request.query_params.get("account", "")
            return self.render_call_form(values, record=record)
        form = await self.read_form(request)
        if form is None:
            return self.refuse_foreign()
        payload = read_call_form(form)
        try:
            row = read_record(CALL, payload)
            row.id, row.created = (record["Id"], False) if record else (None, True)
            write_rows(self.service.organisation, [row], user_id=self.find_author(form))
            if row.error is not None:
                raise row.error
        except ApiError as error:
            return self.render_call_form(payload, record=record, error=error)
        return RedirectResponse(f"/calls/{row.id}", 303)

    def find_author(self, form: Mapping[str, str]) -> str:
        """Return the user a call is entered by: the one chosen, or the first."""
        users = {user.id for user in self.service.organisation.users}
        chosen = form.get("author", "")
        return chosen if chosen in users else self.service.organisation.integration_user_id

    def render_call_form(
        self,
        values: Mapping[str, Any],
        *,
        record: dict[str, Any] | None,
        error: ApiError | None = None,
    ) -> HTMLResponse:
        """Return the form of a call, with what was typed and what is wrong with it."""
        accounts, total = run_page(
            self.service, "SELECT Id, Name, PersonEmail FROM Account ORDER BY Name", limit=ACCOUNT_CHOICES, offset=0
        )
        chosen = values.get("Account_vod__c")
        if chosen and normalise_id(str(chosen)) and chosen not in {account["Id"] for account in accounts}:
            found, _ = run_page(
                self.service, f"SELECT Id, Name, PersonEmail FROM Account WHERE Id = '{chosen}'", limit=1, offset=0
            )
            accounts = found + accounts
        moment = str(values.get("Call_Datetime_vod__c") or "")[:16]
        return self.render(
            "call_form.html",
            active="calls",
            status=400 if error else 200,
            record=record,
            values=values,
            moment=moment,
            accounts=accounts,
            accounts_hidden=max(total - ACCOUNT_CHOICES, 0),
            channels=CALL.by_lower_name["call_channel_vod__c"].picklist,
            statuses=CALL.by_lower_name["status_vod__c"].picklist,
            users=self.service.organisation.users,
            error=error,
            error_fields=error.fields if error else [],
        )

    async def send_call(self, request: Request) -> Response:
        """POST /calls/<id>/send: mark a call for Vault Clinical."""
        return await self.change_call(request, {"Send_to_Vault_Clinical_vod__c": True})

    async def change_call(self, request: Request, payload: Mapping[str, Any]) -> Response:
        """Change a call as its page's buttons do."""
        form = await self.read_form(request)
        if form is None:
            return self.refuse_foreign()
        row = read_record(CALL, payload)
        row.id = normalise_id(request.path_params["record_id"])
        if row.id is None:
            return self.refuse_missing()
        write_rows(self.service.organisation, [row], user_id=self.find_author(form))
        if row.error is not None:
            return self.refuse(status=400, title="The call was not changed", text=row.error.message)
        return RedirectResponse(f"/calls/{row.id}", 303)

    async def delete_call(self, request: Request) -> Response:
        """POST /calls/<id>/delete."""
        form = await self.read_form(request)
        if form is None:
            return self.refuse_foreign()
        row = PlannedRow(CALL, {}, id=normalise_id(request.path_params["record_id"]))
        if row.id is None:
            return self.refuse_missing()
        delete_rows(self.service.organisation, [row], user_id=self.find_author(form))
        if row.error is not None:
            return self.refuse(status=400, title="The call was not deleted", text=row.error.message)
        return RedirectResponse("/calls", 303)

    # -- misbehaviour and log -------------------------------------------------------------------------

    async def edit_misbehaviour(self, request: Request) -> Response:
        """GET and POST /misbehaviour."""
        error = ""
        form: dict[str, str] = {}
        if request.method == "POST":
            given = await self.read_form(request)
            if given is None:
                return self.refuse_foreign()
            form = given
            try:
                self.apply_misbehaviour(form)
            except ValueError as refused:
                error = str(refused)
            else:
                return RedirectResponse("/misbehaviour", 303)
        misbehaviour = self.service.misbehaviour
        return self.render(
            "misbehaviour.html",
            active="misbehaviour",
            status=400 if error else 200,
            settings=misbehaviour.read_settings(),
            described=[rule.as_json() for rule in misbehaviour.rules],
            effects=EFFECTS,
            methods=METHODS,
            objects=OBJECTS,
            form=form,
            error=error,
        )

    def apply_misbehaviour(self, form: Mapping[str, str]) -> None:
        """Do what a button of the page says. Raises ValueError with what to correct."""
        misbehaviour = self.service.misbehaviour
        action = form.get("action", "")
        if action == "settings":
            misbehaviour.change_settings(read_settings(form))
        elif action == "add":
            match, effect = read_rule(form)
            misbehaviour.add_rule(match=match, effect=effect)
        elif action == "remove" and form.get("rule", "").isdecimal():
            misbehaviour.remove_rule(int(form["rule"]))
        elif action == "clear":
            misbehaviour.clear()
        elif action == "expire":
            self.service.organisation.sessions.expire_all()
        elif action == "reset-usage":
            self.service.organisation.usage.reset()
        else:
            raise ValueError("Press one of the buttons of this page.")

    async def show_log(self, request: Request) -> Response:
        """GET /log: the last calls; POST: forget them."""
        if request.method == "POST":
            if await self.read_form(request) is None:
                return self.refuse_foreign()
            self.service.log.clear()
            return RedirectResponse("/log", 303)
        entries = list(self.service.log)[-LOG_ROWS:][::-1]
        return self.render(
            "log.html",
            active="log",
            total=len(self.service.log),
            entries=[
                {
                    "at": entry.at.strftime("%Y-%m-%d %H:%M:%S"),
                    "method": entry.method,
                    "path": entry.path,
                    "status": entry.status or "dropped",
                    "failed": not 0 < entry.status < FIRST_ERROR_STATUS,
                    "ms": f"{entry.milliseconds:.1f}",
                }
                for entry in entries
            ],
        )


def label_column(tab: Tab, path: str) -> str:
    """Return the heading of a list's column."""
    relationship, _, name = path.rpartition(".")
    if relationship:
        return tab.sobject.by_relationship[relationship.lower()].label
    return tab.sobject.by_lower_name[name.lower()].label


def read_call_form(form: Mapping[str, str]) -> dict[str, Any]:
    """Return the fields of a call's form as the API would get them; a missing day is that of the moment."""
    payload: dict[str, Any] = {name: form.get(name, "") or None for name in FORM_FIELDS}
    payload["Send_to_Vault_Clinical_vod__c"] = "Send_to_Vault_Clinical_vod__c" in form
    moment = payload["Call_Datetime_vod__c"]
    if moment:
        payload["Call_Date_vod__c"] = payload["Call_Date_vod__c"] or str(moment)[:10]
    return payload
