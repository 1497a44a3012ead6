from django.apps import AppConfig
from django.apps import apps as current_apps
from django.apps.registry import Apps
from django.db.models.signals import post_migrate


class JobsConfig(AppConfig):
    name = "ctms.jobs"
    label = "jobs"
    verbose_name = "Operations"

    def ready(self) -> None:
        from ctms.jobs.console import register_overdue_panel
        from ctms.jobs.steps import register_verification_step
        from ctms.jobs.trail_verification import register_verification_job

        register_overdue_panel()
        register_verification_job()
        register_verification_step()
        post_migrate.connect(_deliver, sender=self)


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
