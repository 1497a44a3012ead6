"""The actor of a change: the user who makes it, and the way it comes in."""

from __future__ import annotations

from dataclasses import dataclass

from ctms.accounts.models import User
from ctms.accounts.selectors import get_system_user


@dataclass(frozen=True, slots=True, kw_only=True)
class Actor:
    """Who makes a change. `source` is page, admin, api, import, job or command; `reference` names a run or request."""

    user: User
    source: str
    reference: str = ""


def build_system_actor(*, source: str, reference: str = "") -> Actor:
    """Return the user *System* as actor, for jobs and commands."""
    return Actor(user=get_system_user(), source=source, reference=reference)
