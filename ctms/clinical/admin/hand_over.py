"""What the console says of users: the person that one is, and what is to be handed over when one leaves."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.contrib.admin.utils import unquote
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils.html import format_html

from ctms.accounts.models import User
from ctms.accounts.policies import list_visible
from ctms.audit.admin.pages import extend_page
from ctms.audit.admin.theme import ModelAdmin, action, display
from ctms.audit.admin.writing import get_user
from ctms.clinical.models import Person
from ctms.records.access import AccessRefusedError
from ctms.records.addresses import get_record_url
from ctms.records.bulk.handing_over.owned import open_any, open_owned
from ctms.records.bulk.handing_over.waiting import list_waiting

_MOST_TOLD = 5


@extend_page(User)
class UserHandOver(ModelAdmin):
    """Adds the way to hand over what a user owns, which is asked for when the user is deactivated."""

    actions_detail: Any = ("hand_over",)

    @action(description="Hand over…", url_path="hand-over", permissions=["view"], icon="move_up")
    def hand_over(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Lead to the page on which the user's sites, visits and activities are handed over."""
        user = self.get_object(request, unquote(object_id))
        if not isinstance(user, User) or not self.has_view_permission(request, user):
            raise PermissionDenied("This user does not exist, or you may not see users.")
        return HttpResponseRedirect(reverse("hand_over_user", args=(user.uid,)))

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        return [*super().get_readonly_fields(request, obj), "show_person"]

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> Any:
        """Show who a stored user is among the persons."""
        fieldsets = super().get_fieldsets(request, obj)
        if obj is None:
            return fieldsets
        person = list_visible(Person._default_manager.filter(user=obj), get_user(request)).first()
        obj.shown_person = person
        return [
            (title, {**options, "fields": (*options["fields"], "show_person")} if title == "Person" else options)
            for title, options in fieldsets
        ]

    @display(description="person")
    def show_person(self, user: User) -> str:
        """Return a link to the person that the user is, if the admin sees one."""
        person = getattr(user, "shown_person", None)
        return format_html('<a href="{}">{}</a>', get_record_url(person), person) if person is not None else "None"

    def response_change(self, request: HttpRequest, obj: Any) -> HttpResponse:
        tell_waiting(request, owner=obj)
        return super().response_change(request, obj)


def tell_waiting(request: HttpRequest, *, owner: User | None = None) -> None:
    """Ask for the hand-over of what waits with users who cannot see to it: with this one, or with anybody."""
    try:
        access = open_any(get_user(request))
    except AccessRefusedError:
        return
    can_edit = bool(open_owned(access))
    for each in list_waiting(access, owner=owner, action="edit" if can_edit else "read")[:_MOST_TOLD]:
        told = f"{each.user} {each.why}, but still owns: {each.text}."
        if can_edit:
            messages.warning(request, format_html('{} <a href="{}">Hand that over</a>.', told, each.url))
        else:
            messages.warning(request, f"{told} Ask a study manager to hand that over.")
