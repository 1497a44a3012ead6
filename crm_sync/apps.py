from django.apps import AppConfig


class CrmSyncConfig(AppConfig):
    name = "crm_sync"
    verbose_name = "CRM transfer"

    def ready(self) -> None:
        from crm_sync.alerts.jobs import register_alert_job
        from crm_sync.alerts.notices import register_alert_notifications
        from crm_sync.contributions.console import register_transfer_panels
        from crm_sync.contributions.erasure import register_transfer_eraser
        from crm_sync.contributions.figures import check_clocks, check_quotas, list_connection_metrics
        from crm_sync.contributions.form_lengths import register_form_lengths
        from crm_sync.contributions.history import register_history_panel
        from crm_sync.contributions.home import register_admin_panel
        from crm_sync.contributions.reports import register_transfer_reports
        from crm_sync.contributions.retention import register_retention_rules
        from crm_sync.contributions.returning import register_return
        from crm_sync.contributions.sources import register_transfer_sources
        from crm_sync.contributions.steps import register_transfer_steps
        from crm_sync.contributions.visibility import register_limits
        from crm_sync.jobs import register_jobs
        from crm_sync.live.waking import register_live_listener
        from crm_sync.whereabouts.places import register_places
        from crm_sync.whereabouts.timelines import register_timeline_marks
        from ctms.machine.health.doctor import Check, register_check
        from ctms.machine.health.metrics import register_metrics

        register_limits()
        register_transfer_sources()
        register_transfer_reports()
        register_jobs()
        register_live_listener()
        register_retention_rules()
        register_return()
        register_transfer_steps()
        register_transfer_panels()
        register_history_panel()
        register_timeline_marks()
        register_places()
        register_admin_panel()
        register_form_lengths()
        register_transfer_eraser()
        register_alert_job()
        register_alert_notifications()
        register_metrics(list_connection_metrics)
        register_check(Check(name="crm calls", ask=check_quotas))
        register_check(Check(name="crm clocks", ask=check_clocks))
