"""The page layouts with which an object is registered. Those that admins change are rows of `PageLayout`."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class FieldSection:
    """A section of fields, given by API name in order."""

    title: str
    fields: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class RelatedSection:
    """A section of records of another object that refer to the page's record in their field `related_field`."""

    title: str
    related_object: str
    related_field: str
    columns: tuple[str, ...] = ()  # empty: the columns of that object's list
    prevent_creation: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """The record page of an object, or of one of its object types."""

    name: str
    sections: tuple[FieldSection | RelatedSection, ...]
    object_type: str = ""  # empty: every object type that has no layout of its own
