"""Finds the record that the parameters of an address name: `?external_id__v=HCP-000688`.

A field of a record referred to stands behind a full stop: `?study__v.name__v=S-1&name__v=101` is the key
`{"study__v": {"name__v": "S-1"}, "name__v": "101"}` of a site.
"""

from __future__ import annotations

from typing import Any

from django.core.exceptions import NON_FIELD_ERRORS
from django.db.models import QuerySet
from django.http import Http404, QueryDict

from ctms.records.access import ObjectAccess
from ctms.records.api.conflicts import build_merged
from ctms.records.api.errors import AMBIGUOUS, ConflictError
from ctms.records.api.keys import UID, AmbiguousKeyError, InvalidKeyError, KeyFinder, build_key_finder, list_keys
from ctms.records.fields.kinds.reference import read_reference
from ctms.records.lists.query import InvalidListError
from ctms.records.merging.redirects import find_winner

_SEPARATOR = "."


def list_key_parameters(access: ObjectAccess) -> list[str]:
    """Return the names of the parameters that keys of an object are made of, those of records referred to included."""
    names = []
    for name in dict.fromkeys(name for key in list_keys(access.shape) for name in key):
        field = access.shape.fields[name]
        finder = build_key_finder(access=access, field=field) if field.reference is not None else None
        if field.reference is None or finder is not None:
            names.append(name)
        if finder is not None:
            names += [f"{name}{_SEPARATOR}{each}" for each in list_key_parameters(finder.access)]
    return names


def find_by_key(*, access: ObjectAccess, records: QuerySet[Any], parameters: QueryDict) -> Any:
    """Return the one of `records`, which the user sees, that has the key.

    Raises InvalidListError for parameters that are no key, Http404, and ConflictError if several records have the key;
    MergedError if it is the uid of a record that was merged into another.
    """
    key = _read_key(access=access, parameters=parameters)
    try:
        record = KeyFinder(access=access, records=records).find(key)
    except InvalidKeyError as error:
        raise InvalidListError({NON_FIELD_ERRORS: [str(error)]}) from error
    except AmbiguousKeyError as error:
        raise ConflictError(str(error), code=AMBIGUOUS) from error
    if record is not None:
        return record
    uid = read_reference(key.get(UID))
    if uid is not None and (winner := find_winner(access=access, uid=uid)) is not None:
        raise build_merged(access=access, winner=winner)
    raise Http404(f"There is no {access.vault_object.label} of this key, or it is not visible to you.")


def _read_key(*, access: ObjectAccess, parameters: QueryDict) -> dict[str, Any]:
    """Return the key, valid or not, that the parameters are. Raises InvalidListError for what is part of none."""
    known = set(list_key_parameters(access))
    problems = {}
    for name in parameters:
        if name not in known:
            problems[name] = ["This is no part of a key. Leave it out."]
        elif len(parameters.getlist(name)) > 1:
            problems[name] = ["This is given more than once. Give it once."]
        elif any(each.startswith(f"{name}{_SEPARATOR}") for each in parameters):
            problems[name] = ["A field of the same record is given as well. Give one of the two."]
    if problems:
        raise InvalidListError(problems)
    key: dict[str, Any] = {}
    for name, value in parameters.items():
        *path, last = name.split(_SEPARATOR)
        place = key
        for step in path:
            place = place.setdefault(step, {})
        place[last] = value
    return key
