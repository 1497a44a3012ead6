from typing import Any

from django.apps import AppConfig
from django.db.models.signals import post_migrate


class ConfigurationConfig(AppConfig):
    name = "ctms.configuration"
    label = "configuration"
    verbose_name = "Configuration"

    def ready(self) -> None:
        post_migrate.connect(_deliver, sender=self)


def _deliver(*, apps: Any, **_kwargs: Any) -> None:
    """A new Vault starts with what is delivered; an upgraded one gets what is new."""
    from ctms.audit.actors import build_system_actor
    from ctms.configuration.services import deliver_object_types

    try:
        apps.get_model("configuration", "ObjectType")
    except LookupError:
        return  # migrated backwards: there is nowhere to deliver to
    deliver_object_types(actor=build_system_actor(source="command", reference="migrate"))
