"""The recycle bin's page, and the buttons that delete, undelete, purge, merge, hide and show a record."""

# ruff: noqa: S608  SOQL with the schema's names

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute, Route

from crm_sync.sandbox.data.ids import normalise_id
from crm_sync.sandbox.data.merging import merge_accounts
from crm_sync.sandbox.data.records import PlannedRow
from crm_sync.sandbox.data.recycle_bin import (
    RECYCLE_BIN_DAYS,
    count_deleted,
    empty_deletion_log,
    empty_recycle_bin,
    purge_record,
    read_log_start,
    undelete_record,
)
from crm_sync.sandbox.data.visibility import hide_records, show_records
from crm_sync.sandbox.data.writes import delete_rows
from crm_sync.sandbox.errors import ApiError
from crm_sync.sandbox.pages.data import Cell, Tab, make_cell, run_page, show_moment
from crm_sync.sandbox.pages.frame import PageFrame

SHOWN = 200
ACTIONS = ("delete", "undelete", "purge", "merge", "hide", "show")


class RecyclingPages(PageFrame):
    """The recycle bin, and what is done to records without a form of their own."""

    def list_routes(self) -> list[BaseRoute]:
        """Return the routes. They must come before those that match any name."""
        return [
            Route("/recycle-bin", self.edit_bin, methods=["GET", "POST"]),
            *(
                Route(f"/{{slug}}/{{record_id}}/{action}", self.change_record, name=action, methods=["POST"])
                for action in ACTIONS
            ),
        ]

    # -- the bin --------------------------------------------------------------------------------------

    async def edit_bin(self, request: Request) -> Response:
        """Answer GET /recycle-bin with the records in it; POST purges them or empties the log of deletions."""
        organisation = self.service.organisation
        if request.method == "POST":
            form = await self.read_form(request)
            if form is None:
                return self.refuse_foreign()
            match form.get("action"):
                case "purge-old":
                    empty_recycle_bin(organisation, older_than_days=RECYCLE_BIN_DAYS)
                case "purge-all":
                    empty_recycle_bin(organisation)
                case "empty-log":
                    empty_deletion_log(organisation)
                case _:
                    return self.refuse(status=400, title="Nothing done", text="Press one of the buttons of the page.")
            return RedirectResponse("/recycle-bin", 303)
        rows = [row for tab in self.tabs.values() for row in self.list_deleted(tab)]
        total = sum(count_deleted(organisation).values())
        return self.render(
            "recycle_bin.html",
            active="recycle-bin",
            headings=[cell.label for cell in rows[0]] if rows else [],
            rows=rows,
            total=total,
            shown=len(rows),
            days=RECYCLE_BIN_DAYS,
            log_start=show_moment(read_log_start(organisation)),
        )

    def list_deleted(self, tab: Tab) -> list[list[Cell]]:
        """Return the rows of one object's deleted records, the latest first; at most 200."""
        merged = ", MasterRecord.Id, MasterRecord.Name" if tab.sobject.find_field("MasterRecordId") else ""
        records, _ = run_page(
            self.service,
            f"SELECT Id, Name, LastModifiedDate{merged} FROM {tab.object_name} WHERE IsDeleted = true "
            "ORDER BY LastModifiedDate DESC, Id",
            limit=SHOWN,
            offset=0,
            include_deleted=True,
        )
        return [
            [
                replace(make_cell(tab.sobject, "Name", record), label="Name"),
                Cell("Object", tab.sobject.label),
                Cell("Deleted", show_moment(record["LastModifiedDate"])),
                replace(make_cell(tab.sobject, "MasterRecord.Name", record), label="Merged into")
                if merged
                else Cell("Merged into", ""),
            ]
            for record in records
        ]

    # -- one record -----------------------------------------------------------------------------------

    async def change_record(self, request: Request) -> Response:
        """Answer POST /<list>/<id>/<action>: do it and return to the record, or say why not."""
        form = await self.read_form(request)
        if form is None:
            return self.refuse_foreign()
        tab = self.tabs.get(request.path_params["slug"])
        record_id = normalise_id(request.path_params["record_id"])
        if tab is None or record_id is None or not record_id.startswith(tab.sobject.key_prefix):
            return self.refuse_missing()
        action = request.url.path.rstrip("/").rpartition("/")[2]
        try:
            self.apply(action, tab, record_id, form)
        except ApiError as error:
            return self.refuse(status=400, title=f"{tab.sobject.label}: not done", text=error.message)
        gone = {"delete": f"/{tab.slug}", "purge": "/recycle-bin"}
        return RedirectResponse(gone.get(action, f"/{tab.slug}/{record_id}"), 303)

    def apply(self, action: str, tab: Tab, record_id: str, form: Mapping[str, Any]) -> None:
        """Carry out an action. Raises ApiError when the organisation refuses it."""
        organisation = self.service.organisation
        user_id = organisation.integration_user_id
        match action:
            case "delete":
                row = PlannedRow(tab.sobject, {}, id=record_id)
                delete_rows(organisation, [row], user_id=user_id, include_hidden=True)
                if row.error is not None:
                    raise row.error
            case "undelete":
                undelete_record(organisation, record_id=record_id, user_id=user_id)
            case "purge":
                purge_record(organisation, record_id=record_id)
            case "hide":
                hide_records(organisation, record_ids=[record_id])
            case "show":
                show_records(organisation, record_ids=[record_id])
            case "merge":
                losers = [form[name] for name in ("loser", "second_loser") if form.get(name)]
                merge_accounts(organisation, master_id=record_id, loser_ids=losers, user_id=user_id)
