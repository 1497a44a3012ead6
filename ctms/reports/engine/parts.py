"""The objects that a report is about, as one user sees them: the primary one and, at most, one related child."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from django.db.models import ForeignKey, QuerySet

from ctms.configuration.fields import ObjectField
from ctms.configuration.snapshot import ObjectShape
from ctms.records.access import ObjectAccess
from ctms.records.conditions.askers import UserAsker
from ctms.records.conditions.compiling import MOST_CONDITIONS, Compiler, count_stored
from ctms.records.conditions.matching import limit_records
from ctms.records.conditions.tree import Group
from ctms.records.fields.references import get_target
from ctms.reports.definition import RELATED_MARK
from ctms.reports.errors import Problem
from ctms.reports.sources import ReportConfiguration, find_source


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportAsker(UserAsker):
    """A user who asks for a report. Objects of the set-up are compared, too, if the user may read them.

    The last day of a moment is the last 24 hours, not yesterday and today.
    """

    counts_hours: bool = True

    def find_target(self, reference: ObjectField) -> ObjectShape | None:
        target = get_target(reference)
        opened = self._find(target.api_name) if target is not None else None
        return opened.shape if opened is not None else None

    def list_records(self, shape: ObjectShape) -> QuerySet[Any]:
        opened = self._find(shape.api_name)
        return opened.list_records().order_by() if opened else shape.vault_object.model._default_manager.none()

    def _find(self, object_name: str) -> ObjectAccess | None:
        configuration = self.access.configuration
        if not isinstance(configuration, ReportConfiguration):
            raise TypeError("A report asks with the configuration of reports.")
        return find_source(user=self.access.user, object_name=object_name, configuration=configuration)


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """One object of a report. `mark` stands before the names of its columns; it is empty for the primary object."""

    access: ObjectAccess
    asker: ReportAsker
    mark: str = ""

    @property
    def shape(self) -> ObjectShape:
        return self.access.shape

    @property
    def label(self) -> str:
        return self.access.vault_object.title

    @property
    def filters_part(self) -> str:
        """Return which part of a report holds the conditions on this object."""
        return "related_filters" if self.mark else "filters"

    def compile(self, stored: Sequence[Any]) -> tuple[Group, list[Problem]]:
        """Return the conditions on this object, and what is wrong with them."""
        compiler = Compiler(asker=self.asker, object_name=self.shape.api_name)
        group = compiler.compile_group(stored=stored)
        texts = [str(each) for each in compiler.problems]
        if count_stored(stored) > MOST_CONDITIONS:
            texts.append(f"A filter has at most {MOST_CONDITIONS} conditions. Remove some.")
        return group, [Problem(part=self.filters_part, text=each) for each in texts]

    def limit(self, groups: Iterable[Group]) -> QuerySet[Any]:
        """Return the records that the user sees and that fulfil all of these conditions."""
        records = self.access.list_records().order_by()
        for group in groups:
            records = limit_records(records=records, group=group, asker=self.asker)
        return records


def open_part(*, access: ObjectAccess, is_related: bool = False) -> Part:
    """Return an object of a report."""
    mark = f"{access.shape.api_name}{RELATED_MARK}" if is_related else ""
    return Part(access=access, asker=ReportAsker(access=access), mark=mark)


def find_way(*, related: ObjectShape, reference: str) -> str:
    """Return the look-up from the primary object to the related records; empty if the reference leads to none."""
    field = related.fields.get(reference)
    if field is None or field.is_custom or field.is_computed:
        return ""
    found = related.vault_object.model._meta.get_field(field.attribute)
    if not isinstance(found, ForeignKey) or found.remote_field.hidden:
        return ""
    return str(found.related_query_name())
