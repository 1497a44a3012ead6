"""Finding the account of a person, and the person of an account, by an identifier that is compared exactly.

SOQL may ignore case when it compares, so what it returns is compared again here.
"""

from __future__ import annotations

from collections import defaultdict
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from django.conf import settings
from django.db import models, transaction
from django.db.models import Count, Exists, F, OuterRef, TextField, Value
from django.db.models.fields.json import KeyTextTransform
from django.db.models.functions import Cast, NullIf

from crm_sync.mapping import Problem
from crm_sync.models import AccountMatch
from crm_sync.soql import build_select, chunk_values_by_url, is_in
from ctms.clinical.models import Person
from ctms.core.clock import get_now
from ctms.core.uuidtext import UuidText
from exceptions_log.choices import ErrorType

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Sequence

    from connections.models import Connection
    from crm_sync.context import RunSession
    from crm_sync.plans import IdentifierMapping

# Persons whose matches are written in one transaction; each call looks up 200 of them.
_BATCH = 1000


def build_identifier_expression(identifiers: IdentifierMapping, *, prefix: str = "") -> Any:
    """The person's identifier as a database expression of text; `prefix` leads to the person."""
    name = identifiers.person_field.attribute
    if name.startswith("custom_fields__"):
        # Cast, because SQLite would compare JSON otherwise, and null is a word there.
        text = Cast(KeyTextTransform(name.removeprefix("custom_fields__"), f"{prefix}custom_fields"), TextField())
        return NullIf(text, Value("null", TextField()))
    if name == "uid":
        return UuidText(F(f"{prefix}{name}"))
    return Cast(F(f"{prefix}{name}"), TextField())


class AccountDirectory:
    """Accounts of persons in one organisation: remembered in the database, looked up 200 at a time where they are not.

    What is remembered is looked up again after a day, of persons of whom something is to be sent. `on_moved` is told of
    those whose account is another one then, in the transaction that remembers it. In a dry run what is found is kept in
    memory alone.
    """

    def __init__(
        self,
        *,
        connection: Connection,
        identifiers: IdentifierMapping,
        account_object: str,
        run: RunSession,
        on_moved: Callable[[Collection[int]], None],
    ) -> None:
        self._connection = connection
        self._identifiers = identifiers
        self._account_object = account_object
        self._run = run
        self._on_moved = on_moved
        self._problems: dict[int, Problem] = {}
        self._found: dict[int, str] = {}
        self._doubles: dict[str, int] | None = None

    def _remembered_matches(self) -> models.QuerySet[AccountMatch]:
        """Matches of this connection that were found by the mapping now in force."""
        return AccountMatch.objects.filter(connection=self._connection, identifier=self._identifiers.key)

    def look_up(self, person_ids: Collection[int]) -> None:
        """Find the accounts of those persons whose match is not remembered, old, or of another identifier."""
        oldest = get_now() - timedelta(seconds=settings.CRM_ACCOUNT_RECHECK_SECONDS)
        remembered = self._remembered_matches().filter(
            person=OuterRef("pk"), value=OuterRef("identifier"), checked_at__gt=oldest
        )
        persons = (
            Person.objects.annotate(identifier=build_identifier_expression(self._identifiers))
            .exclude(Exists(remembered))
            .order_by("pk")
            .values_list("pk", "identifier", "name")
        )
        keys = sorted(person_ids)
        for start in range(0, len(keys), _BATCH):
            if batch := list(persons.filter(pk__in=keys[start : start + _BATCH])):
                if self._doubles is None:
                    self._doubles = self._find_doubles()
                self._look_up_batch(batch)

    def get(self, *, person_id: int | None, remembered: str | None) -> str | Problem | None:
        """The account id of a person, or why there is none; None for no person."""
        if person_id is None:
            return None
        found = self._problems.get(person_id) or self._found.get(person_id) or remembered
        if found is None:
            message = "The person was changed during the run; the next run looks up the account."
            return Problem(error_type=ErrorType.MATCHING, message=message)
        return found

    def forget(self, person_ids: Iterable[int]) -> None:
        """Drop matches that a write showed to be stale."""
        ids = list(person_ids)
        for person_id in ids:
            self._found.pop(person_id, None)
            self._problems.pop(person_id, None)
        if not self._run.dry_run:
            with transaction.atomic():
                self._run.renew_lease()
                AccountMatch.objects.filter(connection=self._connection, person_id__in=ids).delete()

    def _look_up_batch(self, batch: Sequence[tuple[int, str | None, str]]) -> None:
        label = self._identifiers.person_field.label
        named: list[tuple[int, str, str]] = []
        for pk, value, name in batch:
            if value:
                named.append((pk, value, name))
            else:
                self._problems[pk] = Problem(
                    error_type=ErrorType.MATCHING,
                    message=f"{name} has no value in {label}, by which persons are matched to accounts. "
                    "Enter it on the person.",
                )
        doubles = self._doubles or {}
        accounts = self._find_accounts([value for _, value, _ in named])
        matches = []
        for pk, value, name in named:
            outcome = self._judge(name=name, value=value, persons=doubles.get(value, 1), accounts=accounts)
            if isinstance(outcome, Problem):
                self._problems[pk] = outcome
            else:
                matches.append(
                    AccountMatch(
                        connection=self._connection,
                        person_id=pk,
                        identifier=self._identifiers.key,
                        value=value,
                        account_id=outcome,
                        checked_at=get_now(),
                    )
                )
        self._remember(matches)

    def _remember(self, matches: list[AccountMatch]) -> None:
        if self._run.dry_run:
            self._found.update({match.person_id: match.account_id for match in matches})
        elif matches:
            found = {match.person_id: match.account_id for match in matches}
            with transaction.atomic():
                self._run.renew_lease()
                known = AccountMatch.objects.filter(connection=self._connection, person__in=found)
                moved = [pk for pk, account in known.values_list("person", "account_id") if account != found[pk]]
                AccountMatch.objects.bulk_create(
                    matches,
                    update_conflicts=True,
                    unique_fields=["connection", "person"],
                    update_fields=["identifier", "value", "account_id", "checked_at"],
                )
                if moved:
                    self._on_moved(moved)

    def _find_doubles(self) -> dict[str, int]:
        """How many persons share each value, where more than one does: asked once a run, the answer is short."""
        return dict(
            Person.objects.annotate(identifier=build_identifier_expression(self._identifiers))
            .exclude(identifier=None)
            .exclude(identifier="")
            .values_list("identifier")
            .annotate(persons=Count("pk"))
            .filter(persons__gt=1)
            .order_by()
        )

    def _find_accounts(self, values: list[str]) -> dict[str, list[str]]:
        """Account ids by identifier value, exactly as the CRM has it."""
        found: dict[str, list[str]] = defaultdict(list)
        account_field = self._identifiers.account_field
        for chunk in chunk_values_by_url(values):
            soql = build_select(self._account_object, ["Id", account_field], where=is_in(account_field, chunk))
            for page in self._run.query(soql):
                for row in page:
                    found[str(row.get(account_field))].append(str(row["Id"]))
        return found

    def _judge(self, *, name: str, value: str, persons: int, accounts: dict[str, list[str]]) -> str | Problem:
        ids = accounts.get(value, [])
        label, account_field = self._identifiers.person_field.label, self._identifiers.account_field
        if persons > 1:
            message = (
                f"{persons} persons in the Vault have the {label} {value!r}, {name} among them. Correct all but one."
            )
        elif len(ids) > 1:
            message = (
                f"{len(ids)} accounts in {self._connection.name} have the {account_field} {value!r} of {name} "
                f"({', '.join(sorted(ids))}). Correct all but one in the CRM."
            )
        elif not ids:
            near = next((other for other in accounts if other.casefold() == value.casefold()), "")
            hint = (
                f" There is one with {near!r}: identifiers must be equal letter by letter, case included."
                if near
                else ""
            )
            message = (
                f"No account in {self._connection.name} has the {account_field} {value!r}, which is the {label} of "
                f"{name}.{hint} Correct the identifier on the person or on the account."
            )
        else:
            return ids[0]
        return Problem(error_type=ErrorType.MATCHING, message=message)


def match_persons(*, identifiers: IdentifierMapping, values: set[str], crm_name: str) -> dict[str, int | Problem]:
    """Person ids by exactly equal identifier value; a Problem where there is none or more than one."""
    found: dict[str, list[int]] = defaultdict(list)
    rows = (
        Person.objects.annotate(identifier=build_identifier_expression(identifiers))
        .filter(identifier__in=values)
        .values_list("identifier", "pk")
    )
    for value, pk in rows:
        found[value].append(pk)
    label = identifiers.person_field.label
    matched: dict[str, int | Problem] = {}
    for value in values:
        persons = found.get(value, [])
        if len(persons) == 1:
            matched[value] = persons[0]
        elif persons:
            matched[value] = Problem(
                error_type=ErrorType.MATCHING,
                message=f"{len(persons)} persons in the Vault have the {label} {value!r}, which the account in "
                f"{crm_name} has. Correct all but one.",
            )
        else:
            matched[value] = Problem(
                error_type=ErrorType.MATCHING,
                message=f"No person in the Vault has the {label} {value!r}, which is the "
                f"{identifiers.account_field} of the account in {crm_name}. "
                "Create the person, or correct the identifier on either side; case counts.",
            )
    return matched
