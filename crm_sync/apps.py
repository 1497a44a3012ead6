from django.apps import AppConfig


class CrmSyncConfig(AppConfig):
    name = "crm_sync"
    verbose_name = "CRM transfer"

    def ready(self) -> None:
        from crm_sync.console import register_transfer_panels
        from crm_sync.erasure import register_transfer_eraser
        from crm_sync.form_lengths import register_form_lengths
        from crm_sync.history import register_history_panel
        from crm_sync.home import register_admin_panel
        from crm_sync.jobs import register_jobs
        from crm_sync.reports import register_transfer_reports
        from crm_sync.retention import register_retention_job
        from crm_sync.sources import register_transfer_sources
        from crm_sync.steps import register_transfer_steps
        from crm_sync.timeline_marks import register_timeline_marks
        from crm_sync.visibility import register_limits
        from crm_sync.whereabouts.places import register_places

        register_limits()
        register_transfer_sources()
        register_transfer_reports()
        register_jobs()
        register_retention_job()
        register_transfer_steps()
        register_transfer_panels()
        register_history_panel()
        register_timeline_marks()
        register_places()
        register_admin_panel()
        register_form_lengths()
        register_transfer_eraser()
