"""What several objects have in common."""

from __future__ import annotations

from functools import partial
from typing import Any

from ctms.clinical.consistency import ask_future
from ctms.configuration.layouts import FieldSection
from ctms.configuration.registry import Question

PLANNED_AND_ACTUAL = {
    "planned_start_date__v": "planned_start",
    "planned_end_date__v": "planned_end",
    "actual_start_date__v": "actual_start",
    "actual_end_date__v": "actual_end",
}
DONE_BEFORE = tuple(
    Question(fields=(name,), ask=partial(ask_future, attribute=PLANNED_AND_ACTUAL[name]))
    for name in ("actual_start_date__v", "actual_end_date__v")
)
NAME = frozenset({"name__v"})
UPDATE_REQUIRED = "activity_update_required__v"
DATES = FieldSection(title="Dates", fields=tuple(PLANNED_AND_ACTUAL))


def has_no_owner(record: Any) -> bool:
    """Whether nobody looks after a record, so that whoever may change it can take it over."""
    return record.owner_id is None
