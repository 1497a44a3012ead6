"""Model fields of texts with a meaning, by which pages show them: phone numbers, countries and languages.

In the database they are texts, and migrations know them as such.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.db import models

if TYPE_CHECKING:
    from collections.abc import Sequence

    _CharField = models.CharField[Any, Any]
else:
    _CharField = models.CharField


class MeantTextField(_CharField):
    """A text that migrations take for a `CharField`."""

    def deconstruct(self) -> tuple[str, str, Sequence[Any], dict[str, Any]]:
        name, _, arguments, options = super().deconstruct()
        return name, "django.db.models.CharField", arguments, options


class PhoneField(MeantTextField):
    """A phone number as people write it."""


class CountryField(MeantTextField):
    """A country by its code of ISO 3166-1 alpha-2."""


class LanguageField(MeantTextField):
    """A language by its tag, such as `en` or `pt-BR`."""
