"""The jobs of Bulk API 1.0 and their batches. They are kept in memory while the organisation is served."""

from dataclasses import dataclass, field
from typing import Any

from crm_sync.sandbox.data.ids import build_id
from crm_sync.sandbox.data.organisation import Organisation
from crm_sync.sandbox.data.records import PlannedRow
from crm_sync.sandbox.data.timestamps import format_datetime

JOB, BATCH, RESULT = "750", "751", "752"


@dataclass(slots=True, kw_only=True)
class BulkBatch:
    """One batch: what was sent, and the rows that were written or found. Its state is Completed or Failed."""

    id: str
    created: str
    sent: str
    state: str = "Completed"
    message: str = ""
    outcomes: list[PlannedRow] = field(default_factory=list)
    result_id: str = ""
    records: list[dict[str, Any]] = field(default_factory=list)

    @property
    def failed(self) -> int:
        """How many rows were refused."""
        return sum(row.error is not None for row in self.outcomes)

    @property
    def processed(self) -> int:
        """How many rows were looked at, or found."""
        return len(self.outcomes) or len(self.records)


@dataclass(slots=True, kw_only=True)
class BatchJob:
    """One job. Its state is Open, Closed or Aborted; `content_type` is CSV, JSON or XML."""

    id: str
    operation: str
    object_name: str
    content_type: str
    external_id_field: str
    concurrency: str
    user_id: str
    version: int
    created: str
    state: str = "Open"
    batches: dict[str, BulkBatch] = field(default_factory=dict)

    @property
    def is_query(self) -> bool:
        """Whether its batches are queries."""
        return self.operation in {"query", "queryAll"}


class BatchJobs:
    """The jobs of an organisation, by id."""

    def __init__(self, organisation: Organisation) -> None:
        """Begin without jobs."""
        self._organisation = organisation
        self.by_id: dict[str, BatchJob] = {}

    def reserve_id(self, key_prefix: str) -> str:
        """Return a new id of a job, a batch or a result."""
        number = self._organisation.database.reserve_numbers(name=f"bulk {key_prefix}", count=1)
        return build_id(key_prefix=key_prefix, pod=self._organisation.pod, number=number)

    def stamp(self) -> str:
        """Return the organisation's time, as text."""
        return f"{format_datetime(self._organisation.read_clock())[:-5]}Z"
