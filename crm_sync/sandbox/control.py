"""The HTTP interface of a sandbox for tests: misbehaviour, the log, and what people and administrators do to records.

The real CRM has nothing like it below `/_sandbox`; what it does to records, the CRM does by SOAP or on its pages.
"""

import json
from collections.abc import Awaitable, Callable
from dataclasses import asdict
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from crm_sync.sandbox.data.ids import normalise_id
from crm_sync.sandbox.data.merging import merge_accounts
from crm_sync.sandbox.data.recycle_bin import (
    count_deleted,
    empty_deletion_log,
    empty_recycle_bin,
    purge_record,
    undelete_record,
)
from crm_sync.sandbox.data.visibility import hide_records, show_records
from crm_sync.sandbox.errors import ApiError, not_found
from crm_sync.sandbox.service import Service

MOST_DAYS = 3_650
Handler = Callable[[Request], Awaitable[Response]]


def is_same_origin(request: Request) -> bool:
    """Whether the request came from the sandbox's own pages or from a program, which sends no Origin header."""
    origin = request.headers.get("origin")
    if origin is None:
        return request.headers.get("sec-fetch-site", "none") in {"none", "same-origin"}
    return origin.partition("://")[2] == request.headers.get("host")


def guard(handler: Handler) -> Handler:
    """Return a handler that refuses what other sites send (403), and answers ApiError and ValueError as JSON."""

    async def answer(request: Request) -> Response:
        if request.method != "GET" and not is_same_origin(request):
            return JSONResponse({"error": "Requests from other sites are refused."}, 403)
        try:
            return await handler(request)
        except ApiError as error:
            return JSONResponse(error.as_body(), error.status)
        except (ValueError, TypeError) as error:
            return JSONResponse({"error": str(error)}, 400)

    return answer


async def read_json(request: Request) -> dict[str, Any]:
    """Return the JSON object of a request's body, or an empty one without a body. Raises ValueError or TypeError."""
    body = json.loads(await request.body() or b"{}")
    if not isinstance(body, dict):
        raise TypeError("The body must be a JSON object.")
    return body


class Control:
    """The handlers of the control interface of one organisation."""

    def __init__(self, service: Service) -> None:
        """Control this organisation."""
        self.service = service

    def list_routes(self) -> list[BaseRoute]:
        """Return the routes below `/_sandbox`."""
        routes: list[tuple[str, Handler, list[str]]] = [
            ("/_sandbox/health", self.read_health, ["GET"]),
            ("/_sandbox/misbehave", self.misbehave, ["GET", "POST", "DELETE"]),
            ("/_sandbox/misbehave/{rule_id:int}", self.remove_rule, ["DELETE"]),
            ("/_sandbox/sessions", self.expire_sessions, ["DELETE"]),
            ("/_sandbox/usage", self.reset_usage, ["DELETE"]),
            ("/_sandbox/certificate", self.upload_certificate, ["POST"]),
            ("/_sandbox/log", self.log, ["GET", "DELETE"]),
            ("/_sandbox/written", self.list_written, ["GET"]),
            ("/_sandbox/recycle-bin", self.recycle_bin, ["GET", "DELETE"]),
            ("/_sandbox/deletion-log", self.empty_deletion_log, ["DELETE"]),
            ("/_sandbox/records/{record_id}/{action}", self.change_record, ["POST"]),
        ]
        return [Route(path, guard(handler), methods=methods) for path, handler, methods in routes]

    async def read_health(self, _request: Request) -> Response:
        """Answer GET /_sandbox/health."""
        return JSONResponse({"status": "ok", "organisation": self.service.organisation.name})

    def describe(self) -> dict[str, Any]:
        """Return the settings and rules as JSON values."""
        misbehaviour = self.service.misbehaviour
        return {"settings": misbehaviour.read_settings(), "rules": [rule.as_json() for rule in misbehaviour.rules]}

    async def misbehave(self, request: Request) -> Response:
        """Answer /_sandbox/misbehave: GET reads settings and rules, POST adds to them, DELETE removes all rules.

        The body of POST is `{settings?, match?, effect?, rules?}`.
        """
        if request.method == "GET":
            return JSONResponse(self.describe())
        if request.method == "DELETE":
            self.service.misbehaviour.clear()
            return JSONResponse(self.describe())
        if not request.headers.get("content-type", "").startswith("application/json"):
            return JSONResponse({"error": "Send application/json."}, 415)
        self.apply(json.loads(await request.body()))
        return JSONResponse(self.describe(), 201)

    def apply(self, body: Any) -> None:
        """Apply the body of a POST. Raises ValueError or TypeError that says what is wrong with it."""
        if not isinstance(body, dict):
            raise TypeError("The body must be a JSON object.")
        unknown = set(body) - {"settings", "match", "effect", "rules"}
        if unknown:
            raise ValueError(f"Unknown: {', '.join(sorted(unknown))}. Known: settings, match, effect, rules.")
        self.service.misbehaviour.change_settings(body.get("settings") or {})
        rules = list(body.get("rules") or [])
        if "effect" in body:
            rules.append({"match": body.get("match"), "effect": body["effect"]})
        for rule in rules:
            if not isinstance(rule, dict) or not isinstance(rule.get("effect"), dict):
                raise TypeError("A rule is {match?: {…}, effect: {…}}.")
            self.service.misbehaviour.add_rule(match=rule.get("match"), effect=rule["effect"])

    async def remove_rule(self, request: Request) -> Response:
        """Answer DELETE /_sandbox/misbehave/<id>."""
        removed = self.service.misbehaviour.remove_rule(int(request.path_params["rule_id"]))
        return JSONResponse(self.describe(), 200 if removed else 404)

    async def expire_sessions(self, _request: Request) -> Response:
        """Answer DELETE /_sandbox/sessions: end every session."""
        return JSONResponse({"expired": self.service.organisation.sessions.expire_all()})

    async def upload_certificate(self, request: Request) -> Response:
        """Answer POST /_sandbox/certificate, whose body is a PEM text; `?client_id=` names an app."""
        pem = (await request.body()).decode("ascii", "replace")
        client_id = request.query_params.get("client_id", "")
        app = self.service.organisation.upload_certificate(pem=pem, client_id=client_id)
        return JSONResponse({"label": app.label, "client_id": app.client_id})

    async def reset_usage(self, _request: Request) -> Response:
        """Answer DELETE /_sandbox/usage: set the count of API calls to 0."""
        self.service.organisation.usage.reset()
        return JSONResponse({"used": 0})

    async def log(self, request: Request) -> Response:
        """Answer GET /_sandbox/log with the requests so far, oldest first; DELETE empties the log."""
        if request.method == "DELETE":
            self.service.log.clear()
        return JSONResponse(
            [
                {
                    "at": entry.at.isoformat(),
                    "method": entry.method,
                    "path": entry.path,
                    "status": entry.status,
                    "ms": round(entry.milliseconds, 2),
                    "handed_over": entry.handed_over,
                }
                for entry in self.service.log
            ]
        )

    async def list_written(self, request: Request) -> Response:
        """Answer GET /_sandbox/written with what requests did to records, oldest first; status 0: answer withheld.

        `?record=` names one record by its id or its external id.
        """
        written = self.service.log.list_written(request.query_params.get("record", ""))
        return JSONResponse(
            [{"at": entry.at.isoformat(), "status": entry.status, **asdict(record)} for entry, record in written]
        )

    # -- records --------------------------------------------------------------------------------------

    async def recycle_bin(self, request: Request) -> Response:
        """Answer GET /_sandbox/recycle-bin with the number of deleted records by object; DELETE purges them.

        `?older_than_days=15` purges only what was deleted longer ago, as the CRM does by itself.
        """
        if request.method == "DELETE":
            days = float(request.query_params.get("older_than_days", "0"))
            if not 0 <= days <= MOST_DAYS:
                raise ValueError(f"older_than_days must be a number from 0 to {MOST_DAYS}.")
            return JSONResponse({"purged": empty_recycle_bin(self.service.organisation, older_than_days=days)})
        return JSONResponse(count_deleted(self.service.organisation))

    async def empty_deletion_log(self, _request: Request) -> Response:
        """Answer DELETE /_sandbox/deletion-log: `getDeleted` forgets all deletions so far."""
        return JSONResponse({"known_since": empty_deletion_log(self.service.organisation)})

    async def change_record(self, request: Request) -> Response:
        """Answer POST /_sandbox/records/<id>/<action>: undelete, purge, hide, show or merge.

        The body of merge is `{"losers": [ids], "values"?: {fields of the master}}`; the others take none.
        """
        record_id = normalise_id(request.path_params["record_id"])
        if record_id is None or self.service.organisation.schema.find_by_id(record_id) is None:
            raise not_found()
        organisation = self.service.organisation
        user_id = organisation.integration_user_id
        match request.path_params["action"]:
            case "undelete":
                undelete_record(organisation, record_id=record_id, user_id=user_id)
            case "purge":
                purge_record(organisation, record_id=record_id)
            case "hide":
                hide_records(organisation, record_ids=[record_id])
            case "show":
                show_records(organisation, record_ids=[record_id])
            case "merge":
                body = await read_json(request)
                losers = [normalise_id(str(entry)) or "" for entry in body.get("losers", [])]
                merge_accounts(
                    organisation, master_id=record_id, loser_ids=losers, user_id=user_id, values=body.get("values")
                )
            case _:
                raise not_found()
        return JSONResponse({"id": record_id, "success": True})
