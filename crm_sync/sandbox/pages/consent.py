"""The pages on which a person lets an app in: the log-in of the web server flow, and the code of a device."""

import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode, urlsplit

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute, Route

from crm_sync.sandbox.api.oauth import OAuthError, check_password, find_app
from crm_sync.sandbox.data.credentials import ConnectedApp
from crm_sync.sandbox.data.grants import DEFAULT_SCOPE, Grant
from crm_sync.sandbox.errors import LOG_IN_REFUSALS
from crm_sync.sandbox.pages.frame import SECURITY_HEADERS, PageFrame

LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})
S256 = re.compile(r"[A-Za-z0-9_-]{43,128}")


class ConsentPages(PageFrame):
    """The pages of both flows."""

    def list_routes(self) -> list[BaseRoute]:
        """Return the routes, which come before those of the API."""
        return [
            Route("/services/oauth2/authorize", self.authorize, methods=["GET", "POST"]),
            Route("/services/oauth2/success", self.show_success, methods=["GET"]),
            Route("/setup/connect", self.connect_device, methods=["GET", "POST"]),
        ]

    async def authorize(self, request: Request) -> Response:
        """Answer GET and POST /services/oauth2/authorize: log a person in and send the app its code."""
        asked = dict(request.query_params)
        try:
            app = find_app(self.service, form=asked, authorization="", needs_secret=False)
            check_request(app, asked, base_url=f"{request.url.scheme}://{request.headers.get('host', '')}")
        except OAuthError as error:
            # Nothing is sent to an address that the app may not have.
            return self.refuse(status=400, title=f"OAuth error: {error.error}", text=error.description)
        if request.method == "GET":
            return self.ask(asked, app=app)
        form = await self.read_form(request)
        if form is None:
            return self.refuse_foreign()
        if form.get("action") == "deny":
            refusal = {"error": "access_denied", "error_description": "end-user denied authorization"}
            return send_back(asked, refusal)
        user_id = self.log_in(form)
        if not user_id:
            return self.ask(asked, app=app, failed=True, username=form.get("username", ""))
        code = self.service.grants.add_code(
            Grant(
                client_id=app.client_id,
                scope=asked.get("scope") or DEFAULT_SCOPE,
                user_id=user_id,
                redirect_uri=asked["redirect_uri"],
                challenge=asked.get("code_challenge", ""),
                nonce=asked.get("nonce", ""),
            )
        )
        return send_back(asked, {"code": code})

    def log_in(self, form: Mapping[str, str]) -> str:
        """Return the id of the user whose name and password were typed; an empty text if they are wrong."""
        user = check_password(self.service, username=form.get("username", ""), password=form.get("password", ""))
        is_refused = self.service.misbehaviour.refuse_log_in in LOG_IN_REFUSALS
        return user.id if user is not None and not is_refused else ""

    def ask(self, asked: Mapping[str, str], *, app: ConnectedApp, failed: bool = False, username: str = "") -> Response:
        """Return the page that asks for name and password."""
        page = self.render(
            "consent.html",
            active="",
            status=401 if failed else 200,
            app=app.label,
            scopes=(asked.get("scope") or DEFAULT_SCOPE).split(),
            username=username or asked.get("login_hint", ""),
            failed=failed,
            device=False,
        )
        # The form leads to the app in the end, which a browser only follows where the policy names it.
        policy = SECURITY_HEADERS["Content-Security-Policy"]
        target = f"form-action 'self' {find_origin(asked['redirect_uri'])}"
        policy = policy.replace("form-action 'self'", target)
        page.headers["Content-Security-Policy"] = policy
        return page

    async def show_success(self, _request: Request) -> Response:
        """Answer GET /services/oauth2/success, for apps that have no address of their own."""
        return self.render("message.html", active="", title="You are logged in", text="Go back to the app that asked.")

    async def connect_device(self, request: Request) -> Response:
        """Answer GET and POST /setup/connect: take the code that a device shows."""
        typed = request.query_params.get("user_code", "")
        if request.method == "GET":
            return self.ask_for_code(typed)
        form = await self.read_form(request)
        if form is None:
            return self.refuse_foreign()
        grant = self.service.grants.find_device_of_person(form.get("user_code", ""))
        if grant is None:
            return self.ask_for_code(form.get("user_code", ""), error="There is no such code, or it has expired.")
        if form.get("action") == "deny":
            grant.is_refused = True
            return self.render("message.html", active="", title="Refused", text="The device was not let in.")
        user_id = self.log_in(form)
        if not user_id:
            return self.ask_for_code(form["user_code"], error="User name or password is wrong.")
        grant.user_id = user_id
        return await self.show_success(request)

    def ask_for_code(self, user_code: str, *, error: str = "") -> Response:
        """Return the page that asks for a device's code, name and password."""
        return self.render(
            "consent.html", active="", status=400 if error else 200, device=True, user_code=user_code, error=error
        )


def check_request(app: ConnectedApp, asked: Mapping[str, str], *, base_url: str) -> None:
    """Raise OAuthError for a request that the CRM refuses before it asks anybody."""
    if "authorization_code" not in app.flows:
        raise OAuthError("invalid_request", "the web server flow is not enabled for this app")
    if asked.get("response_type") != "code":
        raise OAuthError("unsupported_response_type", "response type not supported: ask for response_type=code")
    address = asked.get("redirect_uri", "")
    if address != f"{base_url}/services/oauth2/success" and not find_origin(address):
        raise OAuthError("redirect_uri_mismatch", "redirect_uri must be on this machine (localhost) in the sandbox")
    challenge = asked.get("code_challenge", "")
    if challenge and (asked.get("code_challenge_method", "S256") != "S256" or not S256.fullmatch(challenge)):
        raise OAuthError("invalid_request", "code_challenge must be a SHA-256 challenge (S256)")
    if not challenge and not app.client_secret:
        raise OAuthError("invalid_request", "missing required code challenge")


def find_origin(address: str) -> str:
    """Return scheme, host and port of an address on this machine, or an empty text for any other."""
    try:
        parts = urlsplit(address)
        port = f":{parts.port}" if parts.port else ""
    except ValueError:
        return ""
    if parts.scheme not in {"http", "https"} or parts.hostname not in LOOPBACK or "@" in parts.netloc:
        return ""
    return f"{parts.scheme}://{f'[{parts.hostname}]' if ':' in parts.hostname else parts.hostname}{port}"


def send_back(asked: Mapping[str, str], answer: dict[str, Any]) -> Response:
    """Return the redirection to the app, with its state."""
    if asked.get("state"):
        answer["state"] = asked["state"]
    address = asked["redirect_uri"]
    joint = "&" if urlsplit(address).query else "?"
    return RedirectResponse(f"{address}{joint}{urlencode(answer)}", 302, {"Cache-Control": "no-store"})
