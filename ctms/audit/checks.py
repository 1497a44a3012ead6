"""Checks: that `AUDIT_VERIFIED_UP_TO` can be read; of a database, that the application can only add to the trail."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.core.checks import CheckMessage, Error, Tags, Warning, register  # noqa: A004  Django's name
from django.db import connections

from ctms.audit.chain import UnreadableHeadError
from ctms.audit.roles import list_role_problems
from ctms.audit.verification import get_verified_head


@register
def check_verified_head(**_kwargs: Any) -> list[CheckMessage]:
    """Return an error if `AUDIT_VERIFIED_UP_TO` is set to what is no head of the audit trail."""
    try:
        get_verified_head()
    except UnreadableHeadError as error:
        return [Error(f"AUDIT_VERIFIED_UP_TO: {error}", hint="Correct it, or leave it empty.", id="audit.E001")]
    return []


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
