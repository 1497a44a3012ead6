"""The console page of calendar feeds: who has one, when it was read last, and revoking it."""

from __future__ import annotations

from typing import Any

from django.contrib import admin, messages
from django.contrib.admin.utils import unquote
from django.forms import Form
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import reverse

from ctms.accounts.models import CalendarFeed
from ctms.accounts.policies import has_permission
from ctms.audit.admin.readonly import ReadOnlyModelAdmin
from ctms.audit.admin.theme import action, display
from ctms.audit.admin.writing import build_actor, get_user
from ctms.audit.calendar_feeds import revoke_feed

_LIST = "admin:accounts_calendarfeed_changelist"
_STATE_LABELS = {"Valid": "success", "Revoked": "danger"}


@admin.register(CalendarFeed)
class CalendarFeedAdmin(ReadOnlyModelAdmin):
    """The feeds of all users, newest first. Nothing of an address is kept, so nothing of it can be shown."""

    list_display = ("user", "show_state", "contents", "created_at", "last_used_at")
    list_filter = ("contents",)
    list_select_related = ("user",)
    list_per_page = 50
    search_fields = ("user__username", "user__first_name", "user__last_name")
    search_help_text = "User"
    actions_detail = ("revoke",)
    fields = ("user", "show_state", "contents", ("created_at", "last_used_at"), "revoked_at")
    readonly_fields = ("user", "show_state", "contents", "created_at", "last_used_at", "revoked_at")

    @display(description="state", label=_STATE_LABELS)
    def show_state(self, feed: CalendarFeed) -> str:
        return "Valid" if feed.revoked_at is None else "Revoked"

    def has_revoke_permission(self, request: HttpRequest, object_id: Any = None) -> bool:  # noqa: ARG002  Unfold's signature
        """Whether the user may manage users, and so revoke their feeds."""
        return has_permission(user=get_user(request), permission=CalendarFeed.object_name)

    def get_actions_detail(self, request: HttpRequest, object_id: Any) -> list[Any]:
        """Return the actions of a feed; none if it is revoked."""
        if not CalendarFeed.objects.filter(pk=unquote(str(object_id)), revoked_at__isnull=True).exists():
            return []
        return super().get_actions_detail(request, object_id)

    @action(description="Revoke", url_path="revoke", permissions=["revoke"], icon="block")
    def revoke(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Ask for confirmation, then revoke the feed."""
        feed = self.get_object(request, unquote(object_id))
        if feed is None:
            raise Http404
        if request.method != "POST":
            return self._ask(request, feed)
        if revoke_feed(feed=feed, actor=build_actor(request)):
            self.message_user(request, f"The calendar feed of {feed.user} was revoked.", messages.SUCCESS)
        else:
            self.message_user(request, f"The calendar feed of {feed.user} was revoked already.", messages.WARNING)
        return HttpResponseRedirect(reverse(_LIST))

    def _ask(self, request: HttpRequest, feed: CalendarFeed) -> HttpResponse:
        request.current_app = self.admin_site.name
        context = {
            **self.admin_site.each_context(request),
            "title": "Revoke calendar feed",
            "subtitle": str(feed),
            "opts": self.opts,
            "original": feed,
            "form": Form(),
            "explanation": f"Calendar programs with the address of {feed.user} get nothing any more, at once and for "
            "good. The user can create another address.",
            "submit_label": "Revoke feed",
            "cancel_url": reverse(_LIST),
            "media": Form().media,  # without the list's scripts
        }
        return TemplateResponse(request, "admin/action_form.html", context)
