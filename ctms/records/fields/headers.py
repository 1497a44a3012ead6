"""Which field the header of a column means, and the header that means a field, in files that go out and come in."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable

from ctms.configuration.fields import ObjectField

# Zero-width signs, soft hyphens and byte order marks, which come along when headers are copied.
_INVISIBLE = re.compile("[\u200b-\u200f\u2060\ufeff\u00ad]")


def clean_header(header: str) -> str:
    """Return a header without line breaks, unusual spaces, invisible signs, and the asterisk of a required field."""
    text = _INVISIBLE.sub("", unicodedata.normalize("NFKC", header))
    return " ".join(text.split()).strip("* ")


class FieldHeaders:
    """The headers of an object's fields: a header is an API name, a label, or nearly a label."""

    def __init__(self, fields: Iterable[ObjectField]) -> None:
        self._named: dict[str, ObjectField] = {}
        self._labelled: dict[str, list[ObjectField]] = {}
        self._squeezed: dict[str, list[ObjectField]] = {}
        for field in fields:
            label = clean_header(field.label).casefold()
            self._named[field.api_name.casefold()] = field
            self._labelled.setdefault(label, []).append(field)
            self._squeezed.setdefault(_squeeze(label), []).append(field)

    def list_meant(self, header: str) -> list[ObjectField]:
        """Return the fields that a header can mean: more than one if their labels are too much alike."""
        text = clean_header(header).casefold()
        if not text:
            return []
        if text in self._named:
            return [self._named[text]]
        return self._labelled.get(text) or self._squeezed.get(_squeeze(text), [])

    def write(self, field: ObjectField) -> str:
        """Return the field's label, or its API name where the label means another field, too: `Cost` and `Cost*`."""
        return field.label if self.list_meant(field.label) == [field] else field.api_name


def _squeeze(text: str) -> str:
    """Return the letters and digits of a text, so that “E-mail”, “e mail” and “Email” are the same header."""
    return "".join(sign for sign in text if sign.isalnum()) or text
