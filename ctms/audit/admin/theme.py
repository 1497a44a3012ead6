"""Unfold's classes and decorators with Django's types, which Unfold's own annotations contradict in places."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from django.contrib import admin
    from django.contrib.admin.views.main import ChangeList
    from django.http import HttpRequest

    FunctionT = TypeVar("FunctionT", bound=Callable[..., Any])

    class ModelAdmin(admin.ModelAdmin[Any]):
        """Django's class with the attributes that Unfold adds."""

        actions_detail: Sequence[Any]
        list_disable_select_all: bool
        list_filter_submit: bool
        list_fullwidth: bool
        warn_unsaved_form: bool

        def get_actions_detail(self, request: HttpRequest, object_id: Any) -> list[Any]: ...
        def _get_obj_does_not_exist_redirect(self, request: HttpRequest, opts: Any, object_id: str) -> Any: ...

    class TabularInline(admin.TabularInline[Any, Any]):
        """Django's class with the attributes that Unfold adds."""

        hide_title: bool
        per_page: int | None

    def action(
        *, description: str, url_path: str, permissions: list[str], icon: str
    ) -> Callable[[FunctionT], FunctionT]: ...

    def display(
        *, description: str, ordering: str | None = None, label: bool | dict[str, str] | None = None
    ) -> Callable[[FunctionT], FunctionT]: ...
else:
    import unfold.admin
    from django.contrib import messages
    from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
    from django.urls import reverse
    from django.utils.text import capfirst
    from unfold.decorators import action, display
    from unfold.views import ChangeList

    from ctms.audit.admin.references import ReferencesMixin

    class ModelAdmin(ReferencesMixin, unfold.admin.ModelAdmin):
        """Unfold's class, with titles that name what is on the page."""

        def get_changelist_instance(self, request: HttpRequest) -> Any:
            changelist: Any = super().get_changelist_instance(request)
            changelist.title = capfirst(str(self.opts.verbose_name_plural))
            return changelist

        def _get_obj_does_not_exist_redirect(self, request: HttpRequest, opts: Any, object_id: str) -> HttpResponse:
            del object_id  # whatever was asked for
            name = str(opts.verbose_name)
            told = f"There is no such {name} here: it was deleted, never was, or you may not see it."
            self.message_user(request, told, messages.WARNING)
            return HttpResponseRedirect(reverse(f"admin:{opts.app_label}_{opts.model_name}_changelist"))

        def changeform_view(
            self, request: HttpRequest, object_id: Any = None, form_url: str = "", extra_context: Any = None
        ) -> Any:
            name = str(self.opts.verbose_name)
            title = capfirst(name) if object_id else f"Add {name}"
            return super().changeform_view(request, object_id, form_url, {"title": title, **(extra_context or {})})

    class TabularInline(ReferencesMixin, unfold.admin.TabularInline):
        """Unfold's class."""


__all__ = ["ChangeList", "ModelAdmin", "TabularInline", "action", "display"]
