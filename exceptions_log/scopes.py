"""What a user exception message is about: one integration of a connection, or a job that transfers nothing."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from connections.models import Integration
from ctms.jobs.models import JobDefinition


@dataclass(frozen=True, slots=True, kw_only=True)
class Scope:
    """Exactly one of the two. Of each scope one message at most is Active."""

    integration: Integration | None = None
    job: JobDefinition | None = None

    @property
    def title(self) -> str:
        """How its messages are named."""
        if self.integration is not None:
            return f"{self.integration.connection.name}: {self.integration.name}"
        return str(self.job)

    @property
    def fields(self) -> dict[str, Any]:
        """Field of a message → value, by which the scope's messages are found."""
        return {"integration": self.integration} if self.integration is not None else {"job": self.job}

    @property
    def values(self) -> dict[str, Any]:
        """What a new message is created with."""
        connection = self.integration.connection if self.integration is not None else None
        return {"connection": connection, **self.fields}


def lock_scopes(*, integrations: set[int | None], jobs: set[int | None]) -> None:
    """Let one at a time change which message of a scope is Active; in the caller's transaction."""
    for model, keys in ((Integration, integrations), (JobDefinition, jobs)):
        found = [key for key in keys if key is not None]
        if found:
            list(model._base_manager.select_for_update().filter(pk__in=found).order_by("pk").values_list("pk"))
