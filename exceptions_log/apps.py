from django.apps import AppConfig
from django.apps import apps as current_apps
from django.apps.registry import Apps
from django.db.models.signals import post_migrate


class ExceptionsLogConfig(AppConfig):
    name = "exceptions_log"
    verbose_name = "User exceptions"

    def ready(self) -> None:
        from exceptions_log.console import register_exception_panel
        from exceptions_log.digest import register_digest
        from exceptions_log.erasure import register_exceptions_eraser
        from exceptions_log.notices import register_exception_notices
        from exceptions_log.objects import register_exception_objects
        from exceptions_log.reports import register_exception_reports
        from exceptions_log.retention import register_retention_rules
        from exceptions_log.steps import register_exception_steps

        register_exception_objects()
        register_exception_steps()
        register_exception_panel()
        register_exception_notices()
        register_exception_reports()
        register_digest()
        register_retention_rules()
        register_exceptions_eraser()
        # Once the delivered reports are there, which are those of a floor below, and the jobs.
        post_migrate.connect(_take_place, sender=current_apps.get_app_config("jobs"))


def _take_place(*, apps: Apps = current_apps, **_kwargs: object) -> None:
    """Let the flash report take the place of the job of earlier versions. `flush` does not pass `apps`."""
    from ctms.accounts.models import User
    from ctms.audit.actors import build_system_actor
    from ctms.audit.models import AuditEntry
    from ctms.core.schema import is_schema_current
    from ctms.jobs.models import JobDefinition
    from ctms.reports.models import FlashReport, Report
    from exceptions_log.flash_report import take_place_of_old_job

    if is_schema_current(apps=apps, models=(User, AuditEntry, JobDefinition, Report, FlashReport)):
        take_place_of_old_job(actor=build_system_actor(source="command", reference="migrate"))
