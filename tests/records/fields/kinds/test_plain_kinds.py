"""Texts, numbers, days, moments and picklists at every door."""

from __future__ import annotations

import pytest

from tests.records.fields.kinds.doors import NAME, EveryDoor

pytestmark = [pytest.mark.django_db, pytest.mark.both_databases]


class TestText(EveryDoor):
    kind = "text"
    typed = {"": "Red wine"}
    text = stored = shown = json = cell = sent = "Red wine"
    other_text = other_stored = other_shown = "=Blue"
    wrong_text = "x" * 256
    problem = "Ensure this value has at most 255 characters (it has 256)."
    wrong_json = 5
    filters = {
        f"{NAME}=Red+wine": (True, False),
        f"{NAME}__contains=WINE": (True, False),
        f"{NAME}__begins=%3Dbl": (False, True),
        f"{NAME}__not=Red+wine": (False, True),
    }


class TestLongText(EveryDoor):
    kind = "long_text"
    typed = {"": "Red wine"}
    text = stored = shown = json = cell = sent = "Red wine"
    other_text = other_stored = other_shown = "Blue"
    wrong_text = "x" * 32_001
    problem = "Ensure this value has at most 32000 characters (it has 32001)."
    wrong_json = 5
    filters = {f"{NAME}__contains=WINE": (True, False)}


class TestNumber(EveryDoor):
    kind = "number"
    typed = {"": "-1.5"}
    text = shown = cell = "-1.5"
    stored = json = sent = -1.5
    other_text = other_shown = "40"
    other_stored = 40
    wrong_text = "many"
    problem = "Write it as 1234.5."
    wrong_json = "-1.5"
    filters = {
        f"{NAME}=-1.5": (True, False),
        f"{NAME}__from=0": (False, True),
        f"{NAME}__from=-2&{NAME}__to=0": (True, False),
    }


class TestDate(EveryDoor):
    kind = "date"
    typed = {"": "2026-03-31"}
    text = stored = json = cell = sent = "2026-03-31"
    shown = "31 Mar 2026"
    other_text = other_stored = "2026-04-01"
    other_shown = "1 Apr 2026"
    wrong_text = "2026-02-30"
    problem = "Write it as 2026-03-31 or 31 Mar 2026."
    wrong_json = "31.03.2026"
    filters = {f"{NAME}=2026-03-31": (True, False), f"{NAME}__from=2026-04-01": (False, True)}


class TestMoment(EveryDoor):
    kind = "datetime"
    typed = {"": "2026-03-31T14:05"}
    text = "2026-03-31 14:05"
    stored = "2026-03-31T14:05:00+00:00"
    shown = "31 Mar 2026, 14:05"
    json = "2026-03-31T14:05:00Z"
    cell = "2026-03-31 14:05:00"
    sent = "2026-03-31T14:05:00+00:00"
    other_text = "2026-04-01 08:00"
    other_stored = "2026-04-01T08:00:00+00:00"
    other_shown = "1 Apr 2026, 08:00"
    wrong_text = "noon"
    problem = "Write it as 2026-03-31 14:05"
    wrong_json = "noon"
    filters = {f"{NAME}=2026-03-31": (True, False), f"{NAME}__from=2026-04-01": (False, True)}


class TestPicklist(EveryDoor):
    kind = "picklist"
    choices = ["red", "blue"]
    typed = {"": "red"}
    text = stored = shown = json = cell = sent = "red"
    other_text = other_stored = other_shown = "blue"
    wrong_text = "green"
    problem = "“green” is none of the choices: red, blue."
    wrong_json = "green"
    filters = {f"{NAME}=red": (True, False), f"{NAME}=red&{NAME}=blue": (True, True), f"{NAME}__not=red": (False, True)}
