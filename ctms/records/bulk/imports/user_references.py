"""Finds the users whom the cells of a column name."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from django.core.exceptions import ValidationError

from ctms.accounts.models import User
from ctms.core.uuids import read_uid
from ctms.records.bulk.imports.references import ReferenceFinder
from ctms.records.fields.users import list_meanings, list_users


class UserFinder(ReferenceFinder):
    """Finds users by UID, user name, e-mail address or full name.

    Whether they see the study is checked with the row.
    """

    _users: dict[str, list[User]] | None = None
    _by_uid: Mapping[Any, User] = {}

    def load(self, texts: Iterable[str]) -> None:
        """Read all users who may be chosen, once: they are few."""
        if self._users is not None or not any(texts):
            return
        self._users = {}
        users = list(list_users())
        self._by_uid = {user.uid: user for user in users}
        for user in users:
            for text in list_meanings(user):
                self._users.setdefault(text, []).append(user)

    def list_found(self, text: str) -> list[Any]:
        uid = read_uid(text)
        found = self._by_uid.get(uid) if uid is not None else None
        return [found] if found is not None else (self._users or {}).get(text.casefold(), [])

    def find(self, text: str, *, chosen: Mapping[str, Any], present: Any = None) -> Any:
        del chosen
        if present is not None and text.casefold() in list_meanings(present):
            return present
        found = self.list_found(text)
        if len(found) == 1:
            return found[0]
        if found:
            raise ValidationError(f"{len(found)} active users match “{text}”. Write the user name or e-mail address.")
        raise ValidationError(f"There is no active user “{text}”. Write the user name, e-mail address or full name.")
