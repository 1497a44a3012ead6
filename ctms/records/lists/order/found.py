"""What a search found among many records, read without finding all of it first."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.db.models import BooleanField, ExpressionWrapper, Q, QuerySet

from ctms.core.lookups import AmongManyKeys

# Of so many matches of a search all keys are read.
MOST_FOUND = 10_000
# So many records are looked at in the order of the list, one after the other, before all matches are looked up.
LOOKED_AT = (250, 2_000)


@dataclass(frozen=True, slots=True, kw_only=True)
class ManyFound:
    """The many records among others for which the condition of a search holds.

    A page of them is often among the first records of the list. A database that was asked for it would either find all
    of them first, or fold the texts of any number of records on the way.
    """

    condition: Q

    def read_first(self, *, ordered: QuerySet[Any], names: list[str], most: int) -> list[tuple[Any, ...]]:
        """Return the primary key and the named values of the first records found, `most` of them if there are so many.

        `ordered` are the records searched among, in an order that an index gives.
        """
        is_found = ExpressionWrapper(self.condition, output_field=BooleanField())
        judged = ordered.annotate(is_found=is_found).values_list("pk", *names, "is_found")
        for number in LOOKED_AT:
            rows = list(judged[:number])
            found = [row[:-1] for row in rows if row[-1]]
            if len(found) >= most or len(rows) < number:
                return found[:most]
        matching = ordered.filter(self.condition)
        keys = _read_keys(matching)
        if len(keys) <= MOST_FOUND:
            matching = ordered.filter(_build_among(keys))
        return list(matching.values_list("pk", *names)[:most])


def narrow(found: QuerySet[Any]) -> QuerySet[Any]:
    """Return what a search found, in no order; chosen by primary key unless there are more than 10,000.

    A database that estimates many of them would read the whole table in the order of the list to find them, and fold
    the texts of all that it meets.
    """
    keys = _read_keys(found)
    return found if len(keys) > MOST_FOUND else select_keys(records=found, keys=keys)


def select_keys(*, records: QuerySet[Any], keys: list[int]) -> QuerySet[Any]:
    """Return all of `records` by their primary keys, without asking anew what holds for them."""
    chosen: QuerySet[Any] = records.model._default_manager.filter(_build_among(keys))
    return chosen


def _read_keys(found: QuerySet[Any]) -> list[int]:
    return list(found.order_by().values_list("pk", flat=True)[: MOST_FOUND + 1])


def _build_among(keys: list[int]) -> Q:
    return Q(**{f"pk__{AmongManyKeys.lookup_name}": keys})
