"""The console page of users. It is in this app, not with the model, because it writes audit entries."""

from __future__ import annotations

from functools import partial
from typing import Any
from zoneinfo import available_timezones

from django import forms
from django.contrib import admin, messages
from django.contrib.admin.utils import unquote
from django.contrib.auth.admin import UserAdmin as DjangoUserAdmin
from django.contrib.auth.forms import UserChangeForm
from django.contrib.auth.models import Group
from django.core.exceptions import PermissionDenied, ValidationError
from django.db import transaction
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.html import format_html
from unfold.forms import AdminPasswordChangeForm
from unfold.widgets import UnfoldAdminSelect2Widget

from ctms.accounts.models import SYSTEM_USERNAME, User
from ctms.accounts.policies import has_permission
from ctms.accounts.sessions import list_sessions
from ctms.accounts.usernames import hold_usernames
from ctms.audit.admin.granting import GrantingAdminMixin, GrantingFormMixin
from ctms.audit.admin.lookups import ListedLookupsMixin
from ctms.audit.admin.pages import register_page
from ctms.audit.admin.theme import ModelAdmin, action
from ctms.audit.admin.writing import build_actor, build_audit_trail_url, get_user
from ctms.audit.choices import AUDIT_PERMISSION
from ctms.audit.invitations import InvitationError, send_invitation
from ctms.audit.sessions import end_sessions
from ctms.audit.users import save_user
from ctms.core.clock import format_time
from ctms.core.text.forms import FitTextsMixin

# Only the security profile says what users may do; users have no groups.
admin.site.unregister(Group)


class UserForm(FitTextsMixin, GrantingFormMixin, UserChangeForm):  # type: ignore[type-arg]  # only the stub is generic
    """The form of a user. It holds the version it was filled from: saving over another admin's change is refused."""

    password = None  # type: ignore[assignment]  # its digest says nothing to anybody; the page says whether there is one
    read_version = forms.IntegerField(widget=forms.HiddenInput, required=False)

    time_zone = forms.ChoiceField(
        choices=lambda: [(name, name.replace("_", " ")) for name in sorted(available_timezones())],
        widget=UnfoldAdminSelect2Widget,
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.initial["read_version"] = self.instance.version

    def clean(self) -> dict[str, Any] | None:
        cleaned: dict[str, Any] | None = super().clean()
        # Django saves in the same transaction, so the user stays as compared here.
        stored = User.objects.select_for_update().get(pk=self.instance.pk)
        read = self.cleaned_data.get("read_version")
        if read is None:
            raise ValidationError("The form came without the user's version. Reload the page and enter it again.")
        if read != stored.version:
            raise ValidationError(
                f"{stored} was changed by somebody else after you opened this page (version {stored.version}, yours "
                f"is {read}). Reload it and apply your change again; nothing was saved."
            )
        if "username" in self.changed_data:
            hold_usernames()
        return cleaned


class InvitedUserForm(FitTextsMixin, GrantingFormMixin, forms.ModelForm):  # type: ignore[type-arg]  # only the stub is generic
    """The form of a new user, who sets the password by the invitation that is sent to the e-mail address."""

    class Meta:
        model = User
        fields = ("username", "first_name", "last_name", "email", "security_profile", "valid_until", "is_staff")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["email"].required = True
        self.fields["email"].help_text = "The invitation is sent there: a link by which the user sets a password."
        self.instance.set_unusable_password()

    def clean(self) -> dict[str, Any] | None:
        # Of two who choose one name at the same moment, the second is told by the form what the first has chosen.
        hold_usernames()
        return super().clean()


class FirstPasswordForm(AdminPasswordChangeForm):
    """Sets a password for a user, who has to choose another one after the log-in."""

    def save(self, commit: bool = True) -> Any:  # noqa: FBT001, FBT002  Django's signature
        self.user.must_change_password = True
        return super().save(commit)


@register_page(User)
class UserAdmin(GrantingAdminMixin, ListedLookupsMixin, DjangoUserAdmin, ModelAdmin):  # type: ignore[type-arg]
    """The page of a user. Users are deactivated, never deleted, because the audit trail and all records name them."""

    form = UserForm
    add_form = InvitedUserForm
    change_password_form = FirstPasswordForm
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
    readonly_fields = ("last_login", "date_joined", "invited_until", "show_password")
    actions = None
    actions_detail = ("invite", "end_sessions", "show_what_user_did")
    fieldsets = (
        (None, {"fields": ("username", "show_password")}),
        ("Person", {"fields": (("first_name", "last_name"), "email", ("time_zone", "digest_hour"))}),
        (
            "Access",
            {
                "fields": (
                    "security_profile",
                    "valid_until",
                    "is_active",
                    "must_change_password",
                    "is_staff",
                    "is_superuser",
                ),
                "description": "The security profile says what the user may do.",
            },
        ),
        ("Dates", {"fields": (("last_login", "date_joined"), "invited_until")}),
    )
    add_fieldsets: Any = (
        (
            None,
            {
                "fields": (
                    "username",
                    ("first_name", "last_name"),
                    "email",
                    "security_profile",
                    "valid_until",
                    "is_staff",
                )
            },
        ),
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

    @admin.display(description="password")
    def show_password(self, user: User) -> str:
        """Return whether the user has a password, with a link to set another one."""
        if user.service_owner_id is not None:
            return "None: a service account cannot log in."
        state = "Set" if user.has_usable_password() else "None: the user sets one by the link of an invitation"
        return format_html(
            '{}. <a class="vault-link" href="{}">Set a password</a>',
            state,
            reverse("admin:auth_user_password_change", args=(user.pk,)),
        )

    def save_model(self, request: HttpRequest, obj: User, form: Any, change: bool) -> None:  # noqa: FBT001  Django's signature
        save_user(user=obj, actor=build_actor(request), fields=form.changed_data if change else None)
        if not change:
            # Afterwards, because the user stays even if the e-mail cannot be sent.
            transaction.on_commit(partial(self._send_invitation, request, obj))

    def _send_invitation(self, request: HttpRequest, user: User) -> None:
        try:
            send_invitation(user=user, actor=build_actor(request))
        except InvitationError as error:
            self.message_user(request, str(error), messages.ERROR)
        else:
            self.message_user(request, f"An invitation was sent to {user.email}.", messages.SUCCESS)

    def user_change_password(self, request: HttpRequest, id: str, form_url: str = "") -> Any:  # noqa: A002  Django's signature
        if self.get_object(request, unquote(id)) == get_user(request):
            return HttpResponseRedirect(reverse("change_password"))  # which asks for the present one
        with transaction.atomic():
            # Django reads the user again and saves all its fields, so nobody may change it in between.
            list(User.objects.select_for_update().filter(pk=id))
            return super().user_change_password(request, id, form_url)

    @action(description="Send invitation", url_path="invite", permissions=["manage"], icon="outgoing_mail")
    def invite(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Ask for confirmation, then send the user a link by which they set a password."""
        user = self._get_managed(request, object_id)
        if request.method == "POST":
            self._send_invitation(request, user)
            return HttpResponseRedirect(_get_url(user))
        return self._ask(
            request,
            user=user,
            title="Send invitation",
            explanation=f"{user.email or user} is sent a link by which {user} sets a password, once. The link of an "
            "earlier invitation ends. Until then the present password, if there is one, stays valid.",
        )

    def has_manage_permission(self, request: HttpRequest, object_id: Any = None) -> bool:
        """Whether the admin may change the user, and so invite them and end their sessions."""
        return self.has_change_permission(request, self.get_object(request, unquote(str(object_id))))

    @action(description="End sessions", url_path="end-sessions", permissions=["manage"], icon="phonelink_erase")
    def end_sessions(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Ask for confirmation, then end all sessions of the user."""
        user = self._get_managed(request, object_id)
        sessions = list(list_sessions(user=user))
        if sessions and request.method != "POST":
            listed = "; ".join(f"{each}, last used {format_time(each.last_used_at)}" for each in sessions)
            return self._ask(
                request,
                user=user,
                title="End sessions",
                explanation=f"{user} has to log in again in each browser. Sessions: {listed}. To keep the user out, "
                "make the user inactive, or set a new password.",
            )
        if sessions:
            ended = end_sessions(user=user, sessions=sessions, actor=build_actor(request))
            self.message_user(request, f"Sessions of {user} that were ended: {ended}.", messages.SUCCESS)
        else:
            self.message_user(request, f"{user} is logged in nowhere.", messages.INFO)
        return HttpResponseRedirect(_get_url(user))

    def _get_managed(self, request: HttpRequest, object_id: str) -> User:
        user = self.get_object(request, unquote(object_id))
        if not isinstance(user, User):
            raise Http404
        return user

    def _ask(self, request: HttpRequest, *, user: User, title: str, explanation: str) -> HttpResponse:
        request.current_app = self.admin_site.name
        context = {
            **self.admin_site.each_context(request),
            "title": title,
            "subtitle": str(user),
            "opts": self.opts,
            "original": user,
            "form": forms.Form(),
            "explanation": explanation,
            "submit_label": title,
            "cancel_url": _get_url(user),
            "media": forms.Form().media,  # without the list's scripts
        }
        return TemplateResponse(request, "admin/action_form.html", context)

    def log_addition(self, request: HttpRequest, obj: Any, message: Any) -> None:  # type: ignore[override]
        """Do nothing: the write itself was told to the audit trail."""

    def log_change(self, request: HttpRequest, obj: Any, message: Any) -> None:  # type: ignore[override]
        """Do nothing: the write itself was told to the audit trail."""

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


def _get_url(user: User) -> str:
    return reverse("admin:accounts_user_change", args=(user.pk,))
