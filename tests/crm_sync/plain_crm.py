"""A second kind of CRM, as small as can be, with its dialect: tests of the transfer run over it too.

It has what every CRM has and nothing of how Salesforce spells it: ids of twelve characters, `state__v` and
`modified_date__v`, references named `<field>__vr.<name>` when read and `<field>.<name>` when written, pages of two
records, and error codes of its own.
"""

from __future__ import annotations

import datetime as dt
import itertools
import threading
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Self

from connections.models import Connection
from crm_sync.crm.dialect import ClockReading, CrmDialect, CrmRow, Deletions
from crm_sync.crm.errors import Meaning, RowError, RowResult
from ctms.core.clock import get_now
from tests.crm_sync.world import World
from tests.factories.configuration import activate_medical_activities, map_identifiers
from tests.factories.connections import AuthorizationFactory, ConnectionFactory
from tests.prepared_rows import PreparedRows

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence

    import pytest

    from connections.crmdescription import DescribedObject
    from crm_sync.crm.dialect import Pages
    from ctms.clinical.models import Person

ID_PREFIX, ID_LENGTH = "V1A", 12
USER = {"first_name__sys": "Vault", "last_name__sys": "Integration", "email__sys": "vault@plain.test"}
PAGE = 2


@dataclass(slots=True)
class Record:
    """A record; `values` are its fields without those that the CRM keeps itself."""

    crm_id: str
    object_name: str
    values: dict[str, Any]
    modified_at: dt.datetime
    is_deleted: bool = False


@dataclass(slots=True)
class PlainCrm:
    """An organisation: its records by id, purged ones by the time of their deletion, and ids that nobody is shown."""

    records: dict[str, Record] = field(default_factory=dict)
    purged: dict[str, tuple[str, dt.datetime]] = field(default_factory=dict)
    hidden: set[str] = field(default_factory=set)
    lock: threading.RLock = field(default_factory=threading.RLock)
    numbers: Iterator[int] = field(default_factory=lambda: itertools.count(1))
    calls: int = 0
    secrets: list[tuple[str, str]] = field(default_factory=list)

    def insert(self, object_name: str, values: Mapping[str, Any]) -> Record:
        crm_id = f"{ID_PREFIX}{next(self.numbers):0{ID_LENGTH - len(ID_PREFIX)}}"
        record = Record(crm_id, object_name, dict(values), modified_at=read_clock())
        self.records[crm_id] = record
        return record

    def list_living(self, object_name: str) -> list[Record]:
        return [each for each in self.records.values() if each.object_name == object_name and not each.is_deleted]

    def find(self, crm_id: Any) -> Record | None:
        record = self.records.get(crm_id)
        return None if record is None or record.is_deleted or crm_id in self.hidden else record


def read_clock() -> dt.datetime:
    return get_now().replace(microsecond=0)


class PlainDialect:
    """The dialect of `PlainCrm`; its methods are those of `CrmDialect`."""

    recycle_bin = dt.timedelta(days=30)
    user_fields = ("first_name__sys", "last_name__sys", "email__sys")
    fields_of_every_row: tuple[str, ...] = ("id", "state__v", "modified_date__v")
    name_field = "name__v"
    organisation_id = "V00000000042"
    proven_certificate = ""

    def __init__(self, crm: PlainCrm) -> None:
        self._crm = crm

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        pass

    @property
    def api_calls(self) -> int:
        return self._crm.calls

    @property
    def call_times(self) -> Counter[int]:
        return Counter()

    @property
    def usage(self) -> tuple[int, int] | None:
        return None

    @property
    def clock(self) -> ClockReading:
        return ClockReading(crm=read_clock(), vault=get_now())

    def log_in(self) -> None:
        self._crm.calls += 1

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
        return self._read(
            object_name,
            fields,
            lambda record: (
                (since is None or record.modified_at >= since)
                and (until is None or record.modified_at <= until)
                and (not marked_by or record.is_deleted or bool(record.values.get(marked_by)))
            ),
        )

    def find_filled(self, *, object_name: str, fields: Collection[str], field_name: str) -> Pages:
        return self._read(object_name, fields, lambda record: record.values.get(field_name) is not None)

    def find_by_id(self, *, object_name: str, fields: Collection[str], crm_ids: Collection[str]) -> Pages:
        return self._read(object_name, fields, lambda record: record.crm_id in crm_ids)

    def find_by_external_id(
        self, *, object_name: str, fields: Collection[str], field_name: str, values: Collection[str]
    ) -> Pages:
        folded = {value.casefold() for value in values}
        return self._read(
            object_name, fields, lambda record: str(record.values.get(field_name, "")).casefold() in folded
        )

    def holds_numbers(self, *, object_name: str, field_name: str) -> bool:
        return False

    def describe(self, object_name: str) -> DescribedObject | None:
        self._crm.calls += 1
        return None

    def list_objects(self) -> dict[str, str]:
        self._crm.calls += 1
        return {}

    def deleted_since(self, *, object_name: str, start: dt.datetime) -> Deletions | None:
        with self._crm.lock:
            self._crm.calls += 1
            kept = [each for each in self._crm.records.values() if each.is_deleted]
            ids = [each.crm_id for each in kept if each.object_name == object_name and each.modified_at >= start]
            ids += [
                crm_id for crm_id, (name, when) in self._crm.purged.items() if name == object_name and when >= start
            ]
        return Deletions(crm_ids=ids, known_since=None, known_until=read_clock())

    def _read(self, object_name: str, fields: Collection[str], fits: Callable[[Record], bool]) -> Pages:
        with self._crm.lock:
            found = [
                each
                for each in self._crm.records.values()
                if each.object_name == object_name and each.crm_id not in self._crm.hidden and fits(each)
            ]
            rows = [self._build_row(each, fields) for each in sorted(found, key=lambda each: each.modified_at)]
        for start in range(0, len(rows) or 1, PAGE):
            self._crm.calls += 1
            yield rows[start : start + PAGE]

    def _build_row(self, record: Record, fields: Collection[str]) -> CrmRow:
        values: dict[str, Any] = {"id": record.crm_id, "state__v": "deleted" if record.is_deleted else "live"}
        for name in fields:
            reference, _, inner = name.partition(".")
            if not inner:
                values[name] = record.values.get(name)
            elif reference.endswith("__vr"):
                target = self._crm.find(record.values.get(reference.removesuffix("__vr")))
                if target is not None:
                    values.setdefault(reference, {})[inner] = target.values.get(inner)
            else:
                values.setdefault(reference, {})[inner] = USER[inner]
        return CrmRow(
            crm_id=record.crm_id,
            is_deleted=record.is_deleted,
            changed_at=record.modified_at,
            name=str(values.get(self.name_field) or ""),
            values=values,
        )

    # -- Writing ------------------------------------------------------------------------------------

    def carry_secret(self, text: str, *, header: str) -> None:
        self._crm.secrets.append((header, text))

    def upsert(
        self,
        *,
        object_name: str,
        external_id_field: str,
        records: Sequence[Mapping[str, Any]],
        allow_duplicates: bool = False,
    ) -> list[RowResult]:
        with self._crm.lock:
            self._crm.calls += 1
            known = {each.values.get(external_id_field): each for each in self._crm.list_living(object_name)}
            return [self._put(known.get(each[external_id_field]), object_name, each) for each in records]

    def update(
        self, *, object_name: str, records: Mapping[str, Mapping[str, Any]], allow_duplicates: bool = False
    ) -> list[RowResult]:
        with self._crm.lock:
            self._crm.calls += 1
            results = []
            for crm_id, values in records.items():
                record = self._crm.find(crm_id)
                if record is None:
                    results.append(refuse("RECORD_UNKNOWN", meanings={Meaning.RECORD_GONE}))
                else:
                    results.append(self._put(record, object_name, values))
            return results

    def _put(self, record: Record | None, object_name: str, values: Mapping[str, Any]) -> RowResult:
        written: dict[str, Any] = {}
        for name, value in values.items():
            reference, _, key = name.partition(".")
            if key:
                targets = [each for each in self._crm.records.values() if each.values.get(key) == value]
                living = [each for each in targets if self._crm.find(each.crm_id)]
                if not living:
                    return refuse("PARENT_UNKNOWN", fields=(reference,), meanings={Meaning.REFERENCE_GONE})
                written[reference] = living[0].crm_id
            elif isinstance(value, str) and value.startswith(ID_PREFIX) and self._crm.find(value) is None:
                return refuse("REFERENCE_UNKNOWN", fields=(name,), meanings={Meaning.REFERENCE_REFUSED})
            else:
                written[name] = value
        if record is None:
            return RowResult(self._crm.insert(object_name, written).crm_id, success=True, created=True, errors=())
        record.values |= written
        record.modified_at = read_clock()
        return RowResult(record.crm_id, success=True, created=False, errors=())

    # -- Spelling -----------------------------------------------------------------------------------

    def encode_value(self, value: Any) -> Any:
        if isinstance(value, dt.date):
            return value.isoformat()
        return value if value is None or isinstance(value, bool | int | float | str) else str(value)

    def path(self, reference: str, field_name: str) -> str:
        return f"{reference}__vr.{field_name}"

    def link_to(self, reference: str, *, field_name: str, value: str) -> tuple[str, Any]:
        return f"{reference}.{field_name}", value


def refuse(code: str, *, fields: tuple[str, ...] = (), meanings: Iterable[Meaning]) -> RowResult:
    error = RowError(code, "It is not there.", fields, frozenset(meanings), "Look for it in the CRM.")
    return RowResult("", success=False, created=False, errors=(error,))


class PlainWorld(World):
    """A Vault connected to a `PlainCrm`, with the methods of `World` that do not speak Salesforce."""

    def __init__(self, *, connection: Connection, plain: PlainCrm) -> None:
        self.connection = connection
        self.plain = plain

    def __repr__(self) -> str:
        return f"<PlainWorld {self.connection}>"

    def list_interactions(self) -> list[dict[str, Any]]:
        return self._list("Vault_Clinical_Interaction_vod__c")

    def list_studies(self) -> list[dict[str, Any]]:
        return self._list("Clinical_Study_vod__c")

    def list_sites(self) -> list[dict[str, Any]]:
        return self._list("Clinical_Site_vod__c")

    def add_accounts(self, people: Iterable[Person]) -> list[str]:
        return [self._insert("Account", External_ID_vod__c=person.external_id) for person in people]

    def add_calls(self, account_ids: Iterable[str], **values: Any) -> list[str]:
        common = {
            "Call_Date_vod__c": "2026-03-04",
            "Call_Channel_vod__c": "Phone_vod",
            "Status_vod__c": "Submitted_vod",
            "Send_to_Vault_Clinical_vod__c": True,
        }
        return [
            self._insert("Call2_vod__c", **{"Account_vod__c": account_id, **common, **values})
            for account_id in account_ids
        ]

    def change_in_crm(self, object_name: str, crm_id: str, **values: Any) -> None:
        record = self.plain.records[crm_id]
        record.values |= values
        record.modified_at = read_clock()

    def delete_in_crm(self, object_name: str, crm_id: str) -> None:
        record = self.plain.records[crm_id]
        record.is_deleted, record.modified_at = True, read_clock()

    def undelete_in_crm(self, crm_id: str) -> None:
        record = self.plain.records[crm_id]
        record.is_deleted, record.modified_at = False, read_clock()

    def purge_in_crm(self, crm_id: str) -> None:
        record = self.plain.records.pop(crm_id)
        self.plain.purged[crm_id] = record.object_name, read_clock()

    def hide_in_crm(self, *crm_ids: str) -> None:
        self.plain.hidden.update(crm_ids)

    def show_in_crm(self, *crm_ids: str) -> None:
        self.plain.hidden.difference_update(crm_ids)

    def _insert(self, object_name: str, **values: Any) -> str:
        return self.plain.insert(object_name, values).crm_id

    def _list(self, object_name: str) -> list[dict[str, Any]]:
        return [{"Id": each.crm_id, **each.values} for each in self.plain.list_living(object_name)]


# What connecting writes is made once in a process: see tests/prepared_rows.py.
_CONNECTED = PreparedRows["Connection"]()


def build_plain_world(monkeypatch: pytest.MonkeyPatch) -> PlainWorld:
    """Connect the Vault to an empty `PlainCrm`, with the delivered rules and the global identifier mapping."""
    plain = PlainCrm()

    def connect() -> Connection:
        map_identifiers()
        activate_medical_activities()
        return ConnectionFactory.create(
            name="NA", url="https://na.crm.test", authorization=AuthorizationFactory.create()
        )

    def open_dialect(*, connection: Connection, **_options: Any) -> CrmDialect:
        return PlainDialect(plain)

    def is_crm_id(text: str, *, connection: Connection) -> bool:
        return len(text) == ID_LENGTH

    monkeypatch.setattr("crm_sync.engine.run.open_dialect", open_dialect)
    monkeypatch.setattr("crm_sync.reconciliation.repair.is_crm_id", is_crm_id)
    return PlainWorld(connection=_CONNECTED.provide("NA", connect), plain=plain)
