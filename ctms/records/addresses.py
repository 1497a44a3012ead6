"""Addresses of the pages of objects and records; each is looked up once, because a page links hundreds of records."""

from __future__ import annotations

import functools
from typing import Any
from uuid import UUID

from django.urls import reverse

# Stands for the uid of a record in an address that is kept.
_ANY = UUID(int=0)


@functools.lru_cache(maxsize=4096)
def get_object_url(page: str, object_name: str, *names: str) -> str:
    """Return the URL of a page of an object, such as "record_list", or of one of its fields: `names`."""
    return reverse(page, args=(object_name, *names))


def build_record_url(*, page: str, object_name: str, uid: UUID, name: str = "") -> str:
    """Return the URL of a page of a record, such as "record_edit"; `name` is that of a field or an action."""
    return _get_pattern(page, object_name, name).replace(str(_ANY), str(uid))


def get_record_url(record: Any) -> str:
    """Return the URL of a record's page."""
    return f"{get_object_url('record_list', record.object_name)}{record.uid}/"


@functools.lru_cache(maxsize=4096)
def _get_pattern(page: str, object_name: str, name: str) -> str:
    return reverse(page, args=(object_name, _ANY, name) if name else (object_name, _ANY))
