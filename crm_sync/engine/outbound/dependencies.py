"""A number that changes when a related record changes on which a record's payload depends."""

from __future__ import annotations

from itertools import cycle
from typing import TYPE_CHECKING, Any

from django.db.models import QuerySet, Value
from django.db.models.functions import Coalesce

if TYPE_CHECKING:
    from django.db import models

    from crm_sync.engine.rules.compiled import CompiledIntegration

# Large primes, so that a change of a key is not cancelled out by a change of a version in the sum.
_WEIGHTS = (1_000_003, 2_718_281, 3_141_601, 5_772_157, 8_314_487)


def annotate_dependencies(plan: CompiledIntegration) -> QuerySet[Any]:
    """Return all records with `dependency_sum`."""
    model: type[models.Model] = plan.vault_object.model
    return model._base_manager.annotate(dependency_sum=build_dependency_sum(plan))


def build_dependency_sum(plan: CompiledIntegration) -> Any:
    """Return the number as an expression.

    It adds the versions of these records. Where one of them is reached through another, its key is added too, with a
    weight: if the reference moved to a record with a lower version, the sum of versions alone could stay the same.
    """
    total: Any = Value(0)
    farther = cycle(_WEIGHTS)
    for path in plan.dependencies:
        total = total + Coalesce(path.follow("version"), Value(0))
        if path.is_farther:
            total = total + Coalesce(path.follow_key(), Value(0)) * Value(next(farther))
    return total
