"""The worklist of a connection: its unmatched persons and accounts, from the open exceptions that name them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from django.db.models import Count, Max, Min, OuterRef, Q, Subquery, TextField
from django.db.models.fields.json import KeyTextTransform
from django.db.models.functions import Cast

from activities.models import Activity
from connections.choices import FieldRuleKind, IntegrationKind
from connections.models import FieldRule
from crm_sync.crm.dialect import CrmRow
from crm_sync.dialects import build_path
from crm_sync.engine.identity.account_matching import build_identifier_expression, match_persons, spell_identifier
from ctms.accounts.policies import list_visible
from ctms.clinical.models import Person
from ctms.core.choices import RecordStatus
from exceptions_log.choices import ErrorType
from exceptions_log.models import ExceptionItem
from exceptions_log.selectors import list_open_items

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from django.db.models import QuerySet

    from connections.models import Connection
    from crm_sync.engine.rules.identifiers import IdentifierMapping
    from ctms.accounts.models import User
    from ctms.records.access import ObjectAccess


@dataclass(frozen=True, slots=True, kw_only=True)
class UnmatchedPerson:
    """A person who has not exactly one account; `records` of theirs wait for it, the first since `since`."""

    person: Person
    identifier: str
    reason: str
    records: int
    since: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class UnmatchedAccount:
    """An account that has not exactly one person; `calls` of it wait for one, the first since `since`."""

    account_id: str
    identifier: str
    reason: str
    calls: int
    since: datetime


class Worklist:
    """The unmatched of one connection, as far as a user sees the records that wait for them."""

    def __init__(
        self, *, connection: Connection, identifiers: IdentifierMapping, access: ObjectAccess, user: User
    ) -> None:
        self._connection, self._identifiers, self._access = connection, identifiers, access
        items = list_open_items().filter(message__connection=connection, error_type=ErrorType.MATCHING)
        self._items: QuerySet[ExceptionItem] = list_visible(items, user)
        self._account_field = self._find_account_field()

    def list_person_rows(self) -> Any:
        """Return the rows of persons, most records first, for a paginator and `build_persons`."""
        seen = self._access.list_records().order_by().values("pk")
        rows: Any = self._items.annotate(
            person=Subquery(Activity.objects.filter(uid=OuterRef("record_uid")).values("person")[:1])
        )
        return _count_by(rows.filter(person__in=seen), name="person")

    def list_account_rows(self) -> Any:
        """Return the rows of accounts, most calls first, for a paginator and `build_accounts`."""
        if not self._account_field:
            return _count_by(self._items.none().annotate(account=Cast("key", TextField())), name="account")
        account = Cast(KeyTextTransform(self._account_field, "item_data"), TextField())
        calls = Q(message__integration__kind=IntegrationKind.CALL_INBOUND)
        rows: Any = self._items.filter(calls).exclude(item_data={}).annotate(account=account)
        return _count_by(rows.exclude(account=None).exclude(account=""), name="account")

    def build_persons(self, rows: Sequence[Any]) -> list[UnmatchedPerson]:
        """Return the persons of these rows, in two statements."""
        reasons = self._read_items(rows)
        found: Any = self._access.list_records().filter(pk__in=[row["person"] for row in rows])
        persons = {each.pk: each for each in found.annotate(identifier=build_identifier_expression(self._identifiers))}
        return [
            UnmatchedPerson(
                person=persons[row["person"]],
                identifier=persons[row["person"]].identifier or "",
                reason=reasons[row["last"]].error_message,
                records=row["number"],
                since=row["first"],
            )
            for row in rows
            if row["person"] in persons
        ]

    def build_accounts(self, rows: Sequence[Any]) -> list[UnmatchedAccount]:
        """Return the accounts of these rows, in one statement."""
        items = self._read_items(rows)
        path = build_path(self._account_field, self._identifiers.account_field, connection=self._connection)
        return [
            UnmatchedAccount(
                account_id=row["account"],
                identifier=spell_identifier(CrmRow(crm_id="", values=items[row["last"]].item_data).get(path)),
                reason=items[row["last"]].error_message,
                calls=row["number"],
                since=row["first"],
            )
            for row in rows
        ]

    def find_person(self, person: Person) -> UnmatchedPerson | None:
        """Return one person of the worklist; None if nothing waits for their account any more."""
        found = self.build_persons(list(self.list_person_rows().filter(person=person.pk)))
        return found[0] if found else None

    def find_account(self, account_id: str) -> UnmatchedAccount | None:
        """Return one account of the worklist; None if no call waits for its person any more."""
        found = self.build_accounts(list(self.list_account_rows().filter(account=account_id)))
        return found[0] if found else None

    def is_matched(self, identifier: str) -> bool:
        """Whether exactly one person has an identifier by now; the next transfer takes the calls."""
        found = match_persons(identifiers=self._identifiers, values={identifier}, crm_name=self._connection.name)
        return isinstance(found.get(identifier), int)

    def _read_items(self, rows: Sequence[Any]) -> dict[int, ExceptionItem]:
        return self._items.defer(None).in_bulk([row["last"] for row in rows])

    def _find_account_field(self) -> str:
        rule = FieldRule.objects.filter(
            kind=FieldRuleKind.PERSON_ACCOUNT,
            status=RecordStatus.ACTIVE,
            rule__integration__connection=self._connection,
            rule__integration__kind=IntegrationKind.CALL_INBOUND,
        ).first()
        return rule.source if rule is not None else ""


def _count_by(items: Any, *, name: str) -> Any:
    return (
        items.order_by()
        .values(name)
        .annotate(number=Count("pk"), first=Min("first_failed_at"), last=Max("pk"))
        .order_by("-number", name)
    )
