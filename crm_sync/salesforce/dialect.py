"""The transfer's protocol in the words of Salesforce: SOQL, `Id`, `IsDeleted`, `SystemModstamp`, `__c` and `__r`.

Sources: Salesforce, SOQL and SOSL Reference, "Relationship Queries"; REST API Developer Guide, "Get Deleted" and
"Insert or Update (Upsert) a Record Using an External ID"; Salesforce Help, "Recycle Bin"; Object Reference, "ID Field
Type".
"""

from __future__ import annotations

import datetime as dt
import re
from functools import partial
from typing import TYPE_CHECKING, Any, Final, Self

from connections.crmdescription import NUMBER_TYPES
from crm_sync.crm.dialect import CrmRow, Deletions
from crm_sync.crm.errors import ConfigurationError, CrmError
from crm_sync.crm.numbers import is_spelled_number
from crm_sync.salesforce.describe import read_description
from crm_sync.salesforce.soql import build_select, chunk_values_by_url, compare, is_in

if TYPE_CHECKING:
    from collections import Counter
    from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
    from types import TracebackType

    from connections.crmdescription import DescribedObject
    from crm_sync.crm.dialect import ClockReading, Pages
    from crm_sync.crm.errors import RowResult
    from crm_sync.salesforce.client import CrmClient

_AS_THEY_ARE: Final = frozenset({str, bool, int, float})
_ID: Final = re.compile(r"[A-Za-z0-9]{15}(?:[A-Za-z0-9]{3})?", re.ASCII)
_WITHOUT_CHECKSUM: Final = 15
# Each digit stands for five characters, each upper-case one of which sets a bit.
_CHECKSUM_DIGITS: Final = "ABCDEFGHIJKLMNOPQRSTUVWXYZ012345"

# `getDeleted` ignores the seconds of times, so the end lies ahead: what was deleted in this minute is listed, too.
_A_MOMENT: Final = dt.timedelta(minutes=2)
# The CRM knows nothing of the beginning of the span any more, or refuses an end that lies ahead.
_UNKNOWN_SPAN: Final = "INVALID_REPLICATION_DATE"
_TOO_MANY_DELETIONS: Final = "EXCEEDED_ID_LIMIT"
# Of a query that names an unknown field, or compares a field with a value of another type.
_WRONG_FIELD: Final = "INVALID_FIELD"


class SalesforceDialect:
    """A Salesforce organisation, spoken to through a client; the methods are those of `CrmDialect`."""

    recycle_bin = dt.timedelta(days=15)
    user_fields = ("FirstName", "LastName", "Email")
    fields_of_every_row: tuple[str, ...] = ("Id", "IsDeleted", "SystemModstamp")
    name_field = "Name"

    def __init__(self, client: CrmClient) -> None:
        """Use a client, and close it with the dialect."""
        self._client = client
        # Lower-cased names of object and field.
        self._number_fields: set[tuple[str, str]] = set()

    def __enter__(self) -> Self:
        """Return the dialect itself."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the client."""
        self._client.close()

    @property
    def api_calls(self) -> int:
        """How many calls were sent, log-ins and repeated ones included."""
        return self._client.api_calls

    @property
    def clock(self) -> ClockReading | None:
        """The CRM's clock beside the Vault's, from the last header `Date`."""
        return self._client.clock

    @property
    def organisation_id(self) -> str:
        """Id of the organisation logged in to, 15 characters; empty before the log-in or if the CRM did not send it."""
        return self._client.organisation_id

    @property
    def proven_certificate(self) -> str:
        """PEM text of the certificate of the last log-in; empty before it and for other flows than JWT bearer."""
        return self._client.proven_certificate

    @property
    def call_times(self) -> Counter[int]:
        """How many calls were answered in which time so far."""
        return self._client.call_times

    @property
    def usage(self) -> tuple[int, int] | None:
        """The API calls used and allowed in 24 hours, from the last header `Sforce-Limit-Info`."""
        return self._client.api_usage

    def log_in(self) -> None:
        """Get a new token."""
        self._client.log_in()

    # -- Reading ------------------------------------------------------------------------------------

    def changes_since(
        self,
        *,
        object_name: str,
        fields: Collection[str],
        since: dt.datetime | None,
        until: dt.datetime | None = None,
        marked_by: str = "",
    ) -> Pages:
        """Query by `SystemModstamp`, with the recycle bin."""
        conditions = []
        if marked_by:
            # A record may have been unmarked before it was deleted.
            conditions.append(f"({compare(marked_by, '=', value=True)} OR {compare('IsDeleted', '=', value=True)})")
        if since is not None:
            conditions.append(compare("SystemModstamp", ">=", since))
        if until is not None:
            conditions.append(compare("SystemModstamp", "<=", until))
        return self._query(object_name, fields, where=conditions, order_by="SystemModstamp, Id")

    def find_filled(self, *, object_name: str, fields: Collection[str], field_name: str) -> Pages:
        """Query the records in which a field is not null."""
        return self._query(object_name, fields, where=[compare(field_name, "!=", None)])

    def find_by_id(self, *, object_name: str, fields: Collection[str], crm_ids: Collection[str]) -> Pages:
        """Query up to 200 ids a call; for what is no id the CRM would refuse the whole query."""
        yield from self._find(object_name, fields, field_name="Id", values=filter(is_id, crm_ids))

    def find_by_external_id(
        self, *, object_name: str, fields: Collection[str], field_name: str, values: Collection[str]
    ) -> Pages:
        """Query up to 200 values a call, fewer if they are long; those of a number field without quotes.

        SOQL refuses text for a number field. Only then is the field's type asked, so that text fields cost no call.
        """
        find = partial(self._find, object_name, fields, field_name=field_name)
        if not self.holds_numbers(object_name=object_name, field_name=field_name):
            try:
                yield from find(values=values)
            except ConfigurationError as error:
                if error.code != _WRONG_FIELD or not self._is_described_as_number(object_name, field_name):
                    raise
                self._number_fields.add((object_name.lower(), field_name.lower()))
            else:
                return
        yield from find(values=filter(is_spelled_number, values), are_numbers=True)

    def holds_numbers(self, *, object_name: str, field_name: str) -> bool:
        """Whether the CRM refused text for the field, and described it as a number."""
        return (object_name.lower(), field_name.lower()) in self._number_fields

    def describe(self, object_name: str) -> DescribedObject | None:
        """Ask `describe`; None if it is refused, or answered in an unexpected form."""
        try:
            return read_description(self._client.describe(object_name))
        except (AttributeError, ConfigurationError, KeyError, TypeError):
            return None

    def list_objects(self) -> dict[str, str]:
        return self._client.list_objects()

    def deleted_since(self, *, object_name: str, start: dt.datetime) -> Deletions | None:
        """Ask `getDeleted`; should the CRM refuse an end that lies ahead, it is asked up to now.

        Raises ConfigurationError if the CRM user may not ask.
        """
        clock = self._client.clock
        if clock is None:
            return None
        for end in (clock.crm + _A_MOMENT, clock.crm):
            try:
                deletions = self._client.list_deleted(object_name=object_name, start=start, end=end)
            except ConfigurationError as error:
                raise ConfigurationError(
                    error.message,
                    code=error.code,
                    remedy=f"Let the CRM user read {object_name} with its deleted records (getDeleted).",
                ) from None
            except CrmError as error:
                if error.code == _TOO_MANY_DELETIONS:
                    return None
                if error.code != _UNKNOWN_SPAN:
                    raise
            else:
                return Deletions(
                    crm_ids=[lengthen_id(crm_id) for crm_id in deletions.crm_ids],
                    known_since=deletions.known_since,
                    known_until=deletions.known_until,
                )
        return None

    def _find(
        self,
        object_name: str,
        fields: Collection[str],
        *,
        field_name: str,
        values: Iterable[str],
        are_numbers: bool = False,
    ) -> Pages:
        for chunk in chunk_values_by_url(values):
            condition = is_in(field_name, chunk, are_numbers=are_numbers)
            yield from self._query(object_name, fields, where=[condition])

    def _is_described_as_number(self, object_name: str, field_name: str) -> bool:
        described = self.describe(object_name)
        field = described.find_field(field_name) if described is not None else None
        return field is not None and field.type in NUMBER_TYPES

    def _query(
        self, object_name: str, fields: Collection[str], *, where: Sequence[str], order_by: str = ""
    ) -> Iterator[list[CrmRow]]:
        soql = build_select(object_name, [*self.fields_of_every_row, *fields], where=where, order_by=order_by)
        return (list(map(read_row, page)) for page in self._client.query(soql, include_deleted=True))

    # -- Writing ------------------------------------------------------------------------------------

    def upsert(
        self,
        *,
        object_name: str,
        external_id_field: str,
        records: Sequence[Mapping[str, Any]],
        allow_duplicates: bool = False,
    ) -> list[RowResult]:
        """Upsert as `CrmClient.upsert` does."""
        return self._client.upsert(
            object_name=object_name,
            external_id_field=external_id_field,
            records=records,
            allow_duplicates=allow_duplicates,
        )

    def update(
        self, *, object_name: str, records: Mapping[str, Mapping[str, Any]], allow_duplicates: bool = False
    ) -> list[RowResult]:
        """Update as `CrmClient.update` does."""
        rows = [{"Id": crm_id, **values} for crm_id, values in records.items()]
        return self._client.update(object_name=object_name, records=rows, allow_duplicates=allow_duplicates)

    def carry_secret(self, text: str, *, header: str) -> None:
        """Carry the secret as `CrmClient.carry_secret` does."""
        self._client.carry_secret(text, header=header)

    # -- Spelling -----------------------------------------------------------------------------------

    def encode_value(self, value: Any) -> Any:
        """Return dates and times in the format of Salesforce's JSON, in UTC; other types as text."""
        if value is None or type(value) in _AS_THEY_ARE:
            return value
        if isinstance(value, dt.datetime):
            return value.astimezone(dt.UTC).strftime("%Y-%m-%dT%H:%M:%S.000+0000")
        if isinstance(value, dt.date):
            return value.isoformat()
        return value if isinstance(value, bool | int | float | str) else str(value)

    def path(self, reference: str, field_name: str) -> str:
        """Return `Study_vod__r.Name` for the field `Name` of the record that `Study_vod__c` refers to."""
        return f"{build_relationship(reference)}.{field_name}"

    def link_to(self, reference: str, *, field_name: str, value: str) -> tuple[str, Any]:
        """Return `Study_vod__r` and `{"VExternal_Id_vod__c": …}` for the reference `Study_vod__c`."""
        return build_relationship(reference), {field_name: value}


def build_relationship(field_name: str) -> str:
    """Return the relationship name of a reference field: `X__c` → `X__r`, `AccountId` → `Account`."""
    if field_name.endswith("__c"):
        return f"{field_name[:-3]}__r"
    return field_name.removesuffix("Id")


def read_row(record: Mapping[str, Any]) -> CrmRow:
    """Read a record of a query; one of an unexpected form becomes a row with a flaw."""
    crm_id, stamp, is_deleted = record.get("Id"), record.get("SystemModstamp"), record.get("IsDeleted")
    changed_at = _read_stamp(stamp)
    is_known = isinstance(crm_id, str) and _ID.fullmatch(crm_id) is not None
    flaw = ""
    if not is_known:
        flaw = f"Id is {crm_id!r}, which is not one of the CRM's"
    elif changed_at is None:
        flaw = f"SystemModstamp is {stamp!r}, which is no date and time"
    elif not isinstance(is_deleted, bool):
        flaw = f"IsDeleted is {is_deleted!r}, which is neither true nor false"
    return CrmRow(
        crm_id=lengthen_id(str(crm_id)) if is_known else "",
        is_deleted=is_deleted is True,
        changed_at=changed_at,
        name=str(record.get("Name") or ""),
        flaw=flaw,
        values=record,
    )


def _read_stamp(text: object) -> dt.datetime | None:
    try:
        stamp = dt.datetime.fromisoformat(text) if isinstance(text, str) else None
    except ValueError:
        return None
    return stamp if stamp is not None and stamp.tzinfo is not None else None


def lengthen_id(text: str) -> str:
    """Return an id of 15 characters with the checksum that makes it 18; any other text as it is."""
    if len(text) != _WITHOUT_CHECKSUM or not _ID.fullmatch(text):
        return text
    digits = (
        sum(1 << position for position, character in enumerate(text[start : start + 5]) if character.isupper())
        for start in (0, 5, 10)
    )
    return text + "".join(_CHECKSUM_DIGITS[digit] for digit in digits)


def is_id(text: str) -> bool:
    """Whether a text can be a record's id: 15 characters, or 18 of which the last three are the checksum."""
    full = lengthen_id(text[:_WITHOUT_CHECKSUM])
    return len(full) > _WITHOUT_CHECKSUM and full.startswith(text)
