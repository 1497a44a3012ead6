"""Coercers: functions that turn a JSON value of a request into the value that its field stores, or raise an error.

As in the real CRM, a value of the wrong JSON type refuses the whole request (ApiError `JSON_PARSER_ERROR`), and a value
that breaks a rule of its field refuses its row (RowRejectedError).
"""

import json
import re
from collections.abc import Callable
from decimal import Decimal, InvalidOperation

from crm_sync.sandbox.data.fields import Field, SObject
from crm_sync.sandbox.data.ids import normalise_id
from crm_sync.sandbox.data.timestamps import DATE, format_datetime, parse_date, parse_datetime
from crm_sync.sandbox.errors import ApiError

Stored = str | int | float | None
Coercer = Callable[[object], Stored]

EMAIL = re.compile(r"[^@\s,;<>()\"]+@[^@\s,;<>()\"]+\.[^@\s,;<>().\"]+")
NUMBER_LIMIT = 10**18
CONTROL_CHARACTERS = dict.fromkeys((*range(9), 11, 12, *range(14, 32)))


class RowRejectedError(ApiError):
    """A value is refused, and with it its row, but not the other rows of the request."""


def refuse_json(*, expected: str, value: object) -> ApiError:
    """Return the error for a JSON value of a type that the field does not take."""
    token = {
        str: "VALUE_STRING",
        bool: "VALUE_TRUE" if value is True else "VALUE_FALSE",
        int: "VALUE_NUMBER_INT",
        float: "VALUE_NUMBER_FLOAT",
        list: "START_ARRAY",
        dict: "START_OBJECT",
    }.get(type(value), "VALUE_NULL")
    shown = {"START_ARRAY": "[", "START_OBJECT": "{"}.get(token) or (
        value if isinstance(value, str) else json.dumps(value, default=str)
    )
    return ApiError(
        "JSON_PARSER_ERROR",
        f"Cannot deserialize instance of {expected} from {token} value {shown} or request may be missing a required "
        "field",
    )


def make_text_coercer(field: Field) -> Coercer:
    """Return a coercer for text, which it strips. Empty text becomes null; text longer than the field is refused.

    Length is in UTF-16 code units, as in the CRM: an emoji has two.
    """
    length = field.length

    def coerce(value: object) -> Stored:
        if value is None:
            return None
        if value.__class__ is not str:
            if isinstance(value, dict | list):
                raise refuse_json(expected="string", value=value)
            value = json.dumps(value)
        text = str(value).strip()
        if not text:
            return None
        if not text.isprintable():
            text = text.translate(CONTROL_CHARACTERS)
        units = len(text)
        if not text.isascii():
            encoded = text.encode("utf-16-le", "replace")  # half an emoji becomes a question mark
            text, units = encoded.decode("utf-16-le"), len(encoded) // 2
        if units > length:
            raise RowRejectedError(
                "STRING_TOO_LONG",
                f"{field.label}: data value too large: {text[:1024]} (max length={length})",
                [field.name],
            )
        return text

    return coerce


def make_email_coercer(field: Field) -> Coercer:
    """Return a coercer for text that must look like an e-mail address."""
    coerce_text = make_text_coercer(field)

    def coerce(value: object) -> Stored:
        text = coerce_text(value)
        if text is not None and not EMAIL.fullmatch(str(text)):
            raise RowRejectedError(
                "INVALID_EMAIL_ADDRESS", f"{field.label}: invalid email address: {text}", [field.name]
            )
        return text

    return coerce


def make_picklist_coercer(field: Field) -> Coercer:
    """Return a coercer that takes the values of a restricted picklist only, compared exactly."""
    coerce_text = make_text_coercer(field)
    allowed = field.allowed_values

    def coerce(value: object) -> Stored:
        if value in allowed if isinstance(value, str) else value is None:
            return value if isinstance(value, str) else None
        text = coerce_text(value)
        if text is not None and text not in allowed:
            raise RowRejectedError(
                "INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST",
                f"{field.label}: bad value for restricted picklist field: {text}",
                [field.name],
            )
        return text

    return coerce


def make_boolean_coercer(field: Field) -> Coercer:
    """Return a coercer for true and false, also as text. It refuses null, since a checkbox always has a value."""

    def coerce(value: object) -> Stored:
        if value is True or value is False:
            return int(value)
        if isinstance(value, str) and value.lower() in {"true", "false"}:
            return int(value.lower() == "true")
        if value is None:
            raise RowRejectedError(
                "INVALID_TYPE_ON_FIELD_IN_RECORD", f"{field.label}: value not of required type: ", [field.name]
            )
        raise refuse_json(expected="boolean", value=value)

    return coerce


def make_number_coercer(field: Field, *, most: int = NUMBER_LIMIT - 1) -> Coercer:
    """Return a coercer for a number, also as text, whose size is at most `most`. Empty text becomes null."""

    def coerce(value: object) -> Stored:
        if value is None or value == "":
            return None
        if isinstance(value, bool | list | dict):
            raise refuse_json(expected="double", value=value)
        try:
            number = Decimal(str(value).strip())
        except InvalidOperation:
            raise refuse_json(expected="double", value=value) from None
        if not number.is_finite() or abs(number) > most:
            raise RowRejectedError(
                "NUMBER_OUTSIDE_VALID_RANGE", f"{field.label}: value outside of valid range on numeric field: {value}"
            )
        return float(number)

    return coerce


def make_date_coercer(_field: Field) -> Coercer:
    """Return a coercer for a date, `YYYY-MM-DD`. It cuts off the time of a datetime."""

    def coerce(value: object) -> Stored:
        if value is None or value == "":
            return None
        day = parse_date(value) if isinstance(value, str) else None
        if day is None:
            raise refuse_json(expected="date", value=value)
        return day

    return coerce


def make_datetime_coercer(_field: Field) -> Coercer:
    """Return a coercer for a datetime in ISO 8601. It reads a date as its midnight in UTC."""

    def coerce(value: object) -> Stored:
        if value is None or value == "":
            return None
        moment = None
        if isinstance(value, str):
            moment = parse_datetime(f"{value}T00:00:00Z" if DATE.fullmatch(value) else value)
        if moment is None:
            raise refuse_json(expected="datetime", value=value)
        return format_datetime(moment)

    return coerce


def make_reference_coercer(field: Field, *, prefixes: tuple[str, ...]) -> Coercer:
    """Return a coercer for an id of a referenced object. `row_checks` asks whether such a record exists."""

    def coerce(value: object) -> Stored:
        if value is None or value == "":
            return None
        if not isinstance(value, str):
            raise refuse_json(expected="reference", value=value)
        identifier = normalise_id(value.strip())
        if identifier is None:
            raise RowRejectedError("MALFORMED_ID", f"{field.label}: id value of incorrect type: {value}", [field.name])
        if not identifier.startswith(prefixes):
            raise RowRejectedError(
                "FIELD_INTEGRITY_EXCEPTION", f"{field.label}: id value of incorrect type: {value}", [field.name]
            )
        return identifier

    return coerce


def make_integer_coercer(field: Field) -> Coercer:
    """Return a coercer for a whole number, also as text."""
    coerce_number = make_number_coercer(field)

    def coerce(value: object) -> Stored:
        number = coerce_number(value)
        if number is None:
            return None
        if number != int(number):
            raise refuse_json(expected="int", value=value)
        return int(number)

    return coerce


def make_choices_coercer(field: Field) -> Coercer:
    """Return a coercer for a multi-select picklist: values with semicolons between them, each one of the picklist."""
    coerce_text = make_text_coercer(field)

    def coerce(value: object) -> Stored:
        text = coerce_text(value)
        chosen = [each.strip() for each in str(text).split(";") if each.strip()] if text is not None else []
        wrong = [each for each in chosen if each not in field.allowed_values]
        if wrong and field.restricted:
            raise RowRejectedError(
                "INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST",
                f"{field.label}: bad value for restricted picklist field: {wrong[0]}",
                [field.name],
            )
        return ";".join(chosen) or None

    return coerce


def make_time_coercer(_field: Field) -> Coercer:
    """Return a coercer for a time of day, such as `17:30:00.000Z`."""

    def coerce(value: object) -> Stored:
        if value is None or value == "":
            return None
        match = TIME.fullmatch(value) if isinstance(value, str) else None
        if match is None:
            raise refuse_json(expected="time", value=value)
        return f"{match.group(1)}:{match.group(2) or '00'}.000Z"

    return coerce


TIME = re.compile(r"((?:[01]\d|2[0-3]):[0-5]\d)(?::([0-5]\d)(?:\.\d+)?)?Z?", re.ASCII)
MAKERS: dict[str, Callable[[Field], Coercer]] = {
    "string": make_text_coercer,
    "textarea": make_text_coercer,
    "url": make_text_coercer,
    "phone": make_text_coercer,
    "email": make_email_coercer,
    "picklist": make_picklist_coercer,
    "boolean": make_boolean_coercer,
    "double": make_number_coercer,
    "date": make_date_coercer,
    "datetime": make_datetime_coercer,
    "multipicklist": make_choices_coercer,
    "combobox": make_text_coercer,
    "encryptedstring": make_text_coercer,
    "currency": make_number_coercer,
    "percent": make_number_coercer,
    "int": make_integer_coercer,
    "long": make_integer_coercer,
    "time": make_time_coercer,
}


def make_coercer(sobject: SObject, field: Field) -> Coercer:
    """Return the coercer of a field of an object."""
    if field.type == "reference":
        found = (sobject.schema.find(name) for name in field.targets)
        return make_reference_coercer(field, prefixes=tuple(target.key_prefix for target in found if target))
    if field.type == "id":
        return make_reference_coercer(field, prefixes=(sobject.key_prefix,))
    if field.type == "picklist" and not field.restricted:
        return make_text_coercer(field)
    if field.name in sobject.coordinates:
        return make_number_coercer(field, most=sobject.coordinates[field.name])
    return MAKERS[field.type](field)
