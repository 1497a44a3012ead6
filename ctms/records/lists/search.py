"""Search in the fields that an object declares: each word must be in one of them, whatever its accents and case.

A word of one letter or two must begin a word of the field. See docs/decisions/0060-texts-as-people-see-them.md.
"""

from __future__ import annotations

from typing import Any

from django.db.models import Q, QuerySet

from ctms.configuration.registry import VaultObject, get_object_of_model, resolve_path
from ctms.core.lookups import build_among
from ctms.core.text.expressions import FoldedBeginsWord, FoldedContains
from ctms.core.text.folding import fold_text, is_short
from ctms.records.access import ObjectAccess, open_related

MOST_WORDS = 6
# At most so many matches among the records referred to are looked up first, so that the statement on the large table
# can use its indexes. If there are more, records that refer to them are frequent, and found quickly anyway.
MOST_REFERENCED = 5000


def search_records(
    *, access: ObjectAccess, records: QuerySet[Any], vault_object: VaultObject, query: str
) -> QuerySet[Any]:
    """Return the records for which `build_search` holds."""
    return records.filter(build_search(access=access, vault_object=vault_object, query=query))


def build_search(*, access: ObjectAccess, vault_object: VaultObject, query: str) -> Q:
    """Return the condition that a record has each word of the query in one of the object's search fields.

    Of the records referred to, only those that the user sees are searched. Of a long query, only the first words count.
    Words of digits are also looked for as one number, as of a phone: `+49 30 123`.
    """
    words, joined = split_words(query), split_joined(query)
    every = Q(*(_match(access=access, vault_object=vault_object, word=word) for word in words))
    if joined != words:
        every |= Q(*(_match(access=access, vault_object=vault_object, word=word) for word in joined))
    return every if words else Q()


def split_words(query: str) -> list[str]:
    """Return the first words of a query, folded."""
    return [folded for word in query.split()[:MOST_WORDS] if (folded := fold_text(word))]


def split_joined(query: str) -> list[str]:
    """Return the first words of a query, folded, groups of digits joined to one word."""
    return (fold_text(" ".join(query.split()[:MOST_WORDS])) or "").split()


def _match(*, access: ObjectAccess, vault_object: VaultObject, word: str) -> Q:
    """Return the condition that a word is in a field. Records referred to come first: keys are compared quickly."""
    lookup = FoldedBeginsWord.lookup_name if is_short(word) else FoldedContains.lookup_name
    own, condition = Q(), Q()
    referenced: dict[str, Q] = {}
    for path in vault_object.search_fields:
        steps, end = resolve_path(vault_object=vault_object, path=path)
        if not steps:
            own |= Q(**{f"{end.attribute}__{lookup}": word})
        else:
            inner = "__".join([*(step.attribute for step in steps[1:]), end.attribute])
            attribute = steps[0].attribute
            referenced[attribute] = referenced.get(attribute, Q()) | Q(**{f"{inner}__{lookup}": word})
    for attribute, inner_condition in referenced.items():
        referenced_model: Any = vault_object.model._meta.get_field(attribute).related_model
        target = get_object_of_model(referenced_model)
        opened = open_related(access=access, object_name=target.api_name) if target else None
        if opened is not None:
            condition |= _match_reference(attribute=attribute, visible=opened.list_records(), condition=inner_condition)
    return condition | own


def _match_reference(*, attribute: str, visible: QuerySet[Any], condition: Q) -> Q:
    matching = visible.order_by().filter(condition).values_list("pk", flat=True)
    found = list(matching[: MOST_REFERENCED + 1])
    if len(found) <= MOST_REFERENCED:
        return build_among(attribute, found)
    return Q(**{f"{attribute}__in": matching})
