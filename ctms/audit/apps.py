from django.apps import AppConfig


class AuditConfig(AppConfig):
    name = "ctms.audit"
    label = "audit"
    verbose_name = "Audit trail"

    def ready(self) -> None:
        from ctms.audit import signals  # noqa: F401  connects the receivers of framework events
