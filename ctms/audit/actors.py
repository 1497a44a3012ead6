"""Who writes, and by what way."""

from __future__ import annotations

from dataclasses import dataclass

from ctms.accounts.models import User
from ctms.accounts.selectors import get_system_user


@dataclass(frozen=True, slots=True, kw_only=True)
class Actor:
    """`source` is one of page, admin, api, import, job, command; `reference` names the job run or request."""

    user: User
    source: str
    reference: str = ""


def build_system_actor(*, source: str, reference: str = "") -> Actor:
    """The user *System*, for jobs and commands."""
    return Actor(user=get_system_user(), source=source, reference=reference)
