from django.apps import AppConfig


class ConnectionsConfig(AppConfig):
    name = "connections"
    verbose_name = "Connections"

    def ready(self) -> None:
        from connections.objects import register_connection_objects  # noqa: PLC0415  models are loaded only now

        register_connection_objects()
