"""The check of `manage.py check --deploy --database default` that the application can only add to the audit trail."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.core.checks import CheckMessage, Tags, Warning, register  # noqa: A004  Django's name
from django.db import connections

from ctms.audit.roles import list_role_problems


@register(Tags.database, deploy=True)
def check_application_role(*, databases: Sequence[str] | None = None, **_kwargs: Any) -> list[CheckMessage]:
    """Return a warning for each table of the audit trail that the role of a PostgreSQL database could change."""
    return [
        Warning(
            problem,
            hint="Let one role own the tables and migrate, and the application use another, to which manage.py "
            "grant_application_role gives its rights. docs/operations.md says how.",
            id="audit.W001",
        )
        for alias in databases or ()
        if connections[alias].vendor == "postgresql"
        for problem in list_role_problems(connections[alias])
    ]
