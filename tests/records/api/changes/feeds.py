"""A reader of the changes feed, as tests follow it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

from ctms.accounts.models import User
from ctms.audit.services import save_record
from tests.factories.base import build_admin_actor
from tests.records.api.conftest import Caller


@dataclass(kw_only=True)
class Reader:
    """Follows the feed of an object, keeps the bookmark, and what it knows: the records by uid."""

    caller: Caller
    object_name: str
    bookmark: str = ""
    known: dict[str, Any] = field(default_factory=dict)

    def ask(self, **parameters: Any) -> Any:
        since = {"since": self.bookmark} if self.bookmark else {}
        return self.caller.get(f"{self.object_name}/changes/", **since, **parameters)

    def read_page(self, **parameters: Any) -> dict[str, Any]:
        """Ask for the next page, and remember the bookmark."""
        response = self.ask(**parameters)
        assert response.status_code == 200, response.json()
        page: dict[str, Any] = response.json()
        self.bookmark = page["bookmark"]
        return page

    def follow(self, **parameters: Any) -> dict[str, str]:
        """Ask until there is no more; return what is told, as uid → change, or "reset" → "" and what is present."""
        told: dict[str, str] = {}
        has_more = True
        while has_more:
            page = self.read_page(**parameters)
            if page["reset"]:
                told = {"reset": ""}
                self.known = {}
            for each in page["results"]:
                assert each["uid__sys"] not in told
                told[each["uid__sys"]] = each["change"]
                if each["record"] is None:
                    self.known.pop(each["uid__sys"], None)
                else:
                    assert each["record"]["uid__sys"] == each["uid__sys"]
                    self.known[each["uid__sys"]] = each["record"]
            has_more = page["more"]
        return told

    def list_seen(self) -> dict[str, Any]:
        """The records of the object's list, by uid."""
        page = self.caller.get(f"{self.object_name}/", size=200).json()
        assert page["next"] is None
        return {each["uid__sys"]: each for each in page["results"]}


def build_reader(caller: Caller, object_name: str) -> Reader:
    """A reader who was told all records."""
    reader = Reader(caller=caller, object_name=object_name)
    reader.follow()
    return reader


def change(record: Any, **values: Any) -> None:
    """Change a record as an admin does."""
    record.refresh_from_db()
    for name, value in values.items():
        setattr(record, name, value)
    assert save_record(record=record, actor=build_admin_actor(), validate=False)


def touch(record: Any) -> None:
    """Change a field of a record by which nobody sees it or not."""
    change(record, external_id=f"T-{uuid4().hex}")


def get_actor_name() -> str:
    user: User = build_admin_actor().user
    return str(user)
