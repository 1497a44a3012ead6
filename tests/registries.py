"""What the Vault's modules register when it starts: jobs, objects, reports, what follows what.

A test that leaves one otherwise than it found it fails another, whichever runs next in its process: so it fails itself.
"""

from __future__ import annotations

import sys
from collections.abc import Collection, Mapping
from functools import cache
from typing import Any

PACKAGES = ("activities", "connections", "crm_sync", "ctms", "exceptions_log")


@cache
def find_registries() -> Mapping[str, Collection[Any]]:
    """Return the private dictionaries, lists and sets of the Vault's modules by their names, once all are imported."""
    return {
        f"{module_name}.{name}": value
        for module_name, module in sorted(sys.modules.items())
        if module_name.split(".")[0] in PACKAGES
        for name, value in vars(module).items()
        if name.startswith("_") and not name.startswith("__") and type(value) in {dict, list, set}
    }


def read_contents() -> Mapping[str, frozenset[Any]]:
    """Return what each registry has now, by its name: the keys of a dictionary, and what a list or a set has."""
    return {
        name: frozenset(map(id, value)) if isinstance(value, list) else frozenset(value)
        for name, value in find_registries().items()
    }


def list_changed(before: Mapping[str, frozenset[Any]]) -> list[str]:
    """Return a sentence about each registry that has other contents than before."""
    return [
        f"{name} has {_tell(now - before[name])} more and {_tell(before[name] - now)} less than before."
        for name, now in read_contents().items()
        if now != before[name]
    ]


def _tell(contents: Collection[Any]) -> str:
    return ", ".join(sorted(map(str, contents))) or "nothing"
