from django.apps import AppConfig
from django.apps import apps as current_apps
from django.apps.registry import Apps
from django.db.models.signals import post_migrate


class ReportsConfig(AppConfig):
    name = "ctms.reports"
    label = "reports"
    verbose_name = "Reports"

    def ready(self) -> None:
        from ctms.configuration.uses import register_use_finder
        from ctms.records.lists.page_parts import register_list_link
        from ctms.records.pages.home import register_home_panel
        from ctms.records.pages.navigation import FrameTab, register_tab
        from ctms.reports.digest.jobs import register_digest_job
        from ctms.reports.field_uses import find_report_uses
        from ctms.reports.flash.jobs import register_flash_job
        from ctms.reports.flash.notices import register_flash_notifications
        from ctms.reports.objects import register_report_objects
        from ctms.reports.pages.builder.lists import build_list_link
        from ctms.reports.pages.dashboards import HOME_DASHBOARD
        from ctms.reports.retention import register_retention_rules
        from ctms.reports.setup_reports import register_setup_reports
        from ctms.reports.setup_sources import register_setup_sources

        register_report_objects()
        register_setup_sources()
        register_setup_reports()
        register_use_finder(find_report_uses)
        register_tab(FrameTab(label="Reports", page="reports", icon="report", permission="report__sys:read"))
        register_list_link(build_list_link)
        register_home_panel(HOME_DASHBOARD)
        register_flash_job()
        register_digest_job()
        register_flash_notifications()
        register_retention_rules()
        post_migrate.connect(_deliver, sender=self)


def _deliver(*, apps: Apps = current_apps, **_kwargs: object) -> None:
    """Add the delivered report types and reports that the Vault lacks. `flush` does not pass `apps`."""
    from ctms.accounts.models import User
    from ctms.audit.actors import build_system_actor
    from ctms.audit.models import AuditEntry
    from ctms.core.schema import is_schema_current
    from ctms.reports.delivered import deliver_reports
    from ctms.reports.models import Report, ReportType

    if is_schema_current(apps=apps, models=(User, AuditEntry, ReportType, Report)):
        deliver_reports(actor=build_system_actor(source="command", reference="migrate"))
