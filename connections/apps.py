from django.apps import AppConfig


class ConnectionsConfig(AppConfig):
    name = "connections"
    verbose_name = "Connections"

    def ready(self) -> None:
        from connections.fielduses import find_connection_uses
        from connections.objects import register_connection_objects
        from connections.permissions import register_connection_grants
        from connections.steps import register_connection_steps
        from ctms.configuration.uses import register_use_finder

        register_connection_objects()
        register_connection_grants()
        register_connection_steps()
        register_use_finder(find_connection_uses)
