"""The console page of security profiles. It is in this app because the object registry names the permissions."""

from __future__ import annotations

from typing import Any

from django.contrib import admin, messages
from django.contrib.admin.utils import unquote
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse

from ctms.accounts.granting import OWN_PROFILE, is_exempt
from ctms.accounts.models import SecurityProfile
from ctms.audit.actors import Actor
from ctms.audit.admin.base import AuditedModelAdmin
from ctms.audit.admin.theme import action
from ctms.audit.admin.writing import get_expected_version, get_user
from ctms.configuration.forms import SecurityProfileForm
from ctms.configuration.profiles import is_delivered, list_ungranted, save_profile

_COPY_OF = "copy_of"
_MOST_NAMED = 8
_COPIED = ("description", "sees_all_studies", "log_views", "permissions")


@admin.register(SecurityProfile)
class SecurityProfileAdmin(AuditedModelAdmin):
    """The page of a security profile. A delivered one cannot be deleted: the next update would bring it back."""

    form = SecurityProfileForm
    list_display = ("name", "api_name", "status", "sees_all_studies", "description")
    list_filter = ("status", "sees_all_studies")
    search_fields = ("name", "api_name")
    fields = ("name", "api_name", "status", "description", "sees_all_studies", "log_views", "permissions")
    actions_detail = ("copy_profile",)

    @action(description="Copy to New", url_path="copy-to-new", permissions=["copy"], icon="content_copy")
    def copy_profile(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Redirect to the form of a new profile, filled from this one; nothing is written before it is saved."""
        profile = self.get_object(request, unquote(object_id))
        if not isinstance(profile, SecurityProfile) or not self.has_copy_permission(request):
            raise PermissionDenied("This security profile does not exist, or you may not add profiles.")
        return HttpResponseRedirect(f"{reverse('admin:accounts_securityprofile_add')}?{_COPY_OF}={profile.pk}")

    def has_copy_permission(self, request: HttpRequest, object_id: Any = None) -> bool:  # noqa: ARG002  Unfold's signature
        """Whether the user may add profiles."""
        return self.has_add_permission(request)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        if isinstance(obj, SecurityProfile) and is_delivered(obj):
            return False
        return super().has_delete_permission(request, obj)

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> list[Any]:
        """Return `api_name` of a stored profile: by it an update finds the delivered ones."""
        return [*super().get_readonly_fields(request, obj), *(["api_name"] if obj is not None else [])]

    def changeform_view(
        self,
        request: HttpRequest,
        object_id: str | None = None,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> Any:
        user = get_user(request)
        if request.method == "GET" and not is_exempt(user) and object_id == str(user.security_profile_id):
            self.message_user(request, OWN_PROFILE, messages.WARNING)
        if request.method == "GET":
            self._tell_ungranted(request, object_id)
        return super().changeform_view(request, object_id, form_url, extra_context)

    def _tell_ungranted(self, request: HttpRequest, object_id: str | None) -> None:
        """Say what this version delivers with the profile and it lacks: updates give nobody rights."""
        profile = self.get_object(request, unquote(object_id)) if object_id is not None else None
        if not isinstance(profile, SecurityProfile) or not self.has_view_permission(request, profile):
            return
        ungranted = list_ungranted(profile)
        if ungranted:
            more = f" and {len(ungranted) - _MOST_NAMED} more" if len(ungranted) > _MOST_NAMED else ""
            named = f"{', '.join(ungranted[:_MOST_NAMED])}{more}"
            told = (
                f"This version delivers {profile} with more than it has here: {named}. Tick what its users are to have."
            )
            self.message_user(request, told, messages.INFO)

    def get_form(self, request: HttpRequest, obj: Any = None, change: bool = False, **kwargs: Any) -> Any:  # noqa: FBT001, FBT002  Django's signature
        form: Any = super().get_form(request, obj, change, **kwargs)
        source = None if obj is not None else _find_copied(request)
        form.copied_permissions = source.permissions if source else ()
        return form

    def get_changeform_initial_data(self, request: HttpRequest) -> dict[str, Any]:
        source = _find_copied(request)
        if source is None:
            return dict(super().get_changeform_initial_data(request))
        return {"name": f"{source.name} (copy)", **{name: getattr(source, name) for name in _COPIED}}

    def write_record(self, *, record: SecurityProfile, form: Any, actor: Actor) -> None:
        save_profile(profile=record, actor=actor, expected_version=get_expected_version(form))

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:  # noqa: FBT001  Django's signature
        super().save_model(request, obj, form, change)
        if form.added_reading:
            added = ", ".join(form.added_reading)
            self.message_user(request, f"Read was ticked, too, where Create, Edit or Delete needs it: {added}.")


def _find_copied(request: HttpRequest) -> SecurityProfile | None:
    key = request.GET.get(_COPY_OF, "")
    return SecurityProfile.objects.filter(pk=key).first() if key.isdecimal() and len(key) < 10 else None  # noqa: PLR2004  what a key may have
