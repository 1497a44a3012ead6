"""What the console page of users refuses, so that nobody raises rights: see `ctms.accounts.granting`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from ctms.accounts.granting import explain_giving, is_exempt
from ctms.accounts.models import User
from ctms.audit.admin.writing import get_user

if TYPE_CHECKING:
    from django import forms
    from django.contrib import admin
    from django.http import HttpRequest

    from ctms.accounts.models import SecurityProfile

    _Admin = admin.ModelAdmin[Any]
    _Form = forms.ModelForm[Any]
else:
    _Admin = _Form = object


class GrantingFormMixin(_Form):
    """Refuses a security profile that the user of the request may not give."""

    giver: ClassVar[User]

    def clean_security_profile(self) -> SecurityProfile | None:
        profile: SecurityProfile | None = self.cleaned_data["security_profile"]
        if "security_profile" in self.changed_data:
            refusal = explain_giving(giver=self.giver, profile=profile)
            if refusal:
                self.add_error("security_profile", refusal)
        return profile


class GrantingAdminMixin(_Admin):
    """Lets nobody change their own profile, nor a user whose profile they could not give."""

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        user = get_user(request)
        if isinstance(obj, User) and obj.pk != user.pk and explain_giving(giver=user, profile=obj.security_profile):
            return False
        return bool(super().has_change_permission(request, obj))

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> list[Any]:
        user = get_user(request)
        own = isinstance(obj, User) and obj.pk == user.pk and not is_exempt(user)
        return [*super().get_readonly_fields(request, obj), *(["security_profile", "valid_until"] if own else [])]

    def get_form(self, request: HttpRequest, obj: Any = None, **kwargs: Any) -> Any:  # type: ignore[override]  # as in Django
        form: Any = super().get_form(request, obj, **kwargs)
        form.giver = get_user(request)
        return form
