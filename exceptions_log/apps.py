from django.apps import AppConfig


class ExceptionsLogConfig(AppConfig):
    name = "exceptions_log"
    verbose_name = "User exceptions"

    def ready(self) -> None:
        from exceptions_log.console import register_exception_panel
        from exceptions_log.erasure import register_exceptions_eraser
        from exceptions_log.notices import register_exception_notices
        from exceptions_log.objects import register_exception_objects
        from exceptions_log.report import register_report_job
        from exceptions_log.reports import register_exception_reports
        from exceptions_log.retention import register_retention_job
        from exceptions_log.steps import register_exception_steps

        register_exception_objects()
        register_exception_steps()
        register_exception_panel()
        register_exception_notices()
        register_report_job()
        register_exception_reports()
        register_retention_job()
        register_exceptions_eraser()
