from django.apps import AppConfig
from django.apps import apps as current_apps
from django.apps.registry import Apps
from django.db.models.signals import post_migrate


class JobsConfig(AppConfig):
    name = "ctms.jobs"
    label = "jobs"
    verbose_name = "Operations"

    def ready(self) -> None:
        from celery.signals import worker_shutting_down

        from ctms.jobs.console import register_overdue_panel
        from ctms.jobs.housekeeping import register_housekeeping_job
        from ctms.jobs.retention_rules import register_retention_rules
        from ctms.jobs.steps import register_housekeeping_step, register_verification_step
        from ctms.jobs.stopping import note_stop
        from ctms.jobs.trail_verification import register_verification_job

        register_overdue_panel()
        register_verification_job()
        register_verification_step()
        register_housekeeping_job()
        register_housekeeping_step()
        register_retention_rules()
        post_migrate.connect(_deliver, sender=self)
        worker_shutting_down.connect(note_stop)


def _deliver(*, apps: Apps = current_apps, **_kwargs: object) -> None:
    """Add the definitions of registered jobs, Inactive. `apps` has a default because `flush` does not pass it."""
    from ctms.accounts.models import User
    from ctms.audit.actors import build_system_actor
    from ctms.audit.models import AuditEntry
    from ctms.core.schema import is_schema_current
    from ctms.jobs.models import JobDefinition
    from ctms.jobs.services import deliver_job_definitions

    if is_schema_current(apps=apps, models=(User, AuditEntry, JobDefinition)):
        deliver_job_definitions(actor=build_system_actor(source="command", reference="migrate"))
