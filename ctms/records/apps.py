from django.apps import AppConfig


class RecordsConfig(AppConfig):
    name = "ctms.records"
    label = "records"
    verbose_name = "Records"

    def ready(self) -> None:
        from ctms.configuration.uses import register_use_finder
        from ctms.records.api.retention import register_answer_retention
        from ctms.records.bulk.jobs import register_bulk_job
        from ctms.records.bulk.retention import register_retention_rules
        from ctms.records.calendar.sources import may_see_calendar
        from ctms.records.fields.kinds import register_kinds
        from ctms.records.lists.field_uses import find_view_uses
        from ctms.records.pages.navigation import FrameTab, register_tab
        from ctms.records.pages.notifications import register_operation_notifications
        from ctms.records.pages.waiting import register_waiting_panel

        register_kinds()
        register_bulk_job()
        register_retention_rules()
        register_answer_retention()
        register_use_finder(find_view_uses)
        register_tab(
            FrameTab(label="Calendar", page="calendar", icon="calendar", is_offered=may_see_calendar, is_leading=True)
        )
        register_operation_notifications()
        register_waiting_panel()
