"""Search over the fields that an object declares: every word has to be found in one of them."""

from __future__ import annotations

from typing import Any

from django.db.models import Q, QuerySet

from ctms.configuration.registry import VaultObject, get_object_of_model, resolve_path
from ctms.records.access import ObjectAccess, open_related

MOST_WORDS = 6
# So many matches among the records referred to are looked up first: then the statement on the large table uses its own
# indexes. Where there are more, what refers to them is frequent, and found soon without.
MOST_REFERENCED = 500


def search_records(
    *, access: ObjectAccess, records: QuerySet[Any], vault_object: VaultObject, query: str
) -> QuerySet[Any]:
    """The records in which each word of the query stands in one of the object's search fields, whatever its case.

    Of records referred to those count that the user sees. Of a very long query the first words count.
    """
    for word in query.split()[:MOST_WORDS]:
        records = records.filter(_match(access=access, vault_object=vault_object, word=word))
    return records


def _match(*, access: ObjectAccess, vault_object: VaultObject, word: str) -> Q:
    condition = Q()
    referenced: dict[str, Q] = {}
    for path in vault_object.search_fields:
        steps, end = resolve_path(vault_object=vault_object, path=path)
        if not steps:
            condition |= Q(**{f"{end.attribute}__icontains": word})
        else:
            inner = "__".join([*(step.attribute for step in steps[1:]), end.attribute])
            attribute = steps[0].attribute
            referenced[attribute] = referenced.get(attribute, Q()) | Q(**{f"{inner}__icontains": word})
    for attribute, inner_condition in referenced.items():
        referenced_model: Any = vault_object.model._meta.get_field(attribute).related_model
        target = get_object_of_model(referenced_model)
        opened = open_related(access=access, object_name=target.api_name) if target else None
        if opened is not None:
            condition |= _match_reference(attribute=attribute, visible=opened.list_records(), condition=inner_condition)
    return condition


def _match_reference(*, attribute: str, visible: QuerySet[Any], condition: Q) -> Q:
    matching = visible.order_by().filter(condition).values_list("pk", flat=True)
    found = list(matching[: MOST_REFERENCED + 1])
    return Q(**{f"{attribute}__in": found if len(found) <= MOST_REFERENCED else matching})
