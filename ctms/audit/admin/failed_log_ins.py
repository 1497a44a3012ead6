"""The console page of wrong passwords, on which an admin unlocks log-ins."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest

from ctms.accounts.models import FailedLogIn
from ctms.audit.admin.readonly import ReadOnlyModelAdmin
from ctms.audit.admin.writing import build_actor, get_user
from ctms.audit.failed_log_ins import unlock_log_ins


@admin.register(FailedLogIn)
class FailedLogInAdmin(ReadOnlyModelAdmin):
    """The wrong passwords that count for the lock-out now, latest first."""

    list_display = ("at", "username", "address")
    search_fields = ("username", "address")
    search_help_text = "Username or address"
    fields = list_display
    list_per_page = 50
    actions: Any = ("unlock",)

    def has_unlock_permission(self, request: HttpRequest) -> bool:
        """Whether the user may change users."""
        return get_user(request).has_perm("accounts.change_user")

    @admin.action(permissions=["unlock"], description="Unlock log-in of the username from the address")
    def unlock(self, request: HttpRequest, queryset: QuerySet[FailedLogIn]) -> None:
        """Unlock the selected log-ins."""
        count = unlock_log_ins(failures=queryset, actor=build_actor(request))
        self.message_user(request, f"Unlocked: {count} wrong password{'' if count == 1 else 's'} forgotten.")
