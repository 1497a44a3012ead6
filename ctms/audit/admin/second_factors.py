"""The console page of second factors, on which an admin removes that of a user who lost the app."""

from __future__ import annotations

from typing import Any

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest

from ctms.accounts.granting import explain_giving
from ctms.accounts.models import SecondFactor, User
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
        """Remove the selected second factors of users whom the admin may change; the own one is removed with a code."""
        admin_user = get_user(request)
        for factor in queryset.select_related("user__security_profile"):
            refusal = _explain_refusal(admin_user, factor.user)
            if refusal:
                self.message_user(request, f"{factor.user}: nothing was removed. {refusal}", messages.ERROR)
                continue
            remove_second_factor(factor=factor, actor=build_actor(request), reason="Removed by an admin")
            self.message_user(request, f"{factor.user}: the second factor was removed.", messages.SUCCESS)


def _explain_refusal(admin_user: User, user: User) -> str:
    """Return why the admin may not remove the second factor of the user; empty if they may."""
    if user.pk == admin_user.pk:
        return "Remove your own on your profile page, with a code."
    if user.is_superuser and not admin_user.is_superuser:
        return "Only a superuser may do that."
    return explain_giving(giver=admin_user, profile=user.security_profile)
