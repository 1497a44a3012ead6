"""Finds the records that the cells of a column refer to; looks up each text once, however many rows have it."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping
from typing import Any
from uuid import UUID

from django.core.exceptions import ValidationError
from django.db.models import Model, Q, QuerySet
from django.db.models.functions import Lower

from ctms.configuration.fields import ObjectField
from ctms.core.choices import RecordStatus
from ctms.core.uuids import read_uid
from ctms.records.access import ObjectAccess
from ctms.records.bulk.imports.dialects.zeros import LostZerosError, ZeroAnswer, explain_lost_zeros, list_padded
from ctms.records.fields.references import ReferenceScope, describe_choice, get_target, list_scopes, list_visible

_MOST_KEPT = 20_000


@dataclasses.dataclass(slots=True, kw_only=True)
class ReferenceFinder:
    """Finds visible records for a reference field by UID, external ID, name or e-mail.

    `load` looks up many texts at once; `find` picks the record for one row, limited by the row's other references.
    `zeros` says what becomes of a number that is a name without its leading zeros.
    """

    access: ObjectAccess
    field: ObjectField
    zeros: ZeroAnswer = ZeroAnswer.OPEN
    scopes: list[ReferenceScope] = dataclasses.field(init=False)
    visible: QuerySet[Any] | None = dataclasses.field(init=False)
    _known: dict[str, list[Any]] = dataclasses.field(default_factory=dict, init=False)
    _padded: dict[str, list[Any]] = dataclasses.field(default_factory=dict, init=False)
    _meant: dict[str, str] = dataclasses.field(default_factory=dict, init=False)  # the digits with their zeros

    def __post_init__(self) -> None:
        self.scopes = list_scopes(shape=self.access.shape, field=self.field)
        self.visible = list_visible(access=self.access, field=self.field)
        if self.visible is not None and self.scopes:
            self.visible = self.visible.select_related(*(each.attribute for each in self.scopes))

    @property
    def noun(self) -> str:
        target = get_target(self.field)
        return target.label if target else self.field.label.lower()

    def load(self, texts: Iterable[str]) -> None:
        """Look up the texts that were not looked up yet, in at most four statements."""
        if len(self._known) > _MOST_KEPT:
            self._known.clear()
            self._padded.clear()
            self._meant.clear()
        new = {text for text in texts if text and text not in self._known}
        if not new or self.visible is None:
            return
        self._known |= {text: [] for text in new}
        self._load_uids(new)
        # An external ID, such as the key in another Vault, may look like a UID.
        self._load_exact({text for text in new if not self._known[text]})
        self._load_similar({text for text in new if not self._known[text]})
        self._load_padded({text for text in new if not self._known[text]})

    def list_found(self, text: str) -> list[Any]:
        """Return all visible records that the text may mean."""
        return self._known.get(text) or (self._padded.get(text, []) if self.zeros is ZeroAnswer.RESTORE else [])

    def find(self, text: str, *, chosen: Mapping[str, Any], present: Any = None) -> Any:
        """Return the one record that the text means in a row.

        `chosen` maps API names to the row's other references; `present` is what the record refers to now, and stays
        allowed. Raises ValidationError saying what to write instead.
        """
        found = self.list_found(text)
        for record in found:
            if present is not None and record.pk == present.pk:
                return record
        active = [record for record in found if record.status == RecordStatus.ACTIVE]
        fitting = [record for record in active if self._fits(record=record, chosen=chosen)]
        if len(fitting) == 1:
            return fitting[0]
        if fitting:
            raise ValidationError(self._explain_several(text=text, found=fitting, chosen=chosen))
        if not found and self.zeros is ZeroAnswer.OPEN and self._padded.get(text):
            raise LostZerosError(explain_lost_zeros(text=text, meant=self._meant[text]))
        raise ValidationError(self._explain_none(text=text, found=found, active=active, chosen=chosen))

    def _load_uids(self, texts: set[str]) -> None:
        """Look the texts up as UIDs, of which one may be spelled in several ways."""
        by_uid: dict[UUID, list[str]] = {}
        for text in texts:
            if uid := read_uid(text):
                by_uid.setdefault(uid, []).append(text)
        if not by_uid or self.visible is None:
            return
        for record in self.visible.filter(uid__in=by_uid):
            self._known |= {text: [record] for text in by_uid[record.uid]}

    def _load_exact(self, texts: set[str]) -> None:
        if not texts or self.visible is None:
            return
        described: dict[str, list[str]] = {}
        for text in texts:
            described.setdefault(_cut_description(text), []).append(text)
        matches = Q(external_id__in=texts) | Q(name__in=texts.union(described))
        has_email = self._has_email()
        if has_email:
            matches |= Q(email__in=texts)
        for record in self.visible.filter(matches):
            meant = {record.external_id, record.name, record.email if has_email else None} & texts
            meant |= {text for text in described.get(record.name, ()) if _is_description(record, text)}
            for text in meant:
                self._known[text].append(record)

    def _load_similar(self, texts: set[str]) -> None:
        """Look the texts up as names and e-mails, ignoring case."""
        if not texts or self.visible is None:
            return
        by_text: dict[str, list[str]] = {}
        for text in texts:
            by_text.setdefault(text.lower(), []).append(text)
        matches = Q(lower_name__in=by_text.keys())
        records = self.visible.annotate(lower_name=Lower("name"))
        has_email = self._has_email()
        if has_email:
            records = records.annotate(lower_email=Lower("email"))
            matches |= Q(lower_email__in=by_text.keys())
        for record in records.filter(matches):
            for key in {record.name.lower(), record.email.lower() if has_email else ""} & by_text.keys():
                for text in by_text[key]:
                    self._known[text].append(record)

    def _load_padded(self, texts: set[str]) -> None:
        """Look up names and external IDs of which the texts are the digits without leading zeros."""
        padded: dict[str, list[str]] = {}
        for text in texts:
            for each in list_padded(text):
                padded.setdefault(each, []).append(text)
        if not padded or self.visible is None or self.zeros is ZeroAnswer.KEEP:
            return
        matches = Q(name__in=padded) | Q(external_id__in=padded)
        for record in self.visible.filter(matches, status=RecordStatus.ACTIVE):
            meant = next(each for each in (record.name, record.external_id) if each in padded)
            for text in padded[meant]:
                self._padded.setdefault(text, []).append(record)
                self._meant.setdefault(text, meant)

    def _has_email(self) -> bool:
        model = self.visible.model if self.visible is not None else Model
        return any(each.name == "email" for each in model._meta.concrete_fields)

    def _fits(self, *, record: Any, chosen: Mapping[str, Any]) -> bool:
        for scope in self.scopes:
            parent = chosen.get(scope.parent.api_name)
            own = getattr(record, f"{scope.attribute}_id")
            if parent is not None and own != parent.pk and not (own is None and scope.may_be_empty):
                return False
        return True

    def _explain_several(self, *, text: str, found: list[Any], chosen: Mapping[str, Any]) -> str:
        open_fields = [each.parent.label for each in self.scopes if chosen.get(each.parent.api_name) is None]
        telling = f"add the column {open_fields[0]}, or " if open_fields else ""
        return (
            f"{len(found)} active records of {self.noun} match “{text}”. To say which, {telling}"
            "write its external ID or UID."
        )

    def _explain_none(self, *, text: str, found: list[Any], active: list[Any], chosen: Mapping[str, Any]) -> str:
        if active:
            parent = next(
                each.parent
                for each in self.scopes
                for record in active
                if (other := chosen.get(each.parent.api_name)) is not None
                and getattr(record, f"{each.attribute}_id") != other.pk
            )
            return (
                f"The {self.noun} “{text}” does not belong to {parent.label} {chosen[parent.api_name]}. "
                "Correct one of the two."
            )
        if found:
            return f"The {self.noun} “{text}” is inactive. Activate it first, or name another."
        ways = "name, e-mail, external ID or UID" if self._has_email() else "name, external ID or UID"
        return f"There is no active {self.noun} “{text}” that you can see. Write its exact {ways}."


def _cut_description(text: str) -> str:
    """Return the name in a text that pages show, such as `Petra Person (petra@example.org)` or `0001 · Hospital`."""
    return text.partition(" · ")[0].rpartition(" (")[0] or text.partition(" · ")[0]


def _is_description(record: Any, text: str) -> bool:
    return describe_choice(record).casefold() == text.casefold()
