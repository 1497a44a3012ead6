"""JSON is what the standard library makes of it, whichever of the two libraries wrote or read it."""

from __future__ import annotations

import datetime as dt
import json
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest
from django.core.serializers.json import DjangoJSONEncoder

from ctms.core.json_text import encode_as_django, read_json, write_json


@pytest.mark.parametrize(
    "value", [2**70, "\ud800", {"a": [1.5, None, True, "ß"]}], ids=["integer", "surrogate", "plain"]
)
def test_what_is_written_is_read_again(value: Any) -> None:
    assert read_json(write_json(value)) == value


def test_dates_decimals_and_uids_are_written_as_json_fields_write_them() -> None:
    values = {
        "moment": dt.datetime(2026, 3, 4, 5, 6, 7, 891_234, tzinfo=dt.UTC),
        "day": dt.date(2026, 3, 4),
        "amount": Decimal("1.10"),
        "uid": UUID(int=7),
    }
    assert json.loads(write_json(values, default=encode_as_django)) == json.loads(
        json.dumps(values, cls=DjangoJSONEncoder)
    )


@pytest.mark.parametrize("body", [b"NaN", b'{"a": Infinity}', b"{", b"\xff"])
def test_what_is_no_json_is_refused(body: bytes) -> None:
    with pytest.raises(ValueError):  # noqa: PT011  each library has its own words
        read_json(body)


def test_equal_values_are_written_alike_in_whatever_order_they_came() -> None:
    assert write_json({"b": 1, "a": 2}, sort_keys=True) == write_json({"a": 2, "b": 1}, sort_keys=True)
