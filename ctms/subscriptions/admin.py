"""The console pages of subscriptions: who is told of what, the secrets, and what was sent."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.contrib import admin, messages
from django.contrib.admin.utils import unquote
from django.core.exceptions import PermissionDenied, ValidationError
from django.db import transaction
from django.db.models import QuerySet
from django.forms import Form
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import reverse

from ctms.audit.actors import Actor
from ctms.audit.admin.base import AuditedModelAdmin
from ctms.audit.admin.theme import action, display
from ctms.audit.admin.writing import build_actor, get_expected_version, try_write
from ctms.subscriptions.forms import SubscriptionForm
from ctms.subscriptions.models import RecordSubscription
from ctms.subscriptions.services import delete_subscription, require_rights, save_subscription
from ctms.webhooks.models import WebhookDelivery
from ctms.webhooks.services import end_previous_secret, queue_test, replace_secret, retry_delivery

_SHOWN = 50
_STATE_LABELS = {
    "Active": "success",
    "Without secret": "warning",
    "User inactive": "warning",
    "Off": "default",
    "Switched off": "danger",
}


@admin.register(RecordSubscription)
class RecordSubscriptionAdmin(AuditedModelAdmin):
    """Subscriptions of programs."""

    form = SubscriptionForm
    list_display = ("show_name", "show_state", "user", "show_url", "modified_at")
    list_select_related = ("webhook", "user", "notice")
    search_fields = ("webhook__name", "webhook__url", "user__username")
    search_help_text = "Name, URL or user"
    ordering = ("webhook__name", "pk")
    fields = ("name", "is_active", "url", "user", "topics")  # hidden ones are on every form
    actions_detail = ("deliveries", "new_secret", "end_secret")
    stay_after_add = True

    @display(description="name", ordering="webhook__name")
    def show_name(self, subscription: RecordSubscription) -> str:
        return subscription.webhook.name

    @display(description="URL", ordering="webhook__url")
    def show_url(self, subscription: RecordSubscription) -> str:
        return subscription.webhook.url

    @display(description="state", label=_STATE_LABELS)
    def show_state(self, subscription: RecordSubscription) -> str:
        if not subscription.webhook.is_active:
            return "Switched off" if hasattr(subscription, "notice") else "Off"
        if not subscription.user.is_active or subscription.user.has_ended:
            return "User inactive"
        return "Active" if subscription.webhook.secret else "Without secret"

    def write_record(self, *, record: Any, form: Any, actor: Actor) -> None:
        cleaned = form.cleaned_data
        save_subscription(
            subscription=record,
            name=cleaned["name"],
            url=cleaned["url"],
            is_active=cleaned["is_active"],
            actor=actor,
            expected_version=get_expected_version(form),
            webhook_version=cleaned["webhook_version"],
        )

    def delete_model(self, request: HttpRequest, obj: RecordSubscription) -> None:
        delete_subscription(subscription=obj, actor=build_actor(request))

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[RecordSubscription]) -> None:
        with transaction.atomic():
            for subscription in queryset.select_related("webhook"):
                delete_subscription(subscription=subscription, actor=build_actor(request))

    @action(description="Deliveries", url_path="deliveries", permissions=["view"], icon="outbox")
    def deliveries(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Show what was sent and what waits, the newest first; with POST, send a test event, or one again."""
        subscription = self._find(request, object_id)
        may_change = self.has_change_permission(request, subscription)
        if request.method == "POST":
            if not may_change:
                raise PermissionDenied("You may not send events of this subscription.")
            self._send(request, subscription)
            return HttpResponseRedirect(request.get_full_path())
        found = subscription.webhook.deliveries.order_by("-pk")
        before = request.GET.get("before", "")
        if before.isascii() and before.isdigit() and len(before) < len(str(2**63)):
            found = found.filter(pk__lt=int(before))
        rows = list(found[: _SHOWN + 1])
        context = {
            **self._build_context(request, subscription, title="Deliveries"),
            "webhook": subscription.webhook,
            "state": self.show_state(subscription),
            "notice": getattr(subscription, "notice", None),
            "deliveries": rows[:_SHOWN],
            "older": rows[_SHOWN - 1].pk if len(rows) > _SHOWN else None,
            "may_send": may_change and subscription.webhook.is_active,
        }
        return TemplateResponse(request, "admin/subscriptions/deliveries.html", context)

    @action(description="New secret", url_path="new-secret", permissions=["change"], icon="key")
    def new_secret(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Ask, then make a secret and show it, this once."""
        subscription = self._find(request, object_id)
        webhook = subscription.webhook
        if request.method != "POST":
            explanation = "It is shown once. " + (
                "Events are signed by the present secret as well until you end that, so that the receiver can be "
                "changed meanwhile."
                if webhook.secret
                else "The receiver checks with it that an event is of this Vault."
            )
            if webhook.previous_secret:
                explanation += " The secret before the present one is valid still; it ends now."
            return self.show_action(
                request,
                record=subscription,
                title="New secret",
                form=Form(),
                submit_label="Make a secret",
                explanation=explanation,
            )
        made: list[str] = []
        refusal = try_write(lambda: made.append(self._replace_secret(request, subscription)))
        if refusal is not None:
            return self._refuse(request, subscription, refusal)
        context = {**self._build_context(request, subscription, title="New secret"), "secret": made[0]}
        response = TemplateResponse(request, "admin/subscriptions/secret.html", context)
        response.headers["Cache-Control"] = "no-store"
        return response

    @action(description="End old secret", url_path="end-secret", permissions=["change"], icon="key_off")
    def end_secret(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Ask, then sign by the newest secret alone."""
        subscription = self._find(request, object_id)
        if request.method != "POST":
            return self.show_action(
                request,
                record=subscription,
                title="End old secret",
                form=Form(),
                submit_label="End old secret",
                explanation="From now on events are signed by the newest secret alone. Receivers that know only the "
                "one before refuse them.",
            )
        webhook = subscription.webhook
        refusal = try_write(lambda: end_previous_secret(webhook=webhook, actor=build_actor(request)))
        if refusal is not None:
            return self._refuse(request, subscription, refusal)
        self.message_user(request, "Events are signed by the newest secret alone.", messages.SUCCESS)
        return HttpResponseRedirect(self.get_change_url(subscription))

    def get_actions_detail(self, request: HttpRequest, object_id: Any) -> list[Any]:
        """Return the actions of a subscription; *End old secret* if there is one."""
        found = super().get_actions_detail(request, object_id)
        subscription = RecordSubscription.objects.filter(pk=object_id).select_related("webhook").first()
        if subscription is not None and subscription.webhook.previous_secret:
            return found
        return [each for each in found if not str(each.action_name).endswith("end_secret")]

    def _replace_secret(self, request: HttpRequest, subscription: RecordSubscription) -> str:
        actor = build_actor(request)
        require_rights(subscription=subscription, actor=actor)
        return replace_secret(webhook=subscription.webhook, actor=actor)

    def _find(self, request: HttpRequest, object_id: str) -> RecordSubscription:
        subscription = self.get_object(request, unquote(object_id))
        if not isinstance(subscription, RecordSubscription) or not self.has_view_permission(request, subscription):
            raise PermissionDenied("This subscription does not exist, or you may not see it.")
        return subscription

    def _refuse(
        self, request: HttpRequest, subscription: RecordSubscription, refusal: ValidationError
    ) -> HttpResponseRedirect:
        self.message_user(request, " ".join(refusal.messages), messages.ERROR)
        return HttpResponseRedirect(self.get_change_url(subscription))

    def _send(self, request: HttpRequest, subscription: RecordSubscription) -> None:
        webhook = subscription.webhook
        if not webhook.is_active:
            self.message_user(request, "The subscription is off. Switch it on first.", messages.ERROR)
            return
        if "test" in request.POST:
            queue_test(webhook)
            self.message_user(request, "A test event is sent within a minute.", messages.SUCCESS)
            return
        try:
            delivery = WebhookDelivery.objects.filter(webhook=webhook, uid=UUID(request.POST.get("again", ""))).first()
        except ValueError:
            delivery = None
        if delivery is not None and retry_delivery(delivery):
            self.message_user(request, "It is sent again within a minute, with the same id.", messages.SUCCESS)
        else:
            self.message_user(request, "This event waits already, or is not kept any more.", messages.WARNING)

    def _build_context(self, request: HttpRequest, subscription: RecordSubscription, *, title: str) -> dict[str, Any]:
        request.current_app = self.admin_site.name
        return {
            **self.admin_site.each_context(request),
            "title": title,
            "subtitle": str(subscription),
            "opts": self.opts,
            "original": subscription,
            "record_url": self.get_change_url(subscription),
            "list_url": reverse("admin:subscriptions_recordsubscription_changelist"),
            "media": self.media,
        }
