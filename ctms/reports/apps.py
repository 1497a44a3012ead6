from django.apps import AppConfig


class ReportsConfig(AppConfig):
    name = "ctms.reports"
    label = "reports"
    verbose_name = "Reports"

    def ready(self) -> None:
        from ctms.configuration.uses import register_use_finder
        from ctms.records.lists.page_parts import register_list_link
        from ctms.records.pages.navigation import FrameTab, register_tab
        from ctms.reports.field_uses import find_report_uses
        from ctms.reports.objects import register_report_objects
        from ctms.reports.pages.builder.lists import build_list_link

        register_report_objects()
        register_use_finder(find_report_uses)
        register_tab(FrameTab(label="Reports", page="reports", icon="report", permission="report__sys:read"))
        register_list_link(build_list_link)
