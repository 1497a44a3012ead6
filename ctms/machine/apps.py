from django.apps import AppConfig
from django.apps import apps as current_apps
from django.apps.registry import Apps
from django.db.models.signals import post_migrate


class MachineConfig(AppConfig):
    """One Vault: which it is, its backups, how it is, and a whole one on one machine: `manage.py vault`."""

    name = "ctms.machine"
    label = "machine"
    verbose_name = "This Vault"

    def ready(self) -> None:
        from ctms.core.standing import register_standing_reader
        from ctms.machine.health.database_checks import register_database_checks
        from ctms.machine.health.figures import list_job_metrics, list_queue_metrics, list_user_metrics
        from ctms.machine.health.metrics import register_metrics
        from ctms.machine.health.service_checks import register_service_checks
        from ctms.machine.jobs import register_drill_job
        from ctms.machine.places import read_installation_standing

        for source in (list_job_metrics, list_queue_metrics, list_user_metrics):
            register_metrics(source)
        register_database_checks()
        register_service_checks()
        register_standing_reader(read_installation_standing)
        register_drill_job()
        post_migrate.connect(_deliver, sender=self)


def _deliver(*, apps: Apps = current_apps, **_kwargs: object) -> None:
    """Note where a new database is. `apps` has a default because `flush` does not pass it."""
    from ctms.accounts.models import User
    from ctms.audit.actors import build_system_actor
    from ctms.audit.models import AuditEntry
    from ctms.core.schema import is_schema_current
    from ctms.machine.declaring import deliver_installation
    from ctms.machine.models import Installation

    if is_schema_current(apps=apps, models=(User, AuditEntry, Installation)):
        deliver_installation(actor=build_system_actor(source="command", reference="migrate"))
