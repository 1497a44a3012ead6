"""The page that deletes a connection: it says what is deleted, and asks whether the links are to be kept."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from django.contrib import messages
from django.contrib.admin.utils import unquote
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import reverse

from connections.models import Connection
from connections.services import set_connection_status
from crm_sync.actions.connection_removal import Traces, count_traces, delete_connection, find_obstacle
from crm_sync.admin.connection_health import build_items_url
from crm_sync.admin.connection_removal_form import KEEP, RemoveConnectionForm
from crm_sync.models import AccountMatch, IntegrationRun, TransferLink
from ctms.accounts.policies import has_permission
from ctms.audit.admin.base import AuditedModelAdmin
from ctms.audit.admin.pages import extend_page
from ctms.audit.admin.writing import build_actor, get_user
from ctms.core.choices import RecordStatus
from ctms.core.errors import StaleRecordError, VaultError
from exceptions_log.models import ExceptionItem

if TYPE_CHECKING:
    from django.db import models


@dataclass(frozen=True, slots=True, kw_only=True)
class Fact:
    """Number and fate of one kind of rows of a connection; `url` is their list, empty if the user may not see it."""

    what: str
    number: int
    fate: str
    url: str = ""

    @property
    def shown_number(self) -> str:
        """The number with commas between thousands."""
        return f"{self.number:,}"


@extend_page(Connection)
class ConnectionRemoval(AuditedModelAdmin):
    """Deletes connections on a page of their own, one at a time, because each asks about its links."""

    actions: Any = None

    def delete_view(self, request: HttpRequest, object_id: str, extra_context: dict[str, Any] | None = None) -> Any:  # noqa: ARG002  Django's signature
        """Show what will be deleted and ask; with POST, do what was chosen."""
        connection = self.get_object(request, unquote(object_id))
        if not self.has_delete_permission(request, connection):
            raise PermissionDenied("You need the permission to delete connections.")
        if not isinstance(connection, Connection):
            return self._get_obj_does_not_exist_redirect(request, self.opts, object_id)
        traces = count_traces(connection)
        form = RemoveConnectionForm(
            request.POST or None,
            may_keep=self._may_deactivate(request, connection),
            initial={"read_version": connection.version},
        )
        if request.method == "POST" and form.is_valid():
            answered = self._answer(request, connection=connection, form=form)
            if answered is not None:
                return answered
        return self._ask(request, connection=connection, form=form, traces=traces)

    def _answer(
        self, request: HttpRequest, *, connection: Connection, form: RemoveConnectionForm
    ) -> HttpResponse | None:
        """Do what was chosen and return the redirect; None if it was refused, with the reason in the form."""
        name, actor = connection.name, build_actor(request)
        try:
            if form.cleaned_data["fate_of_links"] == KEEP:
                set_connection_status(connection=connection, status=RecordStatus.INACTIVE, actor=actor)
                self.message_user(
                    request, f"{name} was not deleted. It is Inactive and transfers nothing.", messages.SUCCESS
                )
                return HttpResponseRedirect(self.get_change_url(connection))
            traces = delete_connection(
                connection=connection, actor=actor, expected_version=form.cleaned_data["read_version"]
            )
        except StaleRecordError as error:
            self.message_user(request, str(error), messages.ERROR)
            return HttpResponseRedirect(self.get_change_url(connection))
        except VaultError as error:
            form.add_error(None, str(error))
            return None
        self.message_user(
            request,
            f"{name} was deleted. Forgotten with it: {traces.describe()}. The records in the CRM stay as they are.",
            messages.SUCCESS,
        )
        return HttpResponseRedirect(reverse("admin:connections_connection_changelist"))

    def _ask(
        self, request: HttpRequest, *, connection: Connection, form: RemoveConnectionForm, traces: Traces
    ) -> HttpResponse:
        request.current_app = self.admin_site.name
        may_deactivate = self._may_deactivate(request, connection)
        context = {
            **self.admin_site.each_context(request),
            "title": "Delete connection",
            "subtitle": str(connection),
            "opts": self.opts,
            "original": connection,
            "connection": connection,
            "facts": self._list_facts(request, connection=connection, traces=traces),
            "obstacle": find_obstacle(connection=connection, traces=traces),
            "form": form,
            "deactivate_url": reverse("admin:connections_connection_deactivate", args=(connection.pk,))
            if may_deactivate
            else "",
            "cancel_url": self.get_change_url(connection),
            "media": self.media + form.media,
        }
        return TemplateResponse(request, "admin/crm_sync/connection_removal.html", context)

    def _may_deactivate(self, request: HttpRequest, connection: Connection) -> bool:
        return connection.status == RecordStatus.ACTIVE and self.has_change_permission(request, connection)

    def _list_facts(self, request: HttpRequest, *, connection: Connection, traces: Traces) -> list[Fact]:
        def build_url(model: type[models.Model], query: str) -> str:
            if not self.admin_site.get_model_admin(model).has_view_permission(request):
                return ""
            return f"{reverse(f'admin:crm_sync_{model._meta.model_name}_changelist')}?{query}"

        of_integration = f"integration__connection__id__exact={connection.pk}"
        may_read_items = has_permission(user=get_user(request), permission=f"{ExceptionItem.object_name}:read")
        return [
            Fact(
                what="Links of records",
                number=traces.links,
                url=build_url(TransferLink, of_integration),
                fate="Forgotten",
            ),
            Fact(
                what="Matches of persons and accounts",
                number=traces.matches,
                url=build_url(AccountMatch, f"connection__id__exact={connection.pk}"),
                fate="Forgotten; a new connection matches them anew",
            ),
            Fact(
                what="User exception items",
                number=traces.exception_items,
                url=build_items_url(connection.pk, shown="all") if may_read_items else "",
                fate="Deleted with their messages",
            ),
            Fact(
                what="Integration runs",
                number=traces.runs,
                url=build_url(IntegrationRun, of_integration),
                fate="Deleted; Job Status keeps the job's runs with their counts",
            ),
            Fact(
                what="Medical Activities received",
                number=traces.medical_activities,
                fate="Stay, and keep the connection from being deleted" if traces.medical_activities else "–",
            ),
        ]
