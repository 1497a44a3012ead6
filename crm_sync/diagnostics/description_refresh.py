"""Ask a CRM, while somebody waits, how it describes its objects: those that rules name, or one that is being chosen."""

from __future__ import annotations

from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from connections.choices import DescriptionOrigin
from connections.descriptions import list_named_objects, list_referred_objects, store_description, store_object_list
from connections.models import CrmObjectList
from connections.models.descriptions import read_known_objects
from crm_sync.crm.deadlines import Deadline, OutOfTimeError
from crm_sync.crm.errors import ConnectivityError
from crm_sync.dialects import open_dialect
from crm_sync.engine.identity.organisation import refuse_other_organisation

if TYPE_CHECKING:
    from collections.abc import Iterator

    from connections.crmdescription import DescribedObject
    from connections.models import Connection
    from crm_sync.crm.dialect import CrmDialect
    from ctms.accounts.models import User

REFRESH_SECONDS = 14.0
CHOICE_SECONDS = 8.0
_CALL_SHARE = 0.8
# So many objects to which a chosen one refers are described with it, if there is time.
_REFERRED = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Refreshed:
    """Which objects were described, which were not, and how many changes were noticed."""

    described: list[str]
    missing: list[str]
    changes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class _Asking:
    """A CRM that is asked for descriptions within a time limit; they are stored as they come."""

    connection: Connection
    user: User
    crm: CrmDialect
    deadline: Deadline

    def list_objects(self) -> None:
        if labels := self.deadline.call(self.crm.list_objects):
            store_object_list(connection=self.connection, labels=labels)

    def describe(self, name: str) -> tuple[DescribedObject | None, int]:
        """Return the description, None if the CRM user sees no such object, and the number of changes."""
        found = self.deadline.call(partial(self.crm.describe, name))
        changes = store_description(
            connection=self.connection, name=name, described=found, origin=DescriptionOrigin.ASKED, user=self.user
        )
        return found, len(changes)


def refresh_now(*, connection: Connection, user: User, seconds: float = REFRESH_SECONDS) -> Refreshed:
    """Store what the CRM describes now. Raises CrmError; what was described until then is stored."""
    described: list[str] = []
    missing: list[str] = []
    changes = 0
    with _ask(connection=connection, user=user, seconds=seconds) as asking:
        asking.list_objects()
        for name in list_named_objects(connection):
            found, number = asking.describe(name)
            (missing if found is None else described).append(name)
            changes += number
    return Refreshed(described=described, missing=missing, changes=changes)


def describe_now(
    *, connection: Connection, name: str, user: User, with_references: bool = False, seconds: float = CHOICE_SECONDS
) -> DescribedObject | None:
    """Store and return how the CRM describes an object that is being chosen; None if its user sees no such object.

    `with_references` describes objects to which it refers too, as far as they are not known and there is time. Raises
    CrmError.
    """
    with _ask(connection=connection, user=user, seconds=seconds) as asking:
        found, _ = asking.describe(name)
        if found is None:
            return None
        with suppress(OutOfTimeError):
            if not CrmObjectList.objects.filter(connection=connection).exists():
                asking.list_objects()
            if with_references:
                known = read_known_objects(connection).described
                for each in list_referred_objects(found, most=_REFERRED):
                    if each.lower() not in known:
                        asking.describe(each)
    return found


@contextmanager
def _ask(*, connection: Connection, user: User, seconds: float) -> Iterator[_Asking]:
    """Log in to the CRM of a connection, and refuse another organisation than before. Raises CrmError."""
    deadline, longest = Deadline(seconds=seconds), seconds * _CALL_SHARE
    with open_dialect(
        connection=connection,
        connect_timeout=min(connection.connect_timeout, longest),
        read_timeout=min(connection.read_timeout, longest),
        max_attempts=1,
        retry_budget_seconds=0,
    ) as crm:
        try:
            deadline.call(crm.log_in)
            refuse_other_organisation(connection=connection, organisation_id=crm.organisation_id)
            yield _Asking(connection=connection, user=user, crm=crm, deadline=deadline)
        except OutOfTimeError:
            raise ConnectivityError(
                f"{connection.url} had not answered when {seconds:g} seconds were over. What it described until then "
                "was kept.",
                remedy="Check that the CRM is available and not slowed down, then refresh again.",
            ) from None
