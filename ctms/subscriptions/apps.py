from django.apps import AppConfig


class SubscriptionsConfig(AppConfig):
    name = "ctms.subscriptions"
    label = "subscriptions"
    verbose_name = "Subscriptions"

    def ready(self) -> None:
        from ctms.subscriptions.events import RecordEvents
        from ctms.subscriptions.jobs import register_notice_job
        from ctms.subscriptions.models import SOURCE
        from ctms.webhooks.sources import register_source

        register_source(SOURCE, RecordEvents())
        register_notice_job()
