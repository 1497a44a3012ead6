"""The filter of an integration rule: conditions that hold for the whole Vault.

They are stored as JSON and compiled before each run, which checks the names in them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from django.db.models import QuerySet

from ctms.configuration.snapshot import Configuration
from ctms.records.conditions.askers import VaultAsker
from ctms.records.conditions.compiling import compile_conditions
from ctms.records.conditions.matching import limit_records
from ctms.records.conditions.tree import Group
from ctms.records.fields.comparing.operators import PERIODS


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleFilter:
    """The compiled conditions of a rule; without any, it lets all records through.

    Its days are those of UTC, as of when it was compiled.
    """

    group: Group = field(default_factory=Group)
    asker: VaultAsker | None = None

    def __bool__(self) -> bool:
        return bool(self.group)

    def limit(self, records: QuerySet[Any]) -> QuerySet[Any]:
        """Return the records that fulfil the conditions. Takes no statement of its own."""
        return records if self.asker is None else limit_records(records=records, group=self.group, asker=self.asker)

    def as_stored(self) -> list[Any]:
        """Return the conditions as the rule stores them."""
        return self.group.as_stored()

    def list_days(self) -> list[str]:
        """Return the days that relative periods mean now, so that it shows when they mean others."""
        return [str(each.meaning) for each in self.group if each.operator in PERIODS]

    def list_paths(self) -> list[str]:
        """Return attribute paths, such as `site__study`, to the records referred to that the conditions compare."""
        paths: dict[str, None] = {}
        for condition in self.group:
            attributes = [step.reference.attribute for step in condition.subject.steps]
            for length in range(1, len(attributes) + 1):
                paths["__".join(attributes[:length])] = None
        return list(paths)


def compile_filter(*, configuration: Configuration, object_name: str, stored: Sequence[Any]) -> RuleFilter:
    """Check and return the filter of a rule. Raises ConditionError for the first condition that is not valid."""
    asker = VaultAsker(configuration=configuration)
    return RuleFilter(asker=asker, group=compile_conditions(asker=asker, object_name=object_name, stored=stored))
