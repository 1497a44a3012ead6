"""Reads the cells of a file, except references, which `references` reads."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from decimal import Decimal
from typing import Any
from uuid import UUID

from django import forms
from django.core.exceptions import ValidationError

from ctms.configuration.fields import OBJECT_TYPE, ObjectField
from ctms.core.text.dates import DateOrder, read_moment, read_numeric
from ctms.core.uuids import read_uid
from ctms.records.access import ObjectAccess
from ctms.records.bulk.imports.dialects.numbers import DecimalMark, read_number
from ctms.records.bulk.imports.keys import UID
from ctms.records.fields.form_fields import build_form_field
from ctms.records.fields.kinds.base import kind_of
from ctms.records.fields.references import is_filled_by_another


def is_day(field: ObjectField) -> bool:
    """Whether the values of a field are days, or moments."""
    return kind_of(field).is_day


def write_plainly(text: str, *, mark: DecimalMark, field: ObjectField) -> str | None:
    """Return a number as the field's form field reads it: with a point, and with its unit behind it, if it has one.

    None if a text is no number in this way of writing.
    """
    number, unit = kind_of(field).split_unit(text)
    written = read_number(number, mark=mark)
    return f"{written} {unit}".strip() if written is not None else None


def list_plain(text: str, *, field: ObjectField, point_is_usual: bool = False) -> dict[DecimalMark, str]:
    """Return what a number can mean by its unit, as the field's form field reads it, by the mark before its fraction.

    `1,234` can be a whole number and a fraction; `1,234 EUR` is a whole one, because euros have two decimals. Where a
    point is usual before a fraction, `1.234 EUR` is both.
    """
    kind = kind_of(field)
    number, unit = kind.split_unit(text)
    written = {mark: found for mark in DecimalMark if (found := read_number(number, mark=mark)) is not None}
    likely = {
        mark: each
        for mark, each in written.items()
        if kind.fits_unit(number=Decimal(each), unit=unit)
        or (mark is DecimalMark.POINT and point_is_usual and "." in number)
    }
    return {mark: f"{each} {unit}".strip() for mark, each in (likely or written).items()}


class CellReader:
    """Converts texts to values of fields with the form fields of the pages. It does not refuse an empty text.

    By API name of the column, `orders` says how it writes day and month in numbers, `marks` what stands before
    fractions.
    """

    def __init__(
        self,
        *,
        access: ObjectAccess,
        orders: Mapping[str, DateOrder] | None = None,
        marks: Mapping[str, DecimalMark] | None = None,
    ) -> None:
        self.access = access
        self.orders, self.marks = dict(orders or {}), dict(marks or {})
        self._form_fields: dict[str, forms.Field] = {}

    def read(self, *, field: ObjectField, text: str) -> Any:
        """Convert a text to a value of the field. Raises ValidationError saying what to write instead."""
        if field.api_name == OBJECT_TYPE:
            return self._read_type(text)
        if field.api_name == UID:
            return _require_uid(text)
        written = self._write_date(field=field, text=text) if is_day(field) else text
        if field.api_name in self.marks:
            written = write_plainly(text, mark=self.marks[field.api_name], field=field) or text
        try:
            return self._get_form_field(field).clean(written)
        except ValidationError as error:
            remedy = kind_of(field).find_remedy(text)
            if remedy and any(each.code == "invalid" for each in error.error_list):
                raise ValidationError(remedy) from error
            raise

    def _write_date(self, *, field: ObjectField, text: str) -> str:
        """Return a date or time as its form field reads it, whatever language and order it is written in."""
        moment = read_moment(text, order=self.orders.get(field.api_name))
        if moment is None:
            if read_numeric(text):
                raise ValidationError(kind_of(field).find_remedy(text))  # the form field would choose an order itself
            return text
        if not kind_of(field).is_moment and moment.time() == dt.time.min:
            return moment.date().isoformat()
        return moment.isoformat(" ")

    def _get_form_field(self, field: ObjectField) -> forms.Field:
        if field.api_name not in self._form_fields:
            made = build_form_field(access=self.access, field=field)
            made.required = False
            kind_of(field).adapt_import_field(made)
            self._form_fields[field.api_name] = made
        return self._form_fields[field.api_name]

    def _read_type(self, text: str) -> str:
        types = self.access.shape.types
        for name, shape in types.items():
            if text.casefold() in (name.casefold(), shape.label.casefold()):
                return name
        labels = ", ".join(shape.label for shape in types.values())
        raise ValidationError(f"“{text}” is none of the object types: {labels}.")


def describe_cell(*, access: ObjectAccess, field: ObjectField) -> str:
    """Describe what to write into the cells of a column."""
    advice = _describe_value(access=access, field=field)
    attribute = {each.name: each for each in access.vault_object.model._meta.concrete_fields}.get(field.attribute)
    is_asked = field.is_required and not is_filled_by_another(shape=access.shape, field=field)
    return f"{advice} Required." if is_asked and not (attribute and attribute.has_default()) else advice


def _describe_value(*, access: ObjectAccess, field: ObjectField) -> str:
    if field.api_name == OBJECT_TYPE:
        return f"One of: {', '.join(each.label for each in access.list_creatable_types())}."
    return kind_of(field).advise(field)


def _require_uid(text: str) -> UUID:
    uid = read_uid(text)
    if uid is None:
        raise ValidationError(
            f"“{text}” is no UID. Copy it from an export, or leave the cell empty to create a record."
        )
    return uid
