from django.apps import AppConfig


class ReportsConfig(AppConfig):
    name = "ctms.reports"
    label = "reports"
    verbose_name = "Reports"

    def ready(self) -> None:
        from ctms.configuration.uses import register_use_finder
        from ctms.reports.field_uses import find_report_uses
        from ctms.reports.flash.jobs import register_flash_job
        from ctms.reports.flash.notices import register_flash_notifications
        from ctms.reports.objects import register_report_objects

        register_report_objects()
        register_use_finder(find_report_uses)
        register_flash_job()
        register_flash_notifications()
