from typing import Any

from django.apps import AppConfig
from django.db.models.signals import post_migrate


class JobsConfig(AppConfig):
    name = "ctms.jobs"
    label = "jobs"
    verbose_name = "Operations"

    def ready(self) -> None:
        post_migrate.connect(_deliver, sender=self)


def _deliver(*, apps: Any, **_kwargs: Any) -> None:
    """Each registered job has a definition, Inactive until an admin activates it."""
    from ctms.audit.actors import build_system_actor
    from ctms.jobs.services import deliver_job_definitions

    try:
        apps.get_model("jobs", "JobDefinition")
    except LookupError:
        return  # migrated backwards: there is nowhere to deliver to
    deliver_job_definitions(actor=build_system_actor(source="command", reference="migrate"))
