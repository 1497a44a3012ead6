"""The console pages of page layouts: their list and the editor."""

from __future__ import annotations

from typing import Any

from django.contrib import admin, messages
from django.contrib.admin.utils import unquote
from django.core.exceptions import PermissionDenied, ValidationError
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import reverse

from ctms.audit.actors import Actor
from ctms.audit.admin.base import AuditedModelAdmin
from ctms.audit.admin.writing import build_actor, try_write
from ctms.configuration.admin.pages import ObjectFilter, render_page, show_object
from ctms.configuration.drafts import LayoutEditError, Sections
from ctms.configuration.editing import Edited, apply_edit
from ctms.configuration.editor import build_editor_page, close_sections, open_sections
from ctms.configuration.forms import LayoutForm, TypeLayoutForm
from ctms.configuration.forms.layouts import dump_sections
from ctms.configuration.models import PageLayout
from ctms.configuration.registry import get_object
from ctms.configuration.selectors import find_object, list_layouts
from ctms.configuration.services import create_type_layout, delete_layout, save_layout
from ctms.configuration.snapshot import load_configuration
from ctms.configuration.tables import build_object_url, describe_use
from ctms.core.text.whole_numbers import read_whole_number

# The editor's script sends this header to get only the form, with which it replaces the one on the page.
FRAGMENT_HEADER = "X-Layout-Fragment"


@admin.register(PageLayout)
class PageLayoutAdmin(AuditedModelAdmin):
    """Layouts of objects come with the Vault; admins change them and add layouts for object types."""

    form = TypeLayoutForm
    fields = ("target", "name")
    actions = None
    stay_after_add = True
    list_display = ("name", show_object, "object_type")
    list_filter = (ObjectFilter,)
    search_fields = ("name", "of_object")

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Whether the layout may be deleted: never that of the object itself."""
        allowed = super().has_delete_permission(request, obj)
        return allowed and not (isinstance(obj, PageLayout) and not obj.object_type)

    def get_changeform_initial_data(self, request: HttpRequest) -> dict[str, Any]:
        return {"of_object": request.GET.get("of_object", "")}

    def write_record(self, *, record: PageLayout, form: Any, actor: Actor) -> None:  # noqa: ARG002  no version: this saves new layouts alone
        create_type_layout(layout=record, actor=actor)

    def delete_model(self, request: HttpRequest, obj: PageLayout) -> None:
        delete_layout(layout=obj, actor=build_actor(request))

    def get_deleted_objects(
        self, objs: Any, request: HttpRequest
    ) -> tuple[list[Any], dict[str, int], set[str], list[Any]]:
        """Return what is deleted with the layouts; sections are, so they do not prevent it."""
        found, counts, lacking, _ = super().get_deleted_objects(objs, request)
        return found, counts, lacking, []

    # -- The editor -------------------------------------------------------------------------------
    def change_view(
        self,
        request: HttpRequest,
        object_id: str,
        form_url: str = "",  # noqa: ARG002  Django's signature
        extra_context: dict[str, Any] | None = None,  # noqa: ARG002  Django's signature
    ) -> HttpResponse:
        layout = self.get_object(request, unquote(object_id))
        if not self.has_change_permission(request, layout):
            raise PermissionDenied
        if layout is None:
            answer: HttpResponse = self._get_obj_does_not_exist_redirect(request, self.opts, object_id)
            return answer
        if find_object(layout.of_object) is None:
            self.message_user(
                request, f"{layout.name} is of {layout.of_object}, which is no object any more.", messages.WARNING
            )
            return HttpResponseRedirect(reverse("admin:configuration_pagelayout_changelist"))
        if request.method != "POST":
            return self._show_editor(request, layout=layout, edited=Edited(sections=open_sections(layout)))
        form = LayoutForm(request.POST)
        if not form.is_valid():
            self.message_user(request, "The layout came incomplete. Change it again.", messages.ERROR)
            return HttpResponseRedirect(request.get_full_path())
        layout.name = form.cleaned_data["name"]
        if "edit" in request.POST:
            return self._edit(request, layout=layout, form=form)
        return self._save(request, layout=layout, form=form)

    def _edit(self, request: HttpRequest, *, layout: PageLayout, form: LayoutForm) -> HttpResponse:
        sections: Sections = form.cleaned_data["layout"]
        try:
            edited = apply_edit(
                edit=request.POST["edit"],
                typed=request.POST,
                sections=sections,
                vault_object=get_object(layout.of_object),
            )
        except LayoutEditError as error:
            edited = Edited(sections=sections, announcement=str(error), is_refused=True)
        return self._show_editor(request, layout=layout, edited=edited, read_version=form.cleaned_data["read_version"])

    def _save(self, request: HttpRequest, *, layout: PageLayout, form: LayoutForm) -> HttpResponse:
        sections: Sections = form.cleaned_data["layout"]
        read_version: int = form.cleaned_data["read_version"]
        stored_version = layout.version
        # "Save mine over it" posts the version that the user agreed to overwrite.
        overwritten = read_whole_number(request.POST.get("_overwrite", ""))
        expected = overwritten if overwritten is not None else read_version
        refusal = try_write(
            lambda: save_layout(
                layout=layout,
                sections=close_sections(sections=sections, layout=layout),
                expected_version=expected,
                actor=build_actor(request),
            )
        )
        if refusal is None:
            self.message_user(request, f"{layout.name} was saved.", messages.SUCCESS)
            return HttpResponseRedirect(request.get_full_path())
        return self._show_editor(
            request,
            layout=layout,
            edited=Edited(sections=sections),
            read_version=read_version,
            refusal=refusal,
            conflicting_version=stored_version if expected != stored_version else None,
        )

    def _show_editor(
        self,
        request: HttpRequest,
        *,
        layout: PageLayout,
        edited: Edited,
        read_version: int | None = None,
        refusal: ValidationError | None = None,
        conflicting_version: int | None = None,
    ) -> HttpResponse:
        stored = PageLayout.objects.get(pk=layout.pk)
        page = build_editor_page(layout=layout, sections=edited.sections)
        context: dict[str, Any] = {
            "layout": layout,
            "page": page,
            "state": dump_sections(edited.sections),
            "read_version": read_version or layout.version,
            "announcement": edited.announcement,
            "is_refused": edited.is_refused,
            "focus": edited.focus,
            "errors": refusal.messages if refusal else [],
            "conflicting_version": conflicting_version,
            "is_changed": (layout.name, edited.sections) != (stored.name, open_sections(stored)),
        }
        if request.headers.get(FRAGMENT_HEADER):
            return TemplateResponse(request, "admin/configuration/layout_form.html", context)
        return render_page(
            model_admin=self,
            request=request,
            template="admin/configuration/layout_editor.html",
            title=layout.name,
            context={
                **context,
                "original": stored,
                "object_title": get_object(layout.of_object).title,
                "object_url": build_object_url(layout.of_object, "layouts"),
                "used_for": describe_use(
                    layout=stored,
                    layouts=list_layouts(layout.of_object),
                    shape=load_configuration().get(layout.of_object),
                ),
                "audit_trail_url": self._get_audit_trail_url(request, str(layout.pk)),
                "is_fullwidth": True,
            },
        )
