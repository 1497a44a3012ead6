from django.apps import AppConfig


class WebhooksConfig(AppConfig):
    name = "ctms.webhooks"
    label = "webhooks"
    verbose_name = "Webhooks"

    def ready(self) -> None:
        from ctms.machine.declaring import Event, register_follow_up
        from ctms.webhooks.jobs import register_webhook_job
        from ctms.webhooks.retention import register_retention_rules
        from ctms.webhooks.services import switch_off_webhooks

        register_webhook_job()
        register_retention_rules()
        register_follow_up(Event.EMPTIED, switch_off_webhooks)
