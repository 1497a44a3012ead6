"""The pages for misbehaviour and the request log, which the real CRM does not have."""

from collections.abc import Mapping

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute, Route

from crm_sync.sandbox.misbehaviour import SETTING_CHOICES
from crm_sync.sandbox.pages.frame import PageFrame
from crm_sync.sandbox.pages.misbehaviour_form import EFFECTS, METHODS, read_rule, read_settings
from crm_sync.sandbox.service import FIRST_ERROR_STATUS

LOG_ROWS = 200


class ToolPages(PageFrame):
    """The pages for misbehaviour and the request log."""

    def list_routes(self) -> list[BaseRoute]:
        """Return the routes."""
        return [
            Route("/misbehaviour", self.edit_misbehaviour, methods=["GET", "POST"]),
            Route("/certificate", self.upload_certificate, methods=["POST"]),
            Route("/log", self.show_log, methods=["GET", "POST"]),
        ]

    async def edit_misbehaviour(self, request: Request) -> Response:
        """Answer GET and POST /misbehaviour."""
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
            choices=SETTING_CHOICES,
            methods=METHODS,
            objects=self.service.organisation.schema.objects,
            form=form,
            error=error,
        )

    def apply_misbehaviour(self, form: Mapping[str, str]) -> None:
        """Carry out the action of the pressed button. Raises ValueError with what to correct."""
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

    async def upload_certificate(self, request: Request) -> Response:
        """Answer POST /certificate: the certificate of a connected app, pasted into the form of the overview."""
        form = await self.read_form(request)
        if form is None:
            return self.refuse_foreign()
        try:
            self.service.organisation.upload_certificate(
                pem=form.get("certificate", ""), client_id=form.get("client_id", "")
            )
        except ValueError as refused:
            return self.refuse(status=400, title="Not uploaded", text=str(refused))
        return RedirectResponse("/#certificate", 303)

    async def show_log(self, request: Request) -> Response:
        """Answer GET /log with the last requests; POST empties the log."""
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
                    "handed_over": entry.handed_over,
                }
                for entry in entries
            ],
        )
