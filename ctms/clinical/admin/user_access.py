"""The page *What may this user do* of a user in the console."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django import forms
from django.contrib.admin.utils import unquote
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import reverse
from unfold.widgets import UnfoldAdminTextInputWidget

from ctms.accounts.models import User
from ctms.accounts.policies import find_ground_for_all_studies, list_visible
from ctms.audit.admin.pages import extend_page
from ctms.audit.admin.theme import ModelAdmin, action
from ctms.audit.admin.writing import get_user
from ctms.clinical.assignments import describe_state
from ctms.clinical.explanation import Verdict, explain_areas, explain_objects, explain_record
from ctms.clinical.models import StudyAssignment
from ctms.configuration.permissions import ACTIONS

_UNKNOWN = "There is no record of this UID, or you do not see it yourself."


class RecordForm(forms.Form):
    """Asks for the record of which the page says whether the user sees it."""

    record = forms.UUIDField(
        label="UID of a record",
        help_text="It stands at the end of the address of the record's page.",
        error_messages={"invalid": "UID: 32 hexadecimal digits, such as the end of the address of a record's page."},
        widget=UnfoldAdminTextInputWidget(attrs={"spellcheck": "false"}),
    )


@extend_page(User)
class UserAccess(ModelAdmin):
    """Adds the page to those of users. Whoever may open a user may ask."""

    actions_detail: Any = ("show_access",)

    @action(description="What may this user do?", url_path="access", permissions=["view"], icon="policy")
    def show_access(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Show what the user may do and why, and whether the user sees the record that the address names."""
        user = self.get_object(request, unquote(object_id))
        if not isinstance(user, User) or not self.has_view_permission(request, user):
            raise PermissionDenied("This user does not exist, or you may not see users.")
        form = RecordForm(request.GET or None)
        verdict = None
        if form.is_bound and form.is_valid():
            verdict = _judge(form, user=user, asker=get_user(request))
        request.current_app = self.admin_site.name
        context = {
            **self.admin_site.each_context(request),
            "title": "What may this user do?",
            "subtitle": str(user),
            "opts": self.opts,
            "original": user,
            "subject": user,
            "profile": user.security_profile,
            "actions": [name.capitalize() for name in ACTIONS],
            "objects": explain_objects(user=user),
            "areas": explain_areas(user=user),
            "all_studies": find_ground_for_all_studies(user=user),
            "assignments": _list_assignments(user, asker=get_user(request)),
            "form": form,
            "verdict": verdict,
            "back_url": reverse("admin:accounts_user_change", args=(user.pk,)),
        }
        return TemplateResponse(request, "admin/clinical/user_access.html", context)


def _list_assignments(user: User, *, asker: User) -> list[tuple[StudyAssignment, str]]:
    """Return the user's assignments to studies that `asker` sees, each with its state."""
    visible = list_visible(StudyAssignment.objects.filter(user=user), asker)
    rows = visible.select_related("study", "study_country", "site")
    return [(row, describe_state(row)) for row in rows.order_by("study__name", "pk")]


def _judge(form: RecordForm, *, user: User, asker: User) -> Verdict | None:
    uid: UUID = form.cleaned_data["record"]
    verdict = explain_record(user=user, asker=asker, uid=uid)
    if verdict is None:
        form.add_error("record", _UNKNOWN)
    return verdict
