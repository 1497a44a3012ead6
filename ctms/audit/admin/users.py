"""The console page of users. It is in this app, not with the model, because it writes audit entries."""

from __future__ import annotations

from typing import Any
from zoneinfo import available_timezones

from django import forms
from django.contrib import admin
from django.contrib.admin.utils import unquote
from django.contrib.auth.admin import UserAdmin as DjangoUserAdmin
from django.contrib.auth.models import Group
from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404
from django.urls import reverse
from unfold.forms import AdminPasswordChangeForm, UserChangeForm, UserCreationForm
from unfold.widgets import UnfoldAdminSelect2Widget

from ctms.accounts.models import SYSTEM_USERNAME, User
from ctms.accounts.policies import has_permission
from ctms.audit.admin.lookups import ListedLookupsMixin
from ctms.audit.admin.theme import ModelAdmin, action
from ctms.audit.admin.writing import AUDIT_PERMISSION, build_actor, build_audit_trail_url, get_user
from ctms.audit.users import record_password_change, save_user

# Only the security profile says what users may do; groups would grant permissions past it, without audit entries.
admin.site.unregister(Group)


class UserForm(UserChangeForm):
    """The form of a user, with a choice of the existing time zones."""

    time_zone = forms.ChoiceField(
        choices=lambda: [(name, name.replace("_", " ")) for name in sorted(available_timezones())],
        widget=UnfoldAdminSelect2Widget,
    )


@admin.register(User)
class UserAdmin(ListedLookupsMixin, DjangoUserAdmin, ModelAdmin):  # type: ignore[type-arg]
    """The page of a user. Users are deactivated, never deleted, because the audit trail and all records name them."""

    form = UserForm
    add_form = UserCreationForm
    change_password_form = AdminPasswordChangeForm
    warn_unsaved_form = True
    list_fullwidth = True
    list_filter_submit = True
    list_display = (
        "username",
        "first_name",
        "last_name",
        "email",
        "security_profile",
        "is_active",
        "is_staff",
        "last_login",
    )
    list_filter = ("is_active", "is_staff", "security_profile")
    list_select_related = ("security_profile",)
    search_fields = ("username", "first_name", "last_name", "email")
    autocomplete_fields = ("security_profile",)
    filter_horizontal = ()
    ordering = ("username",)
    readonly_fields = ("last_login", "date_joined")
    actions = None
    actions_detail = ("show_what_user_did",)
    fieldsets = (
        (None, {"fields": ("username", "password")}),
        ("Person", {"fields": (("first_name", "last_name"), "email", "time_zone")}),
        (
            "Access",
            {
                "fields": ("security_profile", "is_active", "is_staff", "is_superuser"),
                "description": "The security profile says what the user may do. Staff may open this admin console.",
            },
        ),
        ("Dates", {"fields": (("last_login", "date_joined"),)}),
    )
    add_fieldsets: Any = (
        (None, {"fields": ("username", ("first_name", "last_name"), "email", "security_profile", "is_staff")}),
        ("Password", {"fields": ("password1", "password2")}),
    )

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Whether the user may be changed: *System* by nobody, a superuser only by a superuser."""
        if isinstance(obj, User) and (
            obj.username == SYSTEM_USERNAME or (obj.is_superuser and not get_user(request).is_superuser)
        ):
            return False
        return bool(super().has_change_permission(request, obj))

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:  # noqa: ARG002  Django's signature
        return False

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> list[str]:
        names = list(super().get_readonly_fields(request, obj))
        return names if get_user(request).is_superuser else [*names, "is_superuser"]

    def save_model(self, request: HttpRequest, obj: User, form: Any, change: bool) -> None:  # noqa: FBT001  Django's signature
        save_user(user=obj, actor=build_actor(request), fields=form.changed_data if change else None)

    def user_change_password(self, request: HttpRequest, id: str, form_url: str = "") -> Any:  # noqa: A002  Django's signature
        with transaction.atomic():
            # Django reads the user again and saves all its fields, so nobody may change it in between.
            locked = User.objects.select_for_update().filter(pk=id)
            before = locked.values_list("password", flat=True).first()
            response = super().user_change_password(request, id, form_url)
            user = User.objects.filter(pk=id).first()
            if user is not None and user.password != before:
                record_password_change(user=user, actor=build_actor(request))
            return response

    def log_addition(self, request: HttpRequest, obj: Any, message: Any) -> None:  # type: ignore[override]
        """Do nothing: `save_user` has written an audit entry."""

    def log_change(self, request: HttpRequest, obj: Any, message: Any) -> None:  # type: ignore[override]
        """Do nothing: `save_user` has written an audit entry."""

    @action(description="What this user did", url_path="did", permissions=["view_trail"], icon="history")
    def show_what_user_did(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Redirect to the entries of the audit trail that the user is the actor of."""
        if not self.has_view_trail_permission(request):
            raise PermissionDenied("You may not read the audit trail.")
        address = reverse("admin:audit_auditentry_changelist")
        return HttpResponseRedirect(f"{address}?actor__exact={get_object_or_404(User, pk=unquote(object_id)).pk}")

    def has_view_trail_permission(self, request: HttpRequest, object_id: object = None) -> bool:  # noqa: ARG002  Unfold's signature
        return has_permission(user=get_user(request), permission=AUDIT_PERMISSION)

    def history_view(self, request: HttpRequest, object_id: str, extra_context: dict[str, Any] | None = None) -> Any:  # noqa: ARG002  Django's signature
        return HttpResponseRedirect(build_audit_trail_url(User.objects.get(pk=object_id)))
