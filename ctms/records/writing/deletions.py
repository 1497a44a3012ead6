"""Links to the records that are deleted along with a record, or that prevent its deletion."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from django.db.models import QuerySet
from django.urls import reverse
from django.utils.text import capfirst

from ctms.configuration.registry import list_referring_fields
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


def list_dependants(*, access: ObjectAccess, record: Any, counts: Mapping[str, int]) -> list[Dependants]:
    """Return the counts of a deletion plan, given by plural label, each with links to lists of the records.

    Runs one statement for each field that refers to the record from an object whose records the user sees only in part.
    """
    links: dict[str, list[DependantLink]] = {}
    visible: dict[str, list[QuerySet[Any]]] = {}
    limited: defaultdict[str, bool] = defaultdict(bool)
    referring = [
        *list_referring_fields(access.vault_object),
        *list_custom_references(configuration=access.configuration, model=type(record)),
    ]
    for other, field in referring:
        if other.plural_label not in counts:
            continue
        opened = open_related(access=access, object_name=other.api_name)
        if opened is None:
            continue
        address = reverse("record_list", args=(other.api_name,))
        url = f"{address}?{urlencode({field.api_name: record.uid})}"
        if field.api_name in opened.shape.fields:  # no list is filtered by an inactive field
            links.setdefault(other.plural_label, []).append(DependantLink(label=field.label, url=url))
        records = opened.list_records()
        limited[other.plural_label] |= bool(records.query.where)
        named, name = name_value(records=records, field=field)
        value = str(record.uid) if field.is_custom else record
        visible.setdefault(other.plural_label, []).append(named.filter(**{name: value}))
    return [
        Dependants(
            label=str(capfirst(label)),
            count=count,
            hidden=max(0, count - sum(each.count() for each in visible[label])) if limited[label] else 0,
            links=links.get(label, []),
        )
        for label, count in sorted(counts.items())
    ]
