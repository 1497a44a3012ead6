"""Databases as Django's settings describe them, and work on another one than the Vault's own."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from copy import deepcopy
from typing import TYPE_CHECKING, Any, TypeVar

from django.db import DEFAULT_DB_ALIAS, connection, connections
from django.db.utils import load_backend

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

ValueT = TypeVar("ValueT")


def get_own_database() -> dict[str, Any]:
    """Return the settings of the Vault's database, as they are in force (a test's database has another name)."""
    return _without_pool(connection.settings_dict)


def name_database(values: Mapping[str, Any], *, name: str) -> dict[str, Any]:
    """Return the settings of another database of the same server, or of another file."""
    return {**_without_pool(values), "NAME": name}


def run_on(values: Mapping[str, Any], work: Callable[[], ValueT]) -> ValueT:
    """Call `work` with the ORM on another database, in a thread of its own, whose connections are no other thread's."""

    def run() -> ValueT:
        wrapper = load_backend(values["ENGINE"]).DatabaseWrapper(_without_pool(values), DEFAULT_DB_ALIAS)
        connections[DEFAULT_DB_ALIAS] = wrapper
        try:
            return work()
        finally:
            wrapper.close()

    with ThreadPoolExecutor(max_workers=1) as executor:
        return executor.submit(run).result()


def is_postgresql(values: Mapping[str, Any]) -> bool:
    """Whether the settings are of PostgreSQL; otherwise of SQLite."""
    return "postgresql" in str(values["ENGINE"])


def _without_pool(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return a copy of the settings for connections that end with the work."""
    copied = {key: deepcopy(value) for key, value in values.items() if key != "OPTIONS"}
    copied["OPTIONS"] = {key: value for key, value in values.get("OPTIONS", {}).items() if key != "pool"}
    copied["CONN_MAX_AGE"] = 0
    return copied
