"""The jobs of Bulk API 2.0: what clients upload, what became of each row, and what queries found.

They are kept in memory while the organisation is served; what they wrote is in its data file.
"""

import asyncio
import base64
import binascii
import csv
import io
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

from crm_sync.sandbox.data.ids import build_id
from crm_sync.sandbox.data.organisation import Organisation
from crm_sync.sandbox.data.records import PlannedRow
from crm_sync.sandbox.data.timestamps import format_datetime
from crm_sync.sandbox.errors import ApiError

DELIMITERS = {"COMMA": ",", "SEMICOLON": ";", "TAB": "\t", "PIPE": "|", "CARET": "^", "BACKQUOTE": "`"}
LINE_ENDINGS = {"LF": "\n", "CRLF": "\r\n"}
KEY_PREFIX = "750"
ENDED = frozenset({"JobComplete", "Failed", "Aborted"})


@dataclass(slots=True, kw_only=True)
class BulkJob:
    """One job. `kind` is `ingest` or `query`. States are Open, UploadComplete, InProgress and those of `ENDED`."""

    id: str
    kind: str
    operation: str
    object_name: str
    user_id: str
    version: int
    created: str
    state: str
    external_id_field: str = ""
    line_ending: str = "LF"
    delimiter: str = "COMMA"
    error: str = ""
    changed: str = ""
    seconds: float = 0.0
    # Of an ingest job: names of columns, rows as uploaded, and what became of the first of them.
    header: list[str] = field(default_factory=list)
    rows: list[list[str]] = field(default_factory=list)
    outcomes: list[PlannedRow] = field(default_factory=list)
    uploaded: bool = False
    # Of a query job: the rows that it found.
    query: str = ""
    found: list[list[str]] = field(default_factory=list)

    @property
    def failed(self) -> int:
        """How many rows were refused."""
        return sum(row.error is not None for row in self.outcomes)

    @property
    def processed(self) -> int:
        """How many rows were looked at, or found."""
        return len(self.outcomes) if self.kind == "ingest" else len(self.found)


class BulkJobs:
    """The jobs of an organisation."""

    def __init__(self, organisation: Organisation) -> None:
        """Begin without jobs."""
        self._organisation = organisation
        self._jobs: dict[str, BulkJob] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    def add(self, *, kind: str, operation: str, object_name: str, user_id: str, version: int, state: str) -> BulkJob:
        """Return a new job."""
        number = self._organisation.database.reserve_numbers(name="bulk job", count=1)
        job = BulkJob(
            id=build_id(key_prefix=KEY_PREFIX, pod=self._organisation.pod, number=number),
            kind=kind,
            operation=operation,
            object_name=object_name,
            user_id=user_id,
            version=version,
            created=self._stamp(),
            state=state,
        )
        job.changed = job.created
        self._jobs[job.id] = job
        return job

    def find(self, identifier: str, *, kind: str) -> BulkJob:
        """Return a job by its id of 15 or 18 characters. Raises ApiError `NOT_FOUND`."""
        for job in self._jobs.values():
            if job.kind == kind and identifier in {job.id, job.id[:15]}:
                return job
        raise ApiError("NOT_FOUND", "The requested resource does not exist")

    def list_all(self, *, kind: str) -> list[BulkJob]:
        """Return the jobs of a kind, the newest first."""
        return [job for job in reversed(self._jobs.values()) if job.kind == kind]

    def remove(self, job: BulkJob) -> None:
        """Forget a job that has ended. Raises ApiError for any other."""
        if job.state not in ENDED:
            raise ApiError("INVALIDJOBSTATE", f"A job in the state {job.state} cannot be deleted: abort it first.")
        del self._jobs[job.id]

    def change_state(self, job: BulkJob, state: str) -> None:
        """Give a job another state, and the time of the change."""
        job.state = state
        job.changed = self._stamp()

    def start(self, job: BulkJob, steps: Iterator[None]) -> None:
        """Work a job off step by step, so that other requests are answered between its steps."""
        task = asyncio.get_running_loop().create_task(self._work_off(job, steps))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _work_off(self, job: BulkJob, steps: Iterator[None]) -> None:
        started = time.perf_counter()
        await asyncio.sleep(0)
        self.change_state(job, "InProgress")
        try:
            for _ in steps:
                job.seconds = time.perf_counter() - started
                await asyncio.sleep(0)
                if job.state == "Aborted":
                    return
        except ApiError as error:
            job.error = f"{error.code} : {error.message}"
            self.change_state(job, "Failed")
            return
        self.change_state(job, "JobComplete")

    def _stamp(self) -> str:
        return format_datetime(self._organisation.read_clock())


# -- CSV ----------------------------------------------------------------------------------------------


def read_rows(job: BulkJob, content: str) -> None:
    """Read what a client uploaded into the job. Raises ApiError for files that the CRM cannot read.

    As in the real CRM, the line ending has to be the one that the job names.
    """
    text = content.removeprefix("\ufeff")
    first = text.partition("\n")[0]
    if text and first.endswith("\r") != (job.line_ending == "CRLF"):
        raise ApiError(
            "InvalidBatch",
            f"LineEnding is invalid on user data. Current LineEnding setting is {job.line_ending}",
        )
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=DELIMITERS[job.delimiter], strict=True)
    try:
        header, *rows = [row for row in reader if row] or [[]]
    except csv.Error as error:
        raise ApiError("InvalidBatch", f"Failed to parse CSV: {error} (line {reader.line_num})") from error
    if not header:
        raise ApiError("InvalidBatch", "The file has no header row with the names of fields.")
    for number, row in enumerate(rows, start=2):
        if len(row) > len(header):
            raise ApiError("InvalidBatch", f"Too many columns in row {number}: {len(row)} instead of {len(header)}.")
    job.header, job.rows = header, rows


def write_csv(job: BulkJob, header: Sequence[str], rows: Sequence[Sequence[str]]) -> bytes:
    """Return rows as CSV in the form of the job, with all values in quotes as the CRM writes them."""
    text = io.StringIO(newline="")
    writer = csv.writer(
        text,
        delimiter=DELIMITERS[job.delimiter],
        lineterminator=LINE_ENDINGS[job.line_ending],
        quoting=csv.QUOTE_ALL,
    )
    writer.writerow(header)
    writer.writerows(rows)
    return text.getvalue().encode()


def describe_outcomes(job: BulkJob, *, wanted: Callable[[PlannedRow], bool], failures: bool) -> bytes:
    """Return the rows whose outcome is `wanted`, as uploaded, each after its id and how it went."""
    header = ["sf__Id", "sf__Error" if failures else "sf__Created", *job.header]
    rows = []
    for outcome, sent in zip(job.outcomes, job.rows, strict=False):
        if wanted(outcome):
            how = describe_failure(outcome) if failures else str(outcome.created).lower()
            rows.append([outcome.id or "", how, *sent])
    return write_csv(job, header, rows)


def describe_failure(row: PlannedRow) -> str:
    """Return why a row was refused: code, message and fields."""
    error = row.error
    return f"{error.code}:{error.message}:{','.join(error.fields or [])} --" if error else ""


def write_locator(offset: int) -> str:
    """Return where the next page of a query's results begins."""
    return base64.urlsafe_b64encode(str(offset).encode()).decode().rstrip("=")


def read_locator(locator: str) -> int:
    """Return the row at which a page begins. Raises ApiError for a locator that was not given out."""
    try:
        offset = int(base64.urlsafe_b64decode(locator + "=" * (-len(locator) % 4)))
    except (binascii.Error, ValueError):
        offset = -1
    if offset < 0:
        raise ApiError("INVALID_QUERY_LOCATOR", f"invalid query locator: {locator}")
    return offset
