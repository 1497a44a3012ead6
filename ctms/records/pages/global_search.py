"""Search in all objects that the user may read; returns the first matches of each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from django.urls import reverse
from django.utils.html import format_html_join
from django.utils.safestring import SafeString

from ctms.accounts.models import User
from ctms.configuration.fields import ObjectField
from ctms.configuration.registry import VaultObject, list_record_objects
from ctms.configuration.snapshot import load_configuration
from ctms.core.text.folding import find_folded
from ctms.records.access import AccessRefusedError, ObjectAccess, open_object
from ctms.records.addresses import get_record_url
from ctms.records.fields.references import describe_choice
from ctms.records.fields.shown_value import ShownValue
from ctms.records.fields.users import names_user
from ctms.records.fields.values import ValueReader, select_references
from ctms.records.lists.autocomplete import find_matching
from ctms.records.lists.order.keyset_pagination import Sort
from ctms.records.lists.query import QUERY
from ctms.records.lists.search import split_joined, split_words

MOST_SHOWN = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """A record that was found, with the words marked. `badge` is its state, if the object's page header shows one."""

    label: SafeString
    detail: SafeString
    url: str
    badge: ShownValue | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ResultGroup:
    """Results of one object. `more_url` is the list of all of them; empty if there are no more."""

    vault_object: VaultObject
    results: list[Result]
    more_url: str


def search_objects(*, user: User, query: str) -> list[ResultGroup]:
    """Return the first matches of each object that has any, in the order of the tabs.

    The number of statements depends on the number of objects and words, not on the results.
    """
    configuration = load_configuration()
    groups = []
    for vault_object in list_record_objects():
        try:
            access = open_object(user=user, object_name=vault_object.api_name, configuration=configuration)
        except AccessRefusedError:
            continue
        if group := _search_object(access=access, query=query):
            groups.append(group)
    return groups


def _search_object(*, access: ObjectAccess, query: str) -> ResultGroup | None:
    shape, vault_object = access.shape, access.vault_object
    fields = [shape.fields[name] for name in _list_shown_names(vault_object) if name in shape.fields]
    sort = vault_object.default_sort
    found = find_matching(
        access=access,
        records=select_references(records=access.list_records(), fields=fields),
        vault_object=vault_object,
        query=query,
        limit=MOST_SHOWN + 1,
        sort=Sort(field=shape.fields.get(sort.removeprefix("-")), descending=sort.startswith("-")),
    )
    if not found:
        return None
    shown, words = found[:MOST_SHOWN], query.split()
    reader = ValueReader(access=access).load(records=shown, fields=fields)
    list_url = f"{reverse('record_list', args=(vault_object.api_name,))}?{urlencode({QUERY: query})}"
    return ResultGroup(
        vault_object=vault_object,
        results=[_build_result(record=each, reader=reader, fields=fields, words=words) for each in shown],
        more_url=list_url if len(found) > MOST_SHOWN else "",
    )


def _list_shown_names(vault_object: VaultObject) -> list[str]:
    """Return the searched fields of the object itself, and those in the header of its page."""
    own = [path for path in vault_object.search_fields if "." not in path and path != "name__v"]
    # The name of an owner, without a label, would be taken for that of somebody who took part.
    told = [name for name in vault_object.header_fields if not names_user(vault_object.get_field(name))]
    return list(dict.fromkeys([*own, *told]))


def _build_result(*, record: Any, reader: ValueReader, fields: Sequence[ObjectField], words: list[str]) -> Result:
    label = describe_choice(record)
    shown = [reader.show(record=record, field=each) for each in fields]
    texts = [each.text for each in shown if each.text and not each.tone and each.text not in label]
    return Result(
        label=mark_words(text=label, words=words),
        detail=mark_words(text=" · ".join(texts), words=words),
        url=get_record_url(record),
        badge=next((each for each in shown if each.tone), None),
    )


def mark_words(*, text: str, words: list[str]) -> SafeString:
    """Mark each of the words in the text, ignoring accents and case; short ones only at the beginning of a word."""
    query = " ".join(words)
    found = sorted(
        span
        for word in dict.fromkeys([*split_words(query), *split_joined(query)])
        for span in find_folded(text=text, word=word)
    )
    marked, end = [], 0
    for start, stop in found:
        if start >= end:
            marked += [("", text[end:start], ""), (SafeString("<mark>"), text[start:stop], SafeString("</mark>"))]
            end = stop
    return format_html_join("", "{}{}{}", [*marked, ("", text[end:], "")])
