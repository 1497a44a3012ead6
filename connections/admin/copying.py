"""*Copy to New*: the form of a new connection, filled from another one except for the URL."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.contrib.admin.utils import unquote
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils.html import format_html

from connections.copies import has_room_for_connection, suggest_copy_name
from connections.models import Connection, CrmConnectionIdentifierMapping
from connections.services import NO_ROOM, copy_identifier_mapping
from ctms.audit.admin.base import AuditedModelAdmin
from ctms.audit.admin.theme import action
from ctms.audit.admin.writing import build_actor

COPY_OF = "copy_of"
_COPIED_FIELDS = (
    "contact_email",
    "pace",
    "connect_timeout",
    "read_timeout",
    "concurrency",
    "quota_percent",
)


class CopyToNewAdmin(AuditedModelAdmin):
    """Adds *Copy to New*; the form of a new connection is filled from the connection that `copy_of` names."""

    add_fieldsets: Any = ()

    @action(description="Copy to New", url_path="copy-to-new", permissions=["copy"], icon="content_copy")
    def copy_to_new(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Redirect to the form of a new connection, filled from this one; nothing is written before it is saved."""
        source = self._get_source(request, object_id)
        if isinstance(source, HttpResponse):
            return source
        if not has_room_for_connection():
            self.message_user(request, f"{source} was not copied. {NO_ROOM}", messages.ERROR)
            return HttpResponseRedirect(self.get_change_url(source))
        return HttpResponseRedirect(f"{reverse('admin:connections_connection_add')}?{COPY_OF}={source.pk}")

    def has_copy_permission(self, request: HttpRequest, object_id: Any = None) -> bool:  # noqa: ARG002  Unfold's signature
        """Whether the user may add connections and read the one that is copied."""
        return self.has_add_permission(request) and self.has_view_permission(request)

    def changeform_view(
        self,
        request: HttpRequest,
        object_id: str | None = None,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> Any:
        """Show the form as usual; if there are ten connections already, redirect to the list and say so."""
        if object_id is not None or not self.has_add_permission(request):
            return super().changeform_view(request, object_id, form_url, extra_context)
        context = dict(extra_context or {})
        if COPY_OF in request.GET:
            source = self._get_source(request, request.GET[COPY_OF])
            if isinstance(source, HttpResponse):
                return source
            request.copy_source = source  # type: ignore[attr-defined]
            context["title"] = f"Copy {source} to a new connection"
        if request.method != "POST" and not has_room_for_connection():
            self.message_user(request, NO_ROOM, messages.ERROR)
            return HttpResponseRedirect(reverse("admin:connections_connection_changelist"))
        return super().changeform_view(request, object_id, form_url, context)

    def get_changeform_initial_data(self, request: HttpRequest) -> dict[str, Any]:
        source = get_copy_source(request)
        if source is None:
            return dict(super().get_changeform_initial_data(request))
        return {
            "name": suggest_copy_name(source),
            **{name: getattr(source, name) for name in _COPIED_FIELDS},
        }

    def get_formset_kwargs(self, request: HttpRequest, obj: Any, inline: Any, prefix: str) -> dict[str, Any]:
        """Fill the copied mapping in as initial values, so that it is saved with the new connection."""
        values: dict[str, Any] = super().get_formset_kwargs(request, obj, inline, prefix)
        if inline.model is CrmConnectionIdentifierMapping and request.method != "POST":
            mapping = get_copied_mapping(request)
            if mapping is not None:
                names = ("clinical_person_identifier", "crm_account_identifier")
                values["initial"] = [{name: getattr(mapping, name) for name in names}]
        return values

    def get_form(self, request: HttpRequest, obj: Any = None, change: bool = False, **kwargs: Any) -> Any:  # noqa: FBT001, FBT002  Django's signature
        form: Any = super().get_form(request, obj, change, **kwargs)
        form.copy_source = get_copy_source(request)
        return form

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> Any:
        """Return the fieldsets; those of a new connection differ, and name the source if it is a copy."""
        if obj is not None:
            return super().get_fieldsets(request, obj)
        source = get_copy_source(request)
        if source is None:
            return self.add_fieldsets
        (title, options), *others = self.add_fieldsets
        return [(title, {**options, "description": _describe_copy(source)}), *others]

    def save_related(self, request: HttpRequest, form: Any, formsets: Any, change: bool) -> None:  # noqa: FBT001  Django's signature
        super().save_related(request, form, formsets, change)
        source = get_copy_source(request)
        # A user who may not edit mappings saw none in the form, so it is copied here.
        if source is not None and not any(f.model is CrmConnectionIdentifierMapping for f in formsets):
            copy_identifier_mapping(source=source, target=form.instance, actor=build_actor(request))

    def _get_source(self, request: HttpRequest, object_id: str) -> Connection | HttpResponse:
        """Return the connection to copy, or a redirect if it does not exist. Raises PermissionDenied."""
        source = self.get_object(request, unquote(object_id))
        if not self.has_copy_permission(request) or not self.has_view_permission(request, source):
            raise PermissionDenied("You need the permission to add connections, and to read the one that you copy.")
        if not isinstance(source, Connection):
            gone: HttpResponse = self._get_obj_does_not_exist_redirect(request, self.opts, object_id)
            return gone
        return source


def get_copy_source(request: HttpRequest) -> Connection | None:
    """Return the connection that this request copies, which `changeform_view` has found and checked; else None."""
    return getattr(request, "copy_source", None)


def get_copied_mapping(request: HttpRequest) -> CrmConnectionIdentifierMapping | None:
    """Return the identifier mapping of the connection that this request copies, if it has one."""
    source = get_copy_source(request)
    return None if source is None else CrmConnectionIdentifierMapping.objects.filter(connection=source).first()


def _describe_copy(source: Connection) -> str:
    return format_html(
        "A copy of <a class='vault-link' href='{}'>{}</a>: on Save, its integrations, integration rules and field "
        "rules come along, Active or Inactive as they are there. Runs, links and user exceptions do not. Enter the URL "
        "of the other organisation: {}, and two connections cannot lead to one organisation. Authorization "
        "and description are left empty: secrets are sent only to the organisation that they were entered for. The "
        "copy is Inactive until its test has passed once: enter its Authorization, use Test Connection, then Activate.",
        reverse("admin:connections_connection_page", args=(source.pk,)),
        source.name,
        f"{source.name} leads to {source.url}" if source.url else f"{source.name} has none yet",
    )
