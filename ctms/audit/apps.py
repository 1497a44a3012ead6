from django.apps import AppConfig
from django.apps import apps as current_apps
from django.apps.registry import Apps
from django.db import connections
from django.db.models.signals import post_migrate, pre_migrate


class AuditConfig(AppConfig):
    name = "ctms.audit"
    label = "audit"
    verbose_name = "Audit trail"

    def ready(self) -> None:
        from ctms.audit import checks, signals, tracking  # noqa: F401  registers a check, connects receivers
        from ctms.audit.heads import register_chain_head
        from ctms.audit.sealing import read_head
        from ctms.core.tracking import register_recorder

        register_recorder(tracking.record_writes)
        register_chain_head(lambda: str(read_head()))
        pre_migrate.connect(_lift_time_limits, sender=self)
        pre_migrate.connect(_remove_guards, sender=self)
        post_migrate.connect(_install_guards, sender=self)


def _lift_time_limits(*, using: str, plan: list[object], **_kwargs: object) -> None:
    """Let migrations take as long as they need: the limits of `signals` and of the settings are for pages and jobs."""
    from ctms.audit.signals import lift_time_limits

    if plan:
        lift_time_limits(connections[using])


def _remove_guards(*, using: str, plan: list[object], **_kwargs: object) -> None:
    """On SQLite, which rebuilds tables that change, remove the triggers until the migrations have run."""
    from ctms.audit.guards import remove_sqlite_guards

    if plan and connections[using].vendor == "sqlite":
        remove_sqlite_guards(connections[using])


def _install_guards(*, using: str, apps: Apps = current_apps, **_kwargs: object) -> None:
    """Install the triggers that are missing or differ. `apps` has a default because `flush` does not pass it."""
    from ctms.audit.guards import install_guards
    from ctms.audit.models import AuditEntry, AuditRedaction, AuditSeal
    from ctms.core.schema import is_schema_current

    if is_schema_current(apps=apps, models=(AuditEntry, AuditRedaction, AuditSeal)):
        install_guards(connections[using])
