"""Base classes of admin pages for rows that only the application writes."""

from __future__ import annotations

from typing import Any, ClassVar

from django.http import HttpRequest

from ctms.accounts.policies import has_permission
from ctms.audit.admin.lookups import ListedLookupsMixin
from ctms.audit.admin.theme import ChangeList, ModelAdmin, TabularInline
from ctms.audit.admin.visibility import VisibleRowsMixin
from ctms.audit.admin.writing import get_user


class CountedChangeList(ChangeList):
    """A list that does not count all rows of the table beside the filtered ones, which is slow on large tables."""

    def get_results(self, request: HttpRequest) -> None:
        super().get_results(request)
        if not self.query and not self.has_active_filters:
            self.full_result_count = self.result_count


class ReadOnlyModelAdmin(ListedLookupsMixin, VisibleRowsMixin, ModelAdmin):
    """A page of rows that only the application writes. Set `view_permission` if the model has no `object_name`."""

    view_permission: ClassVar[str] = ""
    list_disable_select_all = True
    list_fullwidth = True
    show_full_result_count = False
    actions = None

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[ChangeList]:  # noqa: ARG002  Django's signature
        return CountedChangeList

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        if self.view_permission:
            return has_permission(user=get_user(request), permission=self.view_permission)
        return bool(super().has_view_permission(request, obj))

    def has_module_permission(self, request: HttpRequest) -> bool:
        return self.has_view_permission(request)

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:  # noqa: ARG002  Django's signature
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:  # noqa: ARG002  Django's signature
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:  # noqa: ARG002  Django's signature
        return False


class ReadOnlyTabularInline(VisibleRowsMixin, TabularInline):
    """A table of rows on their parent's page, which are changed on another page or by the application alone."""

    extra = 0
    max_num = 0
    can_delete = False

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> list[Any]:
        return list(self.get_fields(request, obj))

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:  # noqa: ARG002  Django's signature
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:  # noqa: ARG002  Django's signature
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:  # noqa: ARG002  Django's signature
        return False
