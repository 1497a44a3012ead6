"""Persons who have not exactly one account in the CRM: what the transfer would say of them, and sends nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from crm_sync.engine.identity.account_matching import AccountSearch
from crm_sync.engine.mapping import MappingProblem

if TYPE_CHECKING:
    from collections.abc import Iterable

    from crm_sync.engine.run_session import IntegrationSession


class UnmatchedPersons:
    """Looks up the accounts of the persons of records, each person once, and keeps the problems."""

    def __init__(self, *, session: IntegrationSession) -> None:
        plan = session.plan
        self._search: AccountSearch | None = None
        self._known: set[int] = set()
        self._problems: dict[int, MappingProblem] = {}
        if plan.person_field is not None and plan.person_field.end is not None and plan.identifiers is not None:
            self._search = AccountSearch(
                connection=session.integration.connection,
                identifiers=plan.identifiers,
                account_object=plan.person_field.reference_object,
                run=session.run,
            )

    def look_up(self, records: Iterable[Any]) -> None:
        """Look up the accounts of the records' persons, 200 in a call, as far as that was not done."""
        if self._search is None:
            return
        wanted = {record.person_id for record in records} - self._known - {None}
        self._known |= wanted
        for batch in self._search.find(wanted):
            for found in batch:
                if isinstance(found.account, MappingProblem):
                    self._problems[found.person_id] = found.account

    def find_problem(self, record: Any) -> MappingProblem | None:
        """Return why the person of a record, looked up before, has not exactly one account; None if there is one."""
        return self._problems.get(record.person_id) if record.person_id is not None else None
