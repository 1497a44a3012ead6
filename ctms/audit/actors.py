"""The actor of a change: the user who makes it, and the way it comes in."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from ctms.accounts.models import User
from ctms.accounts.selectors import get_system_user


@dataclass(frozen=True, slots=True, kw_only=True)
class Actor:
    """Who makes a change. `source` is page, admin, api, import, job or command; `reference` names a run or request.

    `address` is the IP address of the request, empty for jobs and commands. `connection_uid` is the connection for
    which a run writes. `reason` is why the user changes what the request changes.
    """

    user: User
    source: str
    reference: str = ""
    address: str = ""
    connection_uid: UUID | None = None
    reason: str = ""

    @property
    def name(self) -> str:
        """The user's name; of a service account, with the name of the API token that its program asked with."""
        reach = self.user.reach
        return f"{self.user} (token {reach.token_name})" if self.user.is_service_account and reach else str(self.user)

    @property
    def role(self) -> str:
        """The name of the user's security profile; *Superuser* for one who needs none; empty if there is none."""
        if self.user.security_profile is not None:
            return self.user.security_profile.name
        return "Superuser" if self.user.is_superuser else ""


def build_system_actor(*, source: str, reference: str = "", connection_uid: UUID | None = None) -> Actor:
    """Return the user *System* as actor, for jobs and commands."""
    return Actor(user=get_system_user(), source=source, reference=reference, connection_uid=connection_uid)
