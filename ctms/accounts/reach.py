"""How far an API token reaches: what of that which its user may do, a program may do with it.

The user of a request that is made with a token has its reach; the policies ask it before anything else. It takes away
and never gives.
"""

from __future__ import annotations

import ipaddress
import json
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from ctms.core.uuids import read_uid


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenReach:
    """Objects by API name and studies by uid; None is all that the user has, an empty set is nothing."""

    token_name: str
    object_names: frozenset[str] | None = None
    study_uids: frozenset[UUID] | None = None

    @property
    def is_narrowed(self) -> bool:
        """Whether the token reaches less than its user."""
        return self.object_names is not None or self.study_uids is not None

    @property
    def key(self) -> str:
        """A text that differs between tokens that reach differently far; empty for one that reaches all."""
        if not self.is_narrowed:
            return ""
        return json.dumps([_list(self.object_names), _list(self.study_uids)])

    def covers_permission(self, permission: str) -> bool:
        """Whether the permission is about an object of the token; areas of the console are about none."""
        return self.object_names is None or permission.partition(":")[0].partition(".")[0] in self.object_names


def read_reach(*, token_name: str, object_names: Any, study_uids: Any) -> TokenReach:
    """Return the reach of a token by what its row has. What cannot be understood reaches nothing."""
    return TokenReach(token_name=token_name, object_names=_read(object_names), study_uids=_read_uids(study_uids))


def is_within(*, address: str, networks: Any) -> bool:
    """Whether an address, empty if it is not known, is in one of the networks; None is every address."""
    if networks is None:
        return True
    try:
        parsed = ipaddress.ip_address(address)
        return any(parsed in ipaddress.ip_network(each) for each in _read(networks) or ())
    except ValueError:
        return False


def _read(stored: Any) -> frozenset[str] | None:
    if stored is None:
        return None
    return frozenset(each for each in stored if isinstance(each, str)) if isinstance(stored, list) else frozenset()


def _read_uids(stored: Any) -> frozenset[UUID] | None:
    texts = _read(stored)
    return None if texts is None else frozenset(uid for text in texts if (uid := read_uid(text)) is not None)


def _list(names: Collection[Any] | None) -> list[str] | None:
    return None if names is None else sorted(str(each) for each in names)
