from django.apps import AppConfig


class ConnectionsConfig(AppConfig):
    name = "connections"
    verbose_name = "Connections"

    def ready(self) -> None:
        from connections.objects import register_connection_objects
        from connections.permissions import register_connection_grants
        from connections.steps import register_connection_steps

        register_connection_objects()
        register_connection_grants()
        register_connection_steps()
