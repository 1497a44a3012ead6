"""The pages on which a person creates and edits calls and marks them for Vault Clinical."""

# ruff: noqa: S608  SOQL with checked ids

from collections.abc import Mapping
from typing import Any

from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import BaseRoute, Route

from crm_sync.sandbox.data.ids import normalise_id
from crm_sync.sandbox.data.records import read_record
from crm_sync.sandbox.data.schema import VENDOR
from crm_sync.sandbox.data.writes import write_rows
from crm_sync.sandbox.errors import ApiError
from crm_sync.sandbox.pages.data import find_record, run_page
from crm_sync.sandbox.pages.frame import PageFrame

ACCOUNT_CHOICES = 500
FORM_FIELDS = (
    "Account_vod__c",
    "Call_Date_vod__c",
    "Call_Datetime_vod__c",
    "Call_Channel_vod__c",
    "Status_vod__c",
    "Send_to_Vault_Clinical_vod__c",
)


class CallPages(PageFrame):
    """The pages of calls."""

    def list_routes(self) -> list[BaseRoute]:
        """Return the routes below `/calls` that write."""
        return [
            Route("/calls/new", self.edit_call, methods=["GET", "POST"]),
            Route("/calls/{record_id}/edit", self.edit_call, methods=["GET", "POST"]),
            Route("/calls/{record_id}/send", self.send_call, methods=["POST"]),
        ]

    async def edit_call(self, request: Request) -> Response:
        """Answer GET and POST /calls/new and /calls/<id>/edit."""
        identifier = request.path_params.get("record_id")
        tab = self.tabs.get("calls")
        record = find_record(self.service, tab, identifier) if tab and identifier else None
        if tab is None or (identifier and record is None):
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
            row = read_record(self.service.organisation.schema["Call2_vod__c"], payload)
            row.id, row.created = (record["Id"], False) if record else (None, True)
            write_rows(self.service.organisation, [row], user_id=self.find_author(form), include_hidden=True)
            if row.error is not None:
                raise row.error
        except ApiError as error:
            return self.render_call_form(payload, record=record, error=error)
        return RedirectResponse(f"/calls/{row.id}", 303)

    def find_author(self, form: Mapping[str, str]) -> str:
        """Return the id of the user who enters a call: the one chosen in the form, or the integration user."""
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
        """Return the page with the form of a call, its values, and what is wrong with them."""
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
            channels=VENDOR["Call2_vod__c"].by_lower_name["call_channel_vod__c"].picklist,
            statuses=VENDOR["Call2_vod__c"].by_lower_name["status_vod__c"].picklist,
            users=self.service.organisation.users,
            error=error,
            error_fields=error.fields if error else [],
        )

    async def send_call(self, request: Request) -> Response:
        """Answer POST /calls/<id>/send: mark a call for Vault Clinical."""
        return await self.change_call(request, {"Send_to_Vault_Clinical_vod__c": True})

    async def change_call(self, request: Request, payload: Mapping[str, Any]) -> Response:
        """Write `payload` to the call of the address and return its page, or a page that says why not."""
        form = await self.read_form(request)
        if form is None:
            return self.refuse_foreign()
        record_id = normalise_id(request.path_params["record_id"])
        if record_id is None or "calls" not in self.tabs:
            return self.refuse_missing()
        row = read_record(self.service.organisation.schema["Call2_vod__c"], payload)
        row.id = record_id
        write_rows(self.service.organisation, [row], user_id=self.find_author(form), include_hidden=True)
        if row.error is not None:
            return self.refuse(status=400, title="The call was not changed", text=row.error.message)
        return RedirectResponse(f"/calls/{row.id}", 303)


def read_call_form(form: Mapping[str, str]) -> dict[str, Any]:
    """Return the fields of a call's form as the API takes them. A missing date is taken from the datetime."""
    payload: dict[str, Any] = {name: form.get(name, "") or None for name in FORM_FIELDS}
    payload["Send_to_Vault_Clinical_vod__c"] = "Send_to_Vault_Clinical_vod__c" in form
    moment = payload["Call_Datetime_vod__c"]
    if moment:
        payload["Call_Date_vod__c"] = payload["Call_Date_vod__c"] or str(moment)[:10]
    return payload
