"""The scope of a user exception message: one integration of a connection, or a job that transfers nothing."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from connections.models import Integration
from ctms.jobs.models import JobDefinition


@dataclass(frozen=True, slots=True, kw_only=True)
class Scope:
    """An integration or a job, exactly one of them; each scope has at most one Active message."""

    integration: Integration | None = None
    job: JobDefinition | None = None

    @property
    def title(self) -> str:
        """Title with which the names of its messages begin."""
        if self.integration is not None:
            return f"{self.integration.connection.name}: {self.integration.name}"
        return str(self.job)

    @property
    def column(self) -> str:
        """Column that holds the key of the scope, in the tables of messages, items and failures."""
        return "integration_id" if self.integration is not None else "job_id"

    @property
    def pk(self) -> int:
        """Primary key of the integration or job."""
        return int(getattr(self.integration or self.job, "pk"))  # noqa: B009

    @property
    def fields(self) -> dict[str, Any]:
        """Field and value that filter the scope's messages and items."""
        return {self.column: self.pk}

    @property
    def values(self) -> dict[str, Any]:
        """Values of the scope for a new message."""
        connection = self.integration.connection if self.integration is not None else None
        return {"connection": connection, **self.fields}

    def lock(self) -> None:
        """Lock the scope in the caller's transaction, so that only one process changes its Active message."""
        lock_scopes(integrations={getattr(self.integration, "pk", None)}, jobs={getattr(self.job, "pk", None)})


def lock_scopes(*, integrations: set[int | None], jobs: set[int | None]) -> None:
    """Lock these scopes in the caller's transaction, so that only one process changes their Active message."""
    for model, keys in ((Integration, integrations), (JobDefinition, jobs)):
        found = [key for key in keys if key is not None]
        if found:
            list(model._base_manager.select_for_update().filter(pk__in=found).order_by("pk").values_list("pk"))
