"""What an answer shows of its records: which fields, and which references as whole records."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from django.http import QueryDict

from ctms.configuration.fields import ObjectField
from ctms.records.access import ObjectAccess, open_related
from ctms.records.api.cursors import EXPAND, FIELDS
from ctms.records.api.serializers import UID, VERSION, show_records
from ctms.records.fields.references import get_target
from ctms.records.fields.values import select_references

_SEPARATOR = ","
ALWAYS = (UID, VERSION)


@dataclass(frozen=True, slots=True, kw_only=True)
class Showing:
    """What is shown of the records that a user sees. `expanded` has the access to the objects of whole references.

    A reference to a record that the user does not see stays a reference.
    """

    access: ObjectAccess
    fields: tuple[ObjectField, ...]
    expanded: Mapping[str, ObjectAccess] = field(default_factory=dict)

    def select(self, records: Any) -> Any:
        """Select what the fields refer to in the statement of the records."""
        return select_references(records=records, fields=self.fields)

    def show(self, records: Sequence[Any]) -> list[dict[str, Any]]:
        """Convert records to JSON. Takes one statement more for each object that is expanded, and custom reference."""
        names = {each.api_name for each in self.fields}
        shown = show_records(records=records, access=self.access, names=names)
        for opened, expanded in self._list_targets():
            uids = {uid for row in shown for name in expanded if row[name] and (uid := row[name][UID])}
            found = _show_whole(access=opened, uids=uids)
            for row in shown:
                row.update({name: found.get(row[name][UID], row[name]) for name in expanded if row[name]})
        return shown

    def _list_targets(self) -> Iterator[tuple[ObjectAccess, list[str]]]:
        """Yield each object that is expanded once, with the names of the references to it."""
        names: dict[str, list[str]] = {}
        for name, opened in self.expanded.items():
            names.setdefault(opened.shape.api_name, []).append(name)
        for together in names.values():
            yield self.expanded[together[0]], together


def show_all(access: ObjectAccess) -> Showing:
    """Return the showing of all fields, in which references are uid and name."""
    return Showing(access=access, fields=tuple(access.shape.fields.values()))


def read_showing(*, access: ObjectAccess, parameters: QueryDict, problems: dict[str, list[str]]) -> Showing:
    """Return what the parameters `fields` and `expand` ask for. What is wrong with them is added to `problems`."""
    known = access.shape.fields
    asked = _split(parameters.get(FIELDS, ""))
    unknown = [name for name in asked if name not in known and name not in ALWAYS]
    if unknown:
        problems[FIELDS] = [f"{access.vault_object.title} has no field {', '.join(unknown)}. Leave it out."]
    names = [name for name in known if name in asked or name in ALWAYS] if FIELDS in parameters else list(known)
    expandable = list_expandable(access)
    expanded = {}
    for name in _split(parameters.get(EXPAND, "")):
        if name not in expandable:
            these = f"Expand {', '.join(expandable)}" if expandable else "Nothing here can be expanded"
            problems[EXPAND] = [f"{name!r} is no reference to records that you may read. {these}."]
        elif name not in names:
            problems[EXPAND] = [f"{name!r} is not among the fields that you ask for. Name it in {FIELDS} as well."]
        else:
            expanded[name] = expandable[name]
    return Showing(access=access, fields=tuple(known[name] for name in names), expanded=expanded)


def list_expandable(access: ObjectAccess) -> dict[str, ObjectAccess]:
    """Return the references that the user can have as whole records, with the access to their objects."""
    found = {}
    for name, each in access.shape.fields.items():
        target = get_target(each)
        opened = open_related(access=access, object_name=target.api_name) if target is not None else None
        if opened is not None:
            found[name] = opened
    return found


def _show_whole(*, access: ObjectAccess, uids: set[str]) -> dict[str, dict[str, Any]]:
    """Return those of the records that the user sees, with all their fields, by uid."""
    if not uids:
        return {}
    showing = show_all(access)
    found = list(showing.select(access.list_records()).filter(uid__in=uids).order_by())
    return {row[UID]: row for row in showing.show(found)}


def _split(text: str) -> list[str]:
    return [name.strip() for name in text.split(_SEPARATOR)] if text else []
