"""The protocol that the transfer speaks, and what passes through it; every CRM has a dialect that fulfils it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections import Counter
    from collections.abc import Collection, Iterator, Sequence
    from datetime import datetime, timedelta
    from types import TracebackType
    from typing import Self

    from connections.crmdescription import DescribedObject
    from crm_sync.crm.errors import RowResult

    Pages = Iterator[list["CrmRow"]]


@dataclass(frozen=True, slots=True)
class ClockReading:
    """The CRM's clock, to the second, and the Vault's clock when that was read; both in UTC."""

    crm: datetime
    vault: datetime

    @property
    def offset(self) -> int:
        """Seconds that the Vault's clock is ahead of the CRM's; below 0 if it is behind."""
        return round((self.vault - self.crm).total_seconds())


@dataclass(frozen=True, slots=True, kw_only=True)
class CrmRow:
    """A record as the CRM sent it; no row is believed to have the right form.

    `crm_id` is empty if the row has none that could be one, and `changed_at` None if it names no moment in time. `flaw`
    says which of the fields that every row has is not as it always is, such as "Id is None, which is not one of the
    CRM's"; it is empty if all are. `values` are all fields as they came.
    """

    crm_id: str
    is_deleted: bool = False
    changed_at: datetime | None = None
    name: str = ""
    flaw: str = ""
    values: Mapping[str, Any] = field(default_factory=dict)

    def get(self, path: str) -> Any:
        """Return the value of a field, or of a field of a record referred to (`CrmDialect.path`); None without one."""
        value: Any = self.values
        for step in path.split("."):
            value = value.get(step) if isinstance(value, Mapping) else None
        return value

    def has(self, path: str) -> bool:
        """Whether the row has the field, empty or not: not if the record referred to is none that the CRM shows."""
        reference, _, name = path.rpartition(".")
        record = self.get(reference) if reference else self.values
        return isinstance(record, Mapping) and name in record


@dataclass(frozen=True, slots=True)
class Deletions:
    """Ids of the records that the CRM deleted in a span of time, purged ones included.

    Nothing is said of deletions before `known_since` and after `known_until`; None if the CRM does not name the time.
    """

    crm_ids: list[str]
    known_since: datetime | None
    known_until: datetime | None


class CrmDialect(Protocol):
    """One CRM organisation for the time of one run, in the words of one kind of CRM. Thread-safe; a context manager.

    Methods that read yield pages as the CRM cuts them. Rows hold the fields that are asked for; those that the CRM has
    deleted are among them as long as it keeps them. A page after which the CRM has forgotten the place of the next one
    is followed by QueryLocatorExpired. All methods that ask the CRM raise the errors of `crm_sync.crm.errors`.
    """

    recycle_bin: timedelta
    """How long the CRM keeps a deleted record, so that it can be undeleted, and tells of its deletion."""

    user_fields: tuple[str, str, str]
    """The fields of a CRM user that hold first name, last name and e-mail."""

    fields_of_every_row: tuple[str, ...]
    """The fields that are always read beside those asked for."""

    name_field: str
    """The field that holds the name of a record; `CrmRow.name` has it if it was asked for."""

    @property
    def api_calls(self) -> int:
        """How many calls were sent."""

    @property
    def clock(self) -> ClockReading | None:
        """The CRM's clock, as the last answer shows it; None if none did."""

    @property
    def organisation_id(self) -> str:
        """Id of the organisation logged in to; empty before the log-in, or if the CRM does not tell."""

    @property
    def proven_certificate(self) -> str:
        """PEM text of the certificate with which the log-in succeeded; empty if it took none."""

    @property
    def call_times(self) -> Counter[int]:
        """How many calls were answered in which time so far, by bucket of `crm_sync.crm.call_times`."""

    @property
    def usage(self) -> tuple[int, int] | None:
        """The calls used and allowed in a day, as the last answer shows them; None if none did."""

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...

    def log_in(self) -> None:
        """Open a session."""

    # -- Reading ------------------------------------------------------------------------------------

    def changes_since(
        self,
        *,
        object_name: str,
        fields: Collection[str],
        since: datetime | None,
        until: datetime | None = None,
        marked_by: str = "",
    ) -> Pages:
        """Yield the records that changed or were deleted in a span of time, both ends included; all if it is open.

        The oldest changes are asked for first; nothing may depend on the CRM's keeping that order. With `marked_by`, a
        checkbox, records are left out in which it is not set, unless they are deleted.
        """

    def find_filled(self, *, object_name: str, fields: Collection[str], field_name: str) -> Pages:
        """Yield all records in which a field has a value."""

    def find_by_id(self, *, object_name: str, fields: Collection[str], crm_ids: Collection[str]) -> Pages:
        """Yield the records with these ids, as far as the CRM shows them. What cannot be an id is left out."""

    def find_by_external_id(
        self, *, object_name: str, fields: Collection[str], field_name: str, values: Collection[str]
    ) -> Pages:
        """Yield the records in which a field has one of these values. The CRM may ignore case when it compares.

        A field that holds numbers is compared with those values that are numbers, see `crm_sync.crm.numbers`.
        """

    def holds_numbers(self, *, object_name: str, field_name: str) -> bool:
        """Whether a field holds numbers, as far as a search by it has shown; no call is made."""

    def describe(self, object_name: str) -> DescribedObject | None:
        """Return an object as the CRM describes it; None if it does not, or not to this user."""

    def list_objects(self) -> dict[str, str]:
        """Return the labels of the CRM's objects by name, as far as its user sees them."""

    def deleted_since(self, *, object_name: str, start: datetime) -> Deletions | None:
        """Return what was deleted from `start` until now; None if the CRM does not know that any more."""

    # -- Writing ------------------------------------------------------------------------------------

    def upsert(
        self,
        *,
        object_name: str,
        external_id_field: str,
        records: Sequence[Mapping[str, Any]],
        allow_duplicates: bool = False,
    ) -> list[RowResult]:
        """Create or update up to 200 records by external id; return one result per record, in the order given."""

    def update(
        self,
        *,
        object_name: str,
        records: Mapping[str, Mapping[str, Any]],
        allow_duplicates: bool = False,
    ) -> list[RowResult]:
        """Update up to 200 records, given by id; return one result per record, in the order given."""

    def carry_secret(self, text: str, *, header: str) -> None:
        """From now on remove the text from what the CRM answers, and send it in this header of every call that writes.

        No header is sent if either is empty.
        """

    # -- Spelling -----------------------------------------------------------------------------------

    def encode_value(self, value: Any) -> Any:
        """Return a value of the Vault as the CRM's interface takes it."""

    def path(self, reference: str, field_name: str) -> str:
        """Return the name under which rows hold a field of the record that a field refers to."""

    def link_to(self, reference: str, *, field_name: str, value: str) -> tuple[str, Any]:
        """Return name and value by which a record to be written refers to the one whose external id is `value`."""
