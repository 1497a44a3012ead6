from django.apps import AppConfig


class AuditConfig(AppConfig):
    name = "ctms.audit"
    label = "audit"
    verbose_name = "Audit trail"

    def ready(self) -> None:
        from ctms.audit import signals, tracking  # noqa: F401  connect the receivers of framework events
        from ctms.core.tracking import register_recorder

        register_recorder(tracking.record_writes)
