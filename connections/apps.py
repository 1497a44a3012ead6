from django.apps import AppConfig
from django.apps import apps as current_apps
from django.apps.registry import Apps
from django.db.models.signals import post_migrate

DELIVERY = "connections.deliver"


class ConnectionsConfig(AppConfig):
    name = "connections"
    verbose_name = "Connections"

    def ready(self) -> None:
        from connections.callbacks import register_callbacks
        from connections.fielduses import find_connection_uses
        from connections.identifiers import register_identifiers
        from connections.objects import register_connection_objects
        from connections.permissions import register_connection_grants
        from connections.returning import register_returning
        from connections.steps import register_connection_steps
        from ctms.configuration.uses import register_use_finder

        register_connection_objects()
        register_identifiers()
        register_connection_grants()
        register_connection_steps()
        register_callbacks()
        register_returning()
        register_use_finder(find_connection_uses)
        post_migrate.connect(_deliver, sender=self, dispatch_uid=DELIVERY)


def _deliver(*, apps: Apps = current_apps, **_kwargs: object) -> None:
    """Give a Vault that never had a connection its first, to be edited. `flush` does not pass `apps`."""
    from connections.models import Connection, FieldRule, Integration, IntegrationProgress, IntegrationRule
    from connections.services import deliver_connection
    from ctms.accounts.models import User
    from ctms.audit.actors import build_system_actor
    from ctms.audit.models import AuditEntry
    from ctms.core.schema import is_schema_current

    needed = (User, AuditEntry, Connection, Integration, IntegrationProgress, IntegrationRule, FieldRule)
    if is_schema_current(apps=apps, models=needed):
        deliver_connection(actor=build_system_actor(source="command", reference="migrate"))
