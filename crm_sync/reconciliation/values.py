"""Compare values of the Vault with those of a CRM record, in the CRM's terms.

The CRM strips text and drops control characters, has null where the Vault may have an empty text, sends numbers as
JSON numbers and datetimes in whatever offset it likes.
"""

from __future__ import annotations

import re
from datetime import datetime
from decimal import Decimal, InvalidOperation
from typing import Any

_DATETIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d.*")
_CONTROL_CHARACTERS = dict.fromkeys((*range(9), 11, 12, *range(14, 32)))


def is_same_value(here: Any, there: Any) -> bool:
    """Whether a value that the Vault sends, `here`, is what the CRM has, `there`."""
    here, there = _tidy(here), _tidy(there)
    if here == there and isinstance(here, bool) == isinstance(there, bool):
        return True
    if isinstance(here, bool) or isinstance(there, bool) or here is None or there is None:
        return False
    if isinstance(here, str) and isinstance(there, str):
        if _DATETIME.fullmatch(here) and _DATETIME.fullmatch(there):
            return _read_datetime(here) == _read_datetime(there)
        return here.translate(_CONTROL_CHARACTERS) == there.translate(_CONTROL_CHARACTERS)
    return _is_same_number(here, there)


def _tidy(value: Any) -> Any:
    if isinstance(value, str):
        return value.replace("\r\n", "\n").strip() or None
    return value


def _read_datetime(text: str) -> datetime | None:
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        return None


def _is_same_number(here: Any, there: Any) -> bool:
    try:
        return Decimal(str(here)) == Decimal(str(there))
    except InvalidOperation:
        return False
