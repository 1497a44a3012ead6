"""Tell on forms that other systems keep fewer characters of a text field than the Vault. They refuse nothing.

An app registers a function that knows of such systems; it is called once when its app is ready.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from django import forms
from django.forms.boundfield import BoundField
from django.utils.text import get_text_list

from ctms.core.utf16 import measure_text
from ctms.records.access import ObjectAccess


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptLength:
    """The number of UTF-16 units that a system, the `keeper`, keeps of a field."""

    keeper: str
    field_name: str
    length: int


@dataclass(frozen=True, slots=True, kw_only=True)
class LengthNote:
    """The systems that keep one number of units, as a sentence; `left` is negative if the value has too many."""

    sentence: str
    length: int
    left: int

    @property
    def excess(self) -> int:
        """How many units are too many; 0 if none."""
        return max(-self.left, 0)


class KeptTextBoundField(BoundField):
    """A text field of a form, described by the lengths that other systems keep, too."""

    field: KeptTextField

    @property
    def aria_describedby(self) -> str | None:
        kept = f"{self.auto_id}_kept" if self.auto_id and self.field.keepers else ""
        return " ".join(filter(None, (super().aria_describedby, kept))) or None

    @property
    def length_notes(self) -> list[LengthNote]:
        """Return a note for each length, the shortest first."""
        size = measure_text(str(self.value() or "").replace("\r\n", "\n").strip())
        notes = []
        for length, keepers in sorted(self.field.keepers.items()):
            verb = "takes" if len(keepers) == 1 else "take"
            sentence = f"{get_text_list(keepers, 'and')} {verb} {length} characters"
            notes.append(LengthNote(sentence=sentence, length=length, left=length - size))
        return notes


class KeptTextField(forms.CharField):
    """A text field that may tell which other systems (`keepers`, by length) keep fewer characters of it."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.keepers: dict[int, list[str]] = {}

    def get_bound_field(self, form: forms.BaseForm, field_name: str) -> KeptTextBoundField:
        return KeptTextBoundField(form, self, field_name)


ListKeptLengths = Callable[[str, str], Iterable[KeptLength]]

_listers: list[ListKeptLengths] = []


def register_kept_lengths(list_kept: ListKeptLengths) -> None:
    """Register a function that takes API names of an object and an object type; it must run one statement."""
    if list_kept not in _listers:
        _listers.append(list_kept)


def show_kept_lengths(*, fields: Mapping[str, forms.Field], access: ObjectAccess, object_type: str) -> None:
    """Let the text fields of a form tell the lengths that other systems keep."""
    texts = {name: field for name, field in fields.items() if isinstance(field, KeptTextField)}
    if not texts:
        return
    for list_kept in _listers:
        for kept in list_kept(access.shape.api_name, object_type):
            field = texts.get(kept.field_name)
            if field is not None and (field.max_length is None or kept.length < field.max_length):
                field.keepers.setdefault(kept.length, []).append(kept.keeper)
