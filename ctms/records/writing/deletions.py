"""Links to the records that are deleted along with a record, or that prevent its deletion."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode

from django.db.models import QuerySet
from django.urls import reverse

from ctms.configuration.registry import list_referring_fields
from ctms.core.text.titles import capitalise
from ctms.records.access import ObjectAccess, open_related
from ctms.records.fields.custom_references import list_custom_references
from ctms.records.fields.expressions import name_value


@dataclass(frozen=True, slots=True, kw_only=True)
class DependantLink:
    """A link to the list of dependants that refer to the record with one field."""

    label: str
    url: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Dependants:
    """Rows of one kind that refer to a record; `hidden` of them are not visible to the user.

    There are no links if the rows have no list, or none that the user may read.
    """

    label: str
    count: int
    hidden: int
    links: list[DependantLink]


def list_going_along(*, access: ObjectAccess, record: Any, counts: Mapping[str, int]) -> list[Dependants]:
    """Return what a deletion takes along, given by plural label, each with links to lists of the records.

    All of it is counted: the user is about to delete it.
    """
    found = _find_visible(access=access, record=record, labels=counts)
    return [
        Dependants(
            label=capitalise(label),
            count=count,
            hidden=max(0, count - found[label].count_all(of=count)) if label in found else 0,
            links=found[label].links if label in found else [],
        )
        for label, count in sorted(counts.items())
    ]


def list_protecting(*, access: ObjectAccess, record: Any, counts: Mapping[str, int]) -> list[Dependants]:
    """Return what prevents a deletion, given by plural label, as far as the user sees it; nothing tells of the rest."""
    found = _find_visible(access=access, record=record, labels=counts)
    return [
        Dependants(label=capitalise(label), count=visible, hidden=0, links=found[label].links)
        for label, count in sorted(counts.items())
        if label in found and (visible := found[label].count_all(of=count))
    ]


@dataclass(slots=True, kw_only=True)
class _Visible:
    """The records of one kind that the user sees and that refer to a record, a query set for each field."""

    links: list[DependantLink] = field(default_factory=list)
    records: list[QuerySet[Any]] = field(default_factory=list)
    is_limited: bool = False

    def count_all(self, *, of: int) -> int:
        """Return how many the user sees; without a statement for a user who sees all of them."""
        return sum(each.count() for each in self.records) if self.is_limited else of


def _find_visible(*, access: ObjectAccess, record: Any, labels: Collection[str]) -> dict[str, _Visible]:
    """Return by plural label what the user sees of the kinds that the user may read."""
    visible: dict[str, _Visible] = {}
    referring = [
        *list_referring_fields(access.vault_object),
        *list_custom_references(configuration=access.configuration, model=type(record)),
    ]
    for other, each in referring:
        if other.plural_label not in labels:
            continue
        opened = open_related(access=access, object_name=other.api_name)
        if opened is None:
            continue
        found = visible.setdefault(other.plural_label, _Visible())
        address = reverse("record_list", args=(other.api_name,))
        if each.api_name in opened.shape.fields:  # no list is filtered by an inactive field
            url = f"{address}?{urlencode({each.api_name: record.uid})}"
            found.links.append(DependantLink(label=each.label, url=url))
        records = opened.list_records()
        found.is_limited |= bool(records.query.where)
        named, name = name_value(records=records, field=each)
        found.records.append(named.filter(**{name: str(record.uid) if each.is_custom else record}))
    return visible
