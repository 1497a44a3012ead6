"""What this Vault may do now: whether it is the Vault, a copy, or nobody has said; and whether it can be written.

A database that was restored or copied holds the connections, webhooks and addresses of the Vault that it came from, and
would send to them. So everything that lets something leave asks here first. `ctms.machine` registers how it is read.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from ctms.core.errors import VaultError

if TYPE_CHECKING:
    from collections.abc import Callable


class HeldError(VaultError):
    """Refused for what this Vault is now: a copy, undecided, or under maintenance. The message says what ends it."""


class Role(StrEnum):
    """Which Vault the database is."""

    VAULT = "vault"
    COPY = "copy"
    UNDECIDED = "undecided"


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """What the Vault is, and whether it is read-only; `message` is what the admin who made it so tells users."""

    role: Role = Role.VAULT
    is_read_only: bool = False
    message: str = ""

    @property
    def may_send(self) -> bool:
        """Whether anything may leave: transfers, e-mail, webhooks."""
        return self.role == Role.VAULT

    @property
    def may_work(self) -> bool:
        """Whether runs of jobs may begin."""
        return self.role != Role.UNDECIDED and not self.is_read_only

    @property
    def sentence(self) -> str:
        """What a banner says of the role; empty for the Vault itself."""
        if self.role == Role.COPY:
            return "This is a copy of a Vault. It sends nothing: no transfer, no e-mail, no webhook."
        if self.role == Role.UNDECIDED:
            return (
                "This database was restored or copied, and nobody has said yet whether it is the Vault or a copy. "
                "Until then no job runs, and nothing is sent."
            )
        return ""


WHERE_TO_DECIDE = "An admin says which under Admin > Settings > This Vault, or with manage.py declare."
MAINTENANCE = "The Vault is under maintenance: it can be read, and nothing is saved."

_readers: list[Callable[[], Standing]] = []


def register_standing_reader(read: Callable[[], Standing]) -> None:
    """Register how the standing is read; called once, from `AppConfig.ready()`."""
    _readers[:] = [read]


def read_standing() -> Standing:
    """Return what this Vault may do now, in one statement."""
    return _readers[0]() if _readers else Standing()


def require_sending(what: str) -> None:
    """Raise HeldError if nothing may leave; `what` begins its sentence, e.g. "The e-mail"."""
    standing = read_standing()
    if not standing.may_send:
        remedy = f" {WHERE_TO_DECIDE}"
        raise HeldError(f"{what} was not sent. {standing.sentence}{remedy}")


def explain_standstill(*, leaves: bool) -> str:
    """Return why a run of a job cannot begin now, and what ends that; empty if it can.

    `leaves` says that the job lets something leave the Vault.
    """
    standing = read_standing()
    if standing.is_read_only:
        return f"{MAINTENANCE} Runs begin again when an admin ends it."
    if not standing.may_work or (leaves and not standing.may_send):
        return f"{standing.sentence} {WHERE_TO_DECIDE}"
    return ""
