"""The action Alerts of a connection: who is told of it and from when on, its webhook, and what was told."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.contrib.admin.utils import unquote
from django.core.exceptions import PermissionDenied, ValidationError
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import reverse

from connections.models import Connection
from crm_sync.alerts.forms import AlertSettingsForm
from crm_sync.alerts.recipients import list_addresses
from crm_sync.alerts.services import list_alerts, mark_seen, save_alert_settings
from crm_sync.models import AlertSettings
from ctms.audit.admin.base import AuditedModelAdmin
from ctms.audit.admin.pages import extend_page
from ctms.audit.admin.theme import action
from ctms.audit.admin.writing import build_actor, get_user
from ctms.core.errors import StaleRecordError
from ctms.webhooks.models import WebhookDelivery
from ctms.webhooks.services import queue_test, retry_delivery

_SHOWN = 20


@extend_page(Connection)
class ConnectionAlertsPage(AuditedModelAdmin):
    """Adds the action Alerts."""

    actions_detail: Any = ("alerts",)

    @action(description="Alerts", url_path="alerts", permissions=["change"], icon="notifications")
    def alerts(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Show the settings and what was told; with POST, save them, send a test event or retry a delivery."""
        connection = self.get_object(request, unquote(object_id))
        if not isinstance(connection, Connection) or not self.has_change_permission(request, connection):
            raise PermissionDenied("This connection does not exist, or you may not change it.")
        settings = AlertSettings.objects.select_related("webhook", "owner").filter(
            connection=connection
        ).first() or AlertSettings(connection=connection)
        is_saving = request.method == "POST" and not {"test", "retry"} & set(request.POST)
        form = AlertSettingsForm(request.POST if is_saving else None, instance=settings)
        if request.method == "POST" and (
            (form.is_valid() and self._save_alerts(request, form)) if is_saving else self._send_event(request, settings)
        ):
            return HttpResponseRedirect(reverse("admin:connections_connection_alerts", args=(connection.pk,)))
        mark_seen(connection=connection, user=get_user(request))
        webhook = settings.webhook
        request.current_app = self.admin_site.name
        context = {
            **self.admin_site.each_context(request),
            "title": "Alerts",
            "subtitle": str(connection),
            "opts": self.opts,
            "original": connection,
            "form": form,
            "submit_label": "Save alerts",
            "addresses": list_addresses(connection=connection, settings=settings),
            "alerts": list_alerts(connection, limit=_SHOWN),
            "webhook": webhook,
            "deliveries": webhook.deliveries.all()[:_SHOWN] if webhook is not None else (),
            "cancel_url": self.get_change_url(connection),
            "media": self.media + form.media,
        }
        return TemplateResponse(request, "admin/crm_sync/alerts.html", context)

    def _save_alerts(self, request: HttpRequest, form: AlertSettingsForm) -> bool:
        """Save the settings; False, with the reason in the form, if that was refused."""
        cleaned = form.cleaned_data
        try:
            save_alert_settings(
                settings=form.instance,
                webhook_url=cleaned["webhook_url"],
                webhook_secret=cleaned["webhook_secret"],
                actor=build_actor(request),
                expected_version=cleaned["read_version"] if form.instance.pk else None,
            )
        except ValidationError as error:
            form.add_error(None, error)
        except StaleRecordError as error:
            form.add_error(None, str(error))
        else:
            self.message_user(request, "The alerts were saved.", messages.SUCCESS)
            return True
        return False

    def _send_event(self, request: HttpRequest, settings: AlertSettings) -> bool:
        """Queue a test event, or a failed delivery again."""
        webhook = settings.webhook
        if webhook is None or not webhook.is_active:
            self.message_user(request, "There is no webhook. Enter its URL and secret first.", messages.ERROR)
        elif "test" in request.POST:
            queue_test(webhook)
            self.message_user(request, "A test event is sent within a minute; see Deliveries.", messages.SUCCESS)
        else:
            uid = request.POST["retry"]
            found = [each for each in WebhookDelivery.objects.filter(webhook=webhook) if str(each.uid) == uid]
            if found and retry_delivery(found[0]):
                self.message_user(request, "It is sent again within a minute.", messages.SUCCESS)
            else:
                self.message_user(request, "This delivery is not Failed any more.", messages.WARNING)
        return True
