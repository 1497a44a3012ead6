"""Find the account of a person, and the person of an account, by an identifier that must be exactly equal.

A CRM may ignore case when it compares, so the accounts that it finds are compared again here.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from django.db import transaction
from django.db.models import Count, F, TextField, Value
from django.db.models.fields.json import KeyTextTransform
from django.db.models.functions import Cast, NullIf

from crm_sync.crm.numbers import EXACT_DIGITS, is_spelled_number, spell_number
from crm_sync.engine.identity.look_alikes import describe_look_alike, list_look_alikes
from crm_sync.engine.mapping import MappingProblem
from crm_sync.engine.run_session import FOUND_TOGETHER, split
from crm_sync.models import AccountMatch
from ctms.clinical.models import Person
from ctms.core.clock import get_now
from ctms.core.utf16 import measure_text
from ctms.core.uuids import UuidText
from ctms.records.models import MergedRecord
from exceptions_log.choices import ErrorType

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
    from concurrent.futures import Future

    from connections.models import Connection
    from crm_sync.crm.dialect import CrmRow
    from crm_sync.engine.rules.identifiers import IdentifierMapping
    from crm_sync.engine.run_session import RunSession

LONGEST_IDENTIFIER: Final = 255
"""The most UTF-16 units of a text field of the CRM by which records can be searched, and so of an identifier."""

# So many persons are matched in one transaction; each call to the CRM looks up at most 200 of them.
_BATCH = 5000


def build_identifier_expression(identifiers: IdentifierMapping, *, prefix: str = "") -> Any:
    """Return a person's identifier as a database expression of type text.

    `prefix` is the path from the queried model to the person, such as `person__`.
    """
    name = identifiers.person_field.attribute
    if name.startswith("custom_fields__"):
        # Without the cast SQLite compares JSON; with it, JSON's null becomes the text "null".
        text = Cast(KeyTextTransform(name.removeprefix("custom_fields__"), f"{prefix}custom_fields"), TextField())
        return NullIf(text, Value("null", TextField()))
    if name == "uid":
        return UuidText(F(f"{prefix}{name}"))
    return Cast(F(f"{prefix}{name}"), TextField())


def is_too_long(value: str) -> bool:
    """Whether a value is longer than any by which persons and accounts are matched."""
    return measure_text(value) > LONGEST_IDENTIFIER


def spell_identifier(value: Any) -> str:
    """Return the identifier of an account as text, a number as `spell_number` does; empty for none."""
    return "" if value is None else spell_number(value)


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundAccount:
    """What a search found for a person: the account's id, or the problem why there is not exactly one."""

    person_id: int
    value: str
    account: str | MappingProblem


@dataclass(frozen=True, slots=True, kw_only=True)
class BegunSearch:
    """A search whose calls are under way. `persons` are key, identifier and name; `unfit` those that none can match."""

    persons: Sequence[tuple[int, str | None, str]]
    unfit: Mapping[int, MappingProblem]
    values: Sequence[str]
    calls: Sequence[Future[list[CrmRow]]]


class AccountSearch:
    """Looks up the accounts of persons in one organisation, and says of each person why there is not exactly one."""

    def __init__(
        self, *, connection: Connection, identifiers: IdentifierMapping, account_object: str, run: RunSession
    ) -> None:
        self._connection = connection
        self._identifiers = identifiers
        self._account_object = account_object
        self._run = run
        self._doubles: dict[str, int] | None = None

    def find(self, person_ids: Collection[int]) -> Iterator[list[FoundAccount]]:
        """Yield what is found for these persons, up to 5,000 at a time; persons that do not exist are left out."""
        for keys in split(sorted(person_ids), _BATCH):
            if begun := self.begin(keys):
                yield self.finish(begun)

    def begin(self, person_ids: Collection[int]) -> BegunSearch | None:
        """Begin the calls that look up these persons, 200 in each; None if no such person exists."""
        named = Person.objects.annotate(identifier=build_identifier_expression(self._identifiers))
        rows = named.filter(pk__in=person_ids).order_by("pk").values_list("pk", "identifier", "name")
        persons = list(rows)
        if not persons:
            return None
        if self._doubles is None:
            self._doubles = self._find_doubles()
        unfit = {pk: problem for pk, value, name in persons if (problem := self._find_flaw(name=name, value=value))}
        values = [value for pk, value, _ in persons if value and pk not in unfit]
        return BegunSearch(persons=persons, unfit=unfit, values=values, calls=self._ask(values))

    def finish(self, begun: BegunSearch) -> list[FoundAccount]:
        """Wait for the calls of a search, look for values of those that it did not find, and judge what was found."""
        accounts = self._read_accounts(begun.calls)
        missing = [value for value in begun.values if value not in accounts]
        alike = sorted({each for value in missing for each in list_look_alikes(value)})
        near = self._read_accounts(self._ask(alike))
        doubles = self._doubles or {}
        return [
            FoundAccount(
                person_id=pk,
                value=value or "",
                account=begun.unfit.get(pk)
                or self._judge(
                    name=name, value=value or "", persons=doubles.get(value or "", 1), accounts=accounts, near=near
                ),
            )
            for pk, value, name in begun.persons
        ]

    def _find_flaw(self, *, name: str, value: str | None) -> MappingProblem | None:
        """Return why no account can have a person's identifier, whatever accounts there are."""
        label = self._identifiers.person_field.label
        if not value:
            return MappingProblem(
                error_type=ErrorType.MATCHING,
                message=f"{name} has no value in {label}, by which persons are matched to accounts. "
                "Enter it on the person.",
                cause=f"The person has no value in {label}.",
            )
        if is_too_long(value):
            return MappingProblem(
                error_type=ErrorType.MATCHING,
                message=f"{name} has a value of {measure_text(value):,} characters in {label}, and no account has one "
                f"of more than {LONGEST_IDENTIFIER}. Correct it on the person.",
                cause=f"The person's {label} has more than {LONGEST_IDENTIFIER} characters.",
            )
        return None

    def _find_doubles(self) -> dict[str, int]:
        """Return how many persons have each identifier value that more than one person has."""
        return dict(
            Person.objects.annotate(identifier=build_identifier_expression(self._identifiers))
            .exclude(identifier=None)
            .exclude(identifier="")
            .values_list("identifier")
            .annotate(persons=Count("pk"))
            .filter(persons__gt=1)
            .order_by()
        )

    def _ask(self, values: Sequence[str]) -> list[Future[list[CrmRow]]]:
        name = self._identifiers.account_field
        return [
            self._run.begin_search(object_name=self._account_object, fields=[name], field_name=name, values=some)
            for some in split(values, FOUND_TOGETHER)
        ]

    def _read_accounts(self, calls: Iterable[Future[list[CrmRow]]]) -> dict[str, list[str]]:
        """Return account ids by the identifier value as the CRM spells it.

        An account that is found by two spellings, because the CRM ignores case, is one account.
        """
        found: dict[str, list[str]] = defaultdict(list)
        for row in (row for call in calls for row in self._run.pipeline.wait_for(call)):
            if row.is_deleted:
                continue
            ids = found[spell_identifier(row.get(self._identifiers.account_field))]
            if row.crm_id not in ids:
                ids.append(row.crm_id)
        return found

    def _holds_numbers(self) -> bool:
        return self._run.crm.holds_numbers(object_name=self._account_object, field_name=self._identifiers.account_field)

    def _judge(
        self, *, name: str, value: str, persons: int, accounts: dict[str, list[str]], near: dict[str, list[str]]
    ) -> str | MappingProblem:
        ids = accounts.get(value, [])
        label, account_field = self._identifiers.person_field.label, self._identifiers.account_field
        if persons > 1:
            cause = f"Several persons in the Vault have the same {label}."
            message = (
                f"{persons} persons in the Vault have the {label} {value!r}, {name} among them. Correct all but one."
            )
        elif len(ids) > 1:
            cause = f"Several accounts have the person's {label} as their {account_field}."
            message = (
                f"{len(ids)} accounts in {self._connection.name} have the {account_field} {value!r} of {name} "
                f"({', '.join(sorted(ids))}). Correct all but one in the CRM."
            )
        elif not ids and self._holds_numbers() and not is_spelled_number(value):
            cause = f"The person's {label} is no number as the account's {account_field} is one."
            message = (
                f"{name} has the {label} {value!r}, and {account_field} of the accounts in {self._connection.name} is "
                f"a number, which has no other characters, no leading zeros and at most {EXACT_DIGITS} digits that are "
                "exact. Correct the person's value, or choose a text field as CRM Account Identifier."
            )
        elif not ids:
            cause = f"No account has the person's {label} as its {account_field}."
            message = (
                f"No account in {self._connection.name} has the {account_field} {value!r}, which is the {label} of "
                f"{name}.{describe_look_alike(value=value, others=[*accounts, *near])} Correct the identifier on the "
                "person or on the account."
            )
        else:
            return ids[0]
        return MappingProblem(error_type=ErrorType.MATCHING, message=message, cause=cause)


class AccountDirectory:
    """Keeps the accounts of persons that a search found in the database (`AccountMatch`).

    The accounts of all persons whose records a run sends are looked up in that run, before the records are read.
    `on_moved` is called with the keys
    of the persons who have another account now, in the transaction that writes the new matches. In a dry run matches
    are kept in memory only.
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
        self._run = run
        self._on_moved = on_moved
        self._search = AccountSearch(
            connection=connection, identifiers=identifiers, account_object=account_object, run=run
        )
        self._problems: dict[int, MappingProblem] = {}
        self._found: dict[int, str] = {}
        self._asked: set[int] = set()
        self._begun: list[BegunSearch] = []

    def look_up(self, person_ids: Collection[int]) -> None:
        """Find the accounts of these persons, as far as that was not done."""
        self.begin(person_ids)
        self.finish()

    def begin(self, person_ids: Collection[int]) -> None:
        """Begin to look up these persons, as far as that was not done. No person is looked up twice in a run."""
        wanted = set(person_ids) - self._asked
        self._asked |= wanted
        self._begun += [begun for keys in split(sorted(wanted), _BATCH) if (begun := self._search.begin(keys))]

    def finish(self) -> None:
        """Wait for what was begun, and keep it."""
        while self._begun:
            matches = []
            for found in self._search.finish(self._begun.pop(0)):
                if isinstance(found.account, MappingProblem):
                    self._problems[found.person_id] = found.account
                else:
                    matches.append(
                        AccountMatch(
                            connection=self._connection,
                            person_id=found.person_id,
                            identifier=self._identifiers.key,
                            value=found.value,
                            account_id=found.account,
                            checked_at=get_now(),
                        )
                    )
            self._remember(matches)

    def close(self) -> None:
        """Withdraw the calls that were not begun; what was begun is not kept."""
        for begun in self._begun:
            for call in begun.calls:
                call.cancel()
        self._begun.clear()

    def get(self, *, person_id: int | None, remembered: str | None) -> str | MappingProblem | None:
        """Return the account id of a person, or the problem if there is none; None if `person_id` is None.

        `remembered` is the account of the person's match in the database.
        """
        if person_id is None:
            return None
        found = self._problems.get(person_id) or self._found.get(person_id) or remembered
        if found is None:
            message = "The person was changed during the run; the next run looks up the account."
            return MappingProblem(error_type=ErrorType.MATCHING, message=message)
        return found

    def forget(self, person_ids: Iterable[int]) -> None:
        """Delete the matches of these persons, because the CRM refused their accounts."""
        ids = list(person_ids)
        self._asked.difference_update(ids)
        for person_id in ids:
            self._found.pop(person_id, None)
            self._problems.pop(person_id, None)
        if not self._run.dry_run:
            with transaction.atomic():
                self._run.renew_lease()
                AccountMatch.objects.filter(connection=self._connection, person_id__in=ids).delete()

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


def find_former(*, identifiers: IdentifierMapping, values: Collection[str]) -> dict[str, int]:
    """Return for each identifier of a person who was merged into another the key of that one.

    The CRM may still have an account of each of the two.
    """
    if not values:
        return {}
    known: Any = MergedRecord.objects.filter(of_object=Person.object_name).annotate(
        # Without the cast SQLite compares JSON.
        identifier=Cast(KeyTextTransform(identifiers.person_field.attribute, "values"), TextField())
    )
    into = dict(known.filter(identifier__in=values).order_by("id").values_list("identifier", "into_uid"))
    keys = dict(Person.objects.filter(uid__in=into.values()).values_list("uid", "pk"))
    return {value: keys[uid] for value, uid in into.items() if uid in keys}


def match_persons(
    *, identifiers: IdentifierMapping, values: set[str], crm_name: str
) -> dict[str, int | MappingProblem]:
    """Return for each identifier value the key of the person who has it; a problem if none or several have it."""
    found: dict[str, list[int]] = defaultdict(list)
    fit = {value for value in values if not is_too_long(value)}
    persons_of: Any = Person.objects.annotate(identifier=build_identifier_expression(identifiers))
    for value, pk in persons_of.filter(identifier__in=fit).values_list("identifier", "pk"):
        found[value].append(pk)
    for value, pk in find_former(identifiers=identifiers, values=fit.difference(found)).items():
        found[value].append(pk)
    label = identifiers.person_field.label
    alike = {each for value in fit if value not in found for each in list_look_alikes(value)}
    near = list(persons_of.filter(identifier__in=alike).values_list("identifier", flat=True)) if alike else []
    matched: dict[str, int | MappingProblem] = {}
    for value in values:
        persons = found.get(value, [])
        if value not in fit:
            matched[value] = MappingProblem(
                error_type=ErrorType.MATCHING,
                message=f"The account in {crm_name} has a value of {measure_text(value):,} characters in "
                f"{identifiers.account_field}, and no person is found by one of more than {LONGEST_IDENTIFIER}. "
                "Correct it on the account.",
                cause=f"The account's {identifiers.account_field} has more than {LONGEST_IDENTIFIER} characters.",
            )
        elif len(persons) == 1:
            matched[value] = persons[0]
        elif persons:
            matched[value] = MappingProblem(
                error_type=ErrorType.MATCHING,
                message=f"{len(persons)} persons in the Vault have the {label} {value!r}, which the account in "
                f"{crm_name} has. Correct all but one.",
            )
        else:
            matched[value] = MappingProblem(
                error_type=ErrorType.MATCHING,
                message=f"No person in the Vault has the {label} {value!r}, which is the "
                f"{identifiers.account_field} of the account in {crm_name}."
                f"{describe_look_alike(value=value, others=near)} Create the person, or correct the identifier on "
                "either side; case counts.",
            )
    return matched
