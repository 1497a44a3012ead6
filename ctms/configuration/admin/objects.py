"""The console pages of objects: the list, an object with its tabs, and the assignment of actions to object types."""

from __future__ import annotations

from typing import Any

from django.contrib import admin, messages
from django.contrib.admin.utils import unquote
from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import URLPattern, path

from ctms.audit.actors import Actor
from ctms.audit.admin.base import AuditedModelAdmin
from ctms.audit.admin.writing import build_actor, try_write
from ctms.configuration.admin.pages import render_page
from ctms.configuration.forms import TypeActionsForm
from ctms.configuration.models import ConfiguredObject
from ctms.configuration.registry import VaultObject
from ctms.configuration.selectors import find_object, get_object_type
from ctms.configuration.services import assign_action, set_object_type_status, unassign_action
from ctms.configuration.snapshot import load_configuration
from ctms.configuration.tables import (
    build_object_url,
    list_action_rows,
    list_details,
    list_field_rows,
    list_layout_choices,
    list_layout_rows,
    list_object_rows,
    list_type_rows,
)
from ctms.core.choices import RecordStatus

_TABS = {
    "details": "Details",
    "fields": "Fields",
    "types": "Object Types",
    "actions": "Actions",
    "layouts": "Page Layouts",
}


@admin.register(ConfiguredObject)
class ConfiguredObjectAdmin(AuditedModelAdmin):
    """Objects are registered and not stored, so Django's list and form are replaced. URLs have the API name as key."""

    def get_urls(self) -> list[URLPattern]:
        actions = path(
            "<path:object_id>/actions/",
            self.admin_site.admin_view(self.actions_view),
            name="configuration_configuredobject_actions",
        )
        return [actions, *super().get_urls()]

    def has_add_permission(self, request: HttpRequest) -> bool:  # noqa: ARG002  Django's signature
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:  # noqa: ARG002  Django's signature
        return False

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:  # noqa: ARG002  Django's signature
        self._require(self.has_view_permission(request))
        groups = [
            ("Study teams’ objects", list_object_rows(is_setup=False)),
            ("Objects of the admin console", list_object_rows(is_setup=True)),
        ]
        return render_page(
            model_admin=self,
            request=request,
            template="admin/configuration/objects.html",
            title="Objects",
            context={"groups": groups},
        )

    def change_view(
        self,
        request: HttpRequest,
        object_id: str,
        form_url: str = "",  # noqa: ARG002  Django's signature
        extra_context: dict[str, Any] | None = None,  # noqa: ARG002  Django's signature
    ) -> HttpResponse:
        self._require(self.has_view_permission(request))
        vault_object = self._get_vault_object(object_id)
        if request.method == "POST":
            return self._change_type_status(request, vault_object)
        shape = load_configuration().get(vault_object.api_name)
        tab = request.GET.get("tab", "")
        tab = tab if tab in _TABS else "details"
        content: dict[str, Any] = {
            "details": lambda: {"details": list_details(vault_object)},
            "fields": lambda: {"fields": list_field_rows(shape), "takes_fields": not vault_object.is_setup},
            "types": lambda: {"types": list_type_rows(shape)},
            "actions": lambda: {"rows": list_action_rows(shape)},
            "layouts": lambda: {
                "layouts": list_layout_rows(shape),
                "can_add_layout": bool(list_layout_choices(vault_object.api_name)),
            },
        }
        tabs = [(label, build_object_url(vault_object.api_name, name), name == tab) for name, label in _TABS.items()]
        return render_page(
            model_admin=self,
            request=request,
            template="admin/configuration/object.html",
            title=vault_object.title,
            context={
                "original": self._build_original(vault_object),
                "vault_object": vault_object,
                "tabs": tabs,
                "tab_template": f"admin/configuration/object_{tab}.html",
                **content[tab](),
            },
        )

    def actions_view(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """The page *Edit Object Type Actions*, which says which action is offered on records of which object type."""
        self._require(self.has_change_permission(request))
        vault_object = self._get_vault_object(object_id)
        rows = list_action_rows(load_configuration().get(vault_object.api_name))
        form = TypeActionsForm(request.POST or None, rows=rows)
        if form.is_valid():
            changes = form.list_changes()
            refusal = try_write(
                lambda: self._write_actions(vault_object=vault_object, changes=changes, actor=build_actor(request))
            )
            if refusal is None:
                self.message_user(request, "The object type actions were saved.", messages.SUCCESS)
                return HttpResponseRedirect(build_object_url(vault_object.api_name, "actions"))
            form.add_error(None, refusal)
        return render_page(
            model_admin=self,
            request=request,
            template="admin/configuration/edit_actions.html",
            title="Edit Object Type Actions",
            context={
                "original": self._build_original(vault_object),
                "form": form,
                "has_actions": bool(rows),
                "cancel_url": build_object_url(vault_object.api_name, "actions"),
            },
        )

    def get_object(self, request: HttpRequest, object_id: str, from_field: str | None = None) -> Any:  # noqa: ARG002  Django's signature
        vault_object = find_object(unquote(object_id))
        return self._build_original(vault_object) if vault_object else None

    def history_view(self, request: HttpRequest, object_id: str, extra_context: dict[str, Any] | None = None) -> Any:  # noqa: ARG002  Django's signature
        """Answer 404: an object has no audit entries of its own; its types, fields and layouts have."""
        raise Http404

    def _require(self, allowed: bool) -> None:  # noqa: FBT001  the only argument, the result of a permission check
        if not allowed:
            raise PermissionDenied

    def _get_vault_object(self, object_id: str) -> VaultObject:
        vault_object = find_object(unquote(object_id))
        if vault_object is None:
            raise Http404
        return vault_object

    def _build_original(self, vault_object: VaultObject) -> ConfiguredObject:
        """Return the object as a model instance, for the breadcrumbs and title of the page."""
        return ConfiguredObject(pk=vault_object.api_name, of_object=vault_object.api_name, label=vault_object.title)

    def _change_type_status(self, request: HttpRequest, vault_object: VaultObject) -> HttpResponse:
        self._require(self.has_change_permission(request))
        verb = "activate" if "activate" in request.POST else "deactivate"
        status = RecordStatus.ACTIVE if verb == "activate" else RecordStatus.INACTIVE
        object_type = request.POST.get(verb, "")
        refusal = try_write(
            lambda: set_object_type_status(
                object_name=vault_object.api_name, object_type=object_type, status=status, actor=build_actor(request)
            )
        )
        if refusal is None:
            label = get_object_type(object_name=vault_object.api_name, object_type=object_type).label
            self.message_user(request, f"{label} is {status.label.lower()}.", messages.SUCCESS)
        else:
            self.message_user(request, " ".join(refusal.messages), messages.ERROR)
        return HttpResponseRedirect(build_object_url(vault_object.api_name, "types"))

    def _write_actions(self, *, vault_object: VaultObject, changes: list[tuple[str, str, bool]], actor: Actor) -> None:
        with transaction.atomic():
            for object_type, action, is_assigned in changes:
                write = assign_action if is_assigned else unassign_action
                write(object_name=vault_object.api_name, object_type=object_type, action_name=action, actor=actor)
