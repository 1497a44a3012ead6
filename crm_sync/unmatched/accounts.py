"""Ask a connection's CRM for the accounts that a person may be, or for what it says of one account."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, TypeVar

from connections.choices import FieldRuleKind
from connections.descriptions import ACCOUNT
from connections.models import FieldRule
from crm_sync.crm.deadlines import Deadline, OutOfTimeError
from crm_sync.crm.errors import ConfigurationError, ConnectivityError
from crm_sync.dialects import open_dialect
from crm_sync.engine.identity.account_matching import spell_identifier
from crm_sync.engine.identity.look_alikes import list_look_alikes
from crm_sync.engine.identity.organisation import refuse_other_organisation

if TYPE_CHECKING:
    from collections.abc import Callable

    from connections.models import Connection
    from crm_sync.crm.dialect import CrmDialect, CrmRow
    from crm_sync.engine.rules.identifiers import IdentifierMapping
    from ctms.clinical.models import Person

LOOK_UP_SECONDS = 14.0
SHOWN = 20
_CALL_SHARE = 0.8

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class CrmAccount:
    """What the CRM says of an account, and by `same` what it has in common with the person who was looked for."""

    account_id: str
    name: str
    first_name: str
    last_name: str
    email: str
    identifier: str
    same: tuple[str, ...] = ()


class AccountReader:
    """Reads accounts of one connection within `LOOK_UP_SECONDS`; every method raises CrmError."""

    def __init__(self, *, connection: Connection, identifiers: IdentifierMapping) -> None:
        self._connection, self._identifiers = connection, identifiers
        self._deadline = Deadline(seconds=LOOK_UP_SECONDS)
        self._object = _find_account_object(connection)

    def read(self, account_id: str) -> CrmAccount | None:
        """Return one account; None if the CRM does not show it. Log-in and two calls."""
        return self._ask(partial(self._read_one, account_id))

    def find_for(self, person: Person, *, identifier: str) -> list[CrmAccount]:
        """Return accounts with the person's name, e-mail address, or an identifier that looks like theirs."""
        return self._ask(partial(self._find_all, person, identifier))

    def _ask(self, read: Callable[[CrmDialect], T]) -> T:
        longest = LOOK_UP_SECONDS * _CALL_SHARE
        try:
            with open_dialect(
                connection=self._connection,
                connect_timeout=min(self._connection.connect_timeout, longest),
                read_timeout=min(self._connection.read_timeout, longest),
                max_attempts=1,
                retry_budget_seconds=0,
            ) as crm:
                self._deadline.call(crm.log_in)
                refuse_other_organisation(connection=self._connection, organisation_id=crm.organisation_id)
                return self._deadline.call(partial(read, crm))
        except OutOfTimeError:
            raise ConnectivityError(
                f"{self._connection} had not answered after {LOOK_UP_SECONDS:g} seconds.",
                remedy="Check that the CRM is available and not slowed down, then look again.",
            ) from None

    # What follows runs in a thread, without the database.

    def _read_one(self, account_id: str, crm: CrmDialect) -> CrmAccount | None:
        fields = self._find_fields(crm)
        for page in crm.find_by_id(object_name=self._object, fields=fields.list_names(), crm_ids=[account_id]):
            for row in page:
                if not row.is_deleted:
                    return fields.build(row)
        return None

    def _find_all(self, person: Person, identifier: str, crm: CrmDialect) -> list[CrmAccount]:
        fields = self._find_fields(crm)
        asked = (
            (
                fields.identifier,
                "identifier but for case, blanks or signs",
                list_look_alikes(identifier) | {identifier},
            ),
            (fields.email, "e-mail address", {person.email}),
            (fields.name, "name", {person.full_name}),
        )
        found: dict[str, CrmAccount] = {}
        for field_name, label, texts in asked:
            values = texts - {""}
            if not field_name or not values:
                continue
            pages = crm.find_by_external_id(
                object_name=self._object, fields=fields.list_names(), field_name=field_name, values=values
            )
            for row in (row for page in pages for row in page if not row.is_deleted):
                account = found.get(row.crm_id) or fields.build(row)
                found[row.crm_id] = replace(account, same=(*account.same, label))
        return sorted(found.values(), key=lambda each: (-len(each.same), each.name, each.account_id))[:SHOWN]

    def _find_fields(self, crm: CrmDialect) -> _AccountFields:
        """Return the fields of accounts that this organisation has; e-mail is the first field that is one."""
        described = crm.describe(self._object)
        if described is None:
            raise ConfigurationError(
                f"{self._connection} does not describe {self._object}.",
                remedy="Ask the admin of the CRM to give its user the right to read accounts.",
            )
        first, last, _ = (each if described.find_field(each) else "" for each in crm.user_fields)
        emails = [each.name for each in described.fields.values() if each.type == "email" and each.is_filterable]
        return _AccountFields(
            name=crm.name_field,
            first_name=first,
            last_name=last,
            email=emails[0] if emails else "",
            identifier=self._identifiers.account_field,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class _AccountFields:
    """Names of the fields of accounts; empty for those that the organisation has not."""

    name: str
    first_name: str
    last_name: str
    email: str
    identifier: str

    def list_names(self) -> list[str]:
        names = (self.name, self.first_name, self.last_name, self.email, self.identifier)
        return list(dict.fromkeys(filter(None, names)))

    def build(self, row: CrmRow) -> CrmAccount:
        name, first, last, email = (
            str(row.get(each) or "") if each else ""
            for each in (self.name, self.first_name, self.last_name, self.email)
        )
        if not last:
            first, _, last = name.rpartition(" ")
        return CrmAccount(
            account_id=row.crm_id,
            name=name or f"{first} {last}".strip(),
            first_name=first,
            last_name=last,
            email=email,
            identifier=spell_identifier(row.get(self.identifier)),
        )


def _find_account_object(connection: Connection) -> str:
    rules = FieldRule.objects.filter(
        kind=FieldRuleKind.PERSON_ACCOUNT, rule__integration__connection=connection
    ).exclude(reference_object="")
    return rules.order_by("pk").values_list("reference_object", flat=True).first() or ACCOUNT
