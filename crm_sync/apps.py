from django.apps import AppConfig


class CrmSyncConfig(AppConfig):
    name = "crm_sync"
    verbose_name = "CRM transfer"

    def ready(self) -> None:
        from crm_sync.console import register_transfer_panels
        from crm_sync.jobs import register_transfer_job
        from crm_sync.steps import register_transfer_steps

        register_transfer_job()
        register_transfer_steps()
        register_transfer_panels()
