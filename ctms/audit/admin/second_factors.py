"""The console page of second factors, on which an admin removes that of a user who lost the app."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest

from ctms.accounts.models import SecondFactor
from ctms.audit.admin.readonly import ReadOnlyModelAdmin
from ctms.audit.admin.writing import build_actor, get_user
from ctms.audit.second_factor import remove_second_factor


@admin.register(SecondFactor)
class SecondFactorAdmin(ReadOnlyModelAdmin):
    """Who has a second factor, and since when."""

    list_display = ("user", "created_at", "show_codes_left")
    list_select_related = ("user",)
    search_fields = ("user__username", "user__last_name")
    search_help_text = "Username or last name"
    fields = list_display
    readonly_fields = ("show_codes_left",)
    list_per_page = 50
    actions: Any = ("remove",)

    @admin.display(description="recovery codes left")
    def show_codes_left(self, factor: SecondFactor) -> int:
        return len(factor.recovery_digests)

    def has_remove_permission(self, request: HttpRequest) -> bool:
        """Whether the user may change users."""
        return get_user(request).has_perm("accounts.change_user")

    @admin.action(permissions=["remove"], description="Remove the second factor of a user who lost the app")
    def remove(self, request: HttpRequest, queryset: QuerySet[SecondFactor]) -> None:
        """Remove the selected second factors; those of superusers only if a superuser asks."""
        user = get_user(request)
        factors = [each for each in queryset.select_related("user") if user.is_superuser or not each.user.is_superuser]
        for factor in factors:
            remove_second_factor(factor=factor, actor=build_actor(request), reason="Removed by an admin")
        names = ", ".join(str(factor.user) for factor in factors) or "nobody's, because only a superuser may do that"
        self.message_user(request, f"Second factors removed: {names}.")
