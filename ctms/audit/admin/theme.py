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
    from unfold.decorators import action, display
    from unfold.views import ChangeList

    from ctms.audit.admin.references import ReferencesMixin

    class ModelAdmin(ReferencesMixin, unfold.admin.ModelAdmin):
        """Unfold's class."""

    class TabularInline(ReferencesMixin, unfold.admin.TabularInline):
        """Unfold's class."""


__all__ = ["ChangeList", "ModelAdmin", "TabularInline", "action", "display"]
