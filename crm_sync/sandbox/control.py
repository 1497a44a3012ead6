"""The control interface: telling a sandbox to misbehave, and reading its log. The real CRM has none of this."""

import json
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from crm_sync.sandbox.service import Service


def is_same_origin(request: Request) -> bool:
    """Whether a browser sent this from the sandbox's own pages; programs send no Origin and are believed."""
    origin = request.headers.get("origin")
    if origin is None:
        return request.headers.get("sec-fetch-site", "none") in {"none", "same-origin"}
    return origin.partition("://")[2] == request.headers.get("host")


class Control:
    """The handlers of one organisation."""

    def __init__(self, service: Service) -> None:
        """Control this organisation."""
        self.service = service

    def list_routes(self) -> list[BaseRoute]:
        """Return the routes below ``/_sandbox``."""
        return [
            Route("/_sandbox/health", self.read_health, methods=["GET"]),
            Route("/_sandbox/misbehave", self.misbehave, methods=["GET", "POST", "DELETE"]),
            Route("/_sandbox/misbehave/{rule_id:int}", self.remove_rule, methods=["DELETE"]),
            Route("/_sandbox/sessions", self.expire_sessions, methods=["DELETE"]),
            Route("/_sandbox/usage", self.reset_usage, methods=["DELETE"]),
            Route("/_sandbox/log", self.log, methods=["GET", "DELETE"]),
        ]

    async def read_health(self, _request: Request) -> Response:
        """GET /_sandbox/health."""
        return JSONResponse({"status": "ok", "organisation": self.service.organisation.name})

    def describe(self) -> dict[str, Any]:
        """Return settings and rules."""
        misbehaviour = self.service.misbehaviour
        return {"settings": misbehaviour.read_settings(), "rules": [rule.as_json() for rule in misbehaviour.rules]}

    async def misbehave(self, request: Request) -> Response:
        """GET: settings and rules. POST ``{settings?, match?, effect?, rules?}``: add. DELETE: behave well again."""
        if request.method == "GET":
            return JSONResponse(self.describe())
        if not is_same_origin(request):
            return JSONResponse({"error": "Requests from other sites are refused."}, 403)
        if request.method == "DELETE":
            self.service.misbehaviour.clear()
            return JSONResponse(self.describe())
        if not request.headers.get("content-type", "").startswith("application/json"):
            return JSONResponse({"error": "Send application/json."}, 415)
        try:
            body = json.loads(await request.body())
            self.apply(body)
        except (ValueError, TypeError) as error:
            return JSONResponse({"error": str(error)}, 400)
        return JSONResponse(self.describe(), 201)

    def apply(self, body: Any) -> None:
        """Apply a body of POST. Raises ValueError or TypeError."""
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
        """DELETE /_sandbox/misbehave/<id>."""
        if not is_same_origin(request):
            return JSONResponse({"error": "Requests from other sites are refused."}, 403)
        removed = self.service.misbehaviour.remove_rule(int(request.path_params["rule_id"]))
        return JSONResponse(self.describe(), 200 if removed else 404)

    async def expire_sessions(self, request: Request) -> Response:
        """DELETE /_sandbox/sessions: every token becomes invalid."""
        if not is_same_origin(request):
            return JSONResponse({"error": "Requests from other sites are refused."}, 403)
        return JSONResponse({"expired": self.service.organisation.sessions.expire_all()})

    async def reset_usage(self, request: Request) -> Response:
        """DELETE /_sandbox/usage: the count of API calls begins again."""
        if not is_same_origin(request):
            return JSONResponse({"error": "Requests from other sites are refused."}, 403)
        self.service.organisation.usage.reset()
        return JSONResponse({"used": 0})

    async def log(self, request: Request) -> Response:
        """GET: the requests so far. DELETE: forget them."""
        if request.method == "DELETE":
            if not is_same_origin(request):
                return JSONResponse({"error": "Requests from other sites are refused."}, 403)
            self.service.log.clear()
        return JSONResponse(
            [
                {
                    "at": entry.at.isoformat(),
                    "method": entry.method,
                    "path": entry.path,
                    "status": entry.status,
                    "ms": round(entry.milliseconds, 2),
                }
                for entry in self.service.log
            ]
        )
