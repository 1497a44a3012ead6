"""Whatever is done to records in whatever order, references, unique values and lists of deletions stay right."""

import random
import tempfile
from collections import Counter
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from crm_sync.sandbox import Organisation
from crm_sync.sandbox.data.merging import merge_accounts
from crm_sync.sandbox.data.records import PlannedRow, read_record
from crm_sync.sandbox.data.recycle_bin import list_deletions, purge_record, undelete_record
from crm_sync.sandbox.data.schema import VENDOR, SObject
from crm_sync.sandbox.data.writes import delete_rows, write_rows
from crm_sync.sandbox.errors import ApiError

TRACKED = VENDOR.objects[:5]
ACCOUNT = VENDOR["Account"]
EXTERNAL_IDS = "abcd"
NUMBERS = (None, 1, 2, 3)
EVER = {"start": "2000-01-01", "end": "2100-01-01"}


class Story:
    """A random sequence of events. What the organisation refuses is no event."""

    def __init__(self, organisation: Organisation, seed: int) -> None:
        """Begin with an empty organisation."""
        self.organisation = organisation
        self.dice = random.Random(seed)  # noqa: S311  the events of a test, no secret
        self.user_id = organisation.integration_user_id
        self.deleted: dict[str, SObject] = {}

    def choose_record(self, sobject: SObject, *, deleted: bool = False) -> str | None:
        """Return the id of a record that is deleted or is not, or None when there is none."""
        rows = self.organisation.list_records(object_name=sobject.name, include_deleted=True)
        found: list[str] = [row["Id"] for row in rows if row["IsDeleted"] is deleted]
        return self.dice.choice(found) if found else None

    def create(self) -> None:
        """Create a record that refers to others."""
        sobject = self.dice.choice(TRACKED)
        values: dict[str, object] = {}
        for field in sobject.fields:
            if field.reference_to and field.custom:
                values[field.name] = self.choose_record(self.find_target(field.reference_to))
            elif field.unique:
                of_kind = NUMBERS if field.type == "double" else EXTERNAL_IDS
                values[field.name] = self.dice.choice(of_kind)
        if sobject is ACCOUNT:
            values["LastName"] = "x"
        elif not sobject.name_field.auto_number:
            values["Name"] = "x"
        row = read_record(sobject, values)
        row.created = True
        write_rows(self.organisation, [row], user_id=self.user_id)

    @staticmethod
    def find_target(name: str) -> SObject:
        """Return the object with this name."""
        return next(sobject for sobject in TRACKED if sobject.name == name)

    def delete(self) -> None:
        """Delete a record."""
        sobject = self.dice.choice(TRACKED)
        row = PlannedRow(sobject, {}, id=self.choose_record(sobject))
        if row.id is not None:
            delete_rows(self.organisation, [row], user_id=self.user_id)
            if row.error is None:
                self.deleted[row.id] = sobject

    def undelete(self) -> None:
        """Undelete a record."""
        record_id = self.choose_record(self.dice.choice(TRACKED), deleted=True)
        if record_id is not None:
            undelete_record(self.organisation, record_id=record_id, user_id=self.user_id)
            del self.deleted[record_id]

    def purge(self) -> None:
        """Purge a record, which stays known as deleted."""
        record_id = self.choose_record(self.dice.choice(TRACKED), deleted=True)
        if record_id is not None:
            purge_record(self.organisation, record_id=record_id)

    def merge(self) -> None:
        """Merge an account into another."""
        master, loser = (self.choose_record(ACCOUNT) for _ in range(2))
        if master is not None and loser is not None:
            merge_accounts(self.organisation, master_id=master, loser_ids=[loser], user_id=self.user_id)
            self.deleted[loser] = ACCOUNT

    def step(self) -> None:
        """Do one thing."""
        actions = (self.create, self.create, self.create, self.delete, self.undelete, self.purge, self.merge)
        try:
            self.dice.choice(actions)()
        except ApiError as error:
            assert error.code in {"UNDELETE_FAILED", "DUPLICATE_VALUE", "INVALID_INPUT"}, error  # noqa: PT017

    def check(self) -> None:
        """Assert what must hold after every step."""
        rows = {
            sobject.name: {row["Id"]: row for row in self.organisation.list_records(object_name=sobject.name)}
            for sobject in TRACKED
        }
        for sobject in TRACKED:
            for row in rows[sobject.name].values():
                for field in sobject.fields:
                    if field.reference_to and field.custom and (field.required or row[field.name] is not None):
                        assert row[field.name] in rows[field.reference_to], (sobject.name, field.name, row)
            for field in sobject.unique_fields:
                held = Counter(row[field.name] for row in rows[sobject.name].values())
                assert all(count == 1 for value, count in held.items() if value is not None), held
            deletions = {identifier for identifier, _ in list_deletions(self.organisation, sobject, **EVER)}
            assert deletions == {key for key, deleted in self.deleted.items() if deleted is sobject}


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(min_value=0, max_value=2**32), steps=st.integers(min_value=1, max_value=60))
def test_references_unique_values_and_deletions_stay_right(seed: int, steps: int) -> None:
    with (
        tempfile.TemporaryDirectory() as directory,
        Organisation.open(Path(directory) / "na.sqlite3", durable=False) as organisation,
    ):
        story = Story(organisation, seed)
        for _ in range(steps):
            story.step()
            story.check()
