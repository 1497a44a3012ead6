from django.apps import AppConfig


class ReportsConfig(AppConfig):
    name = "ctms.reports"
    label = "reports"
    verbose_name = "Reports"

    def ready(self) -> None:
        from ctms.configuration.uses import register_use_finder
        from ctms.reports.field_uses import find_report_uses
        from ctms.reports.objects import register_report_objects

        register_report_objects()
        register_use_finder(find_report_uses)
