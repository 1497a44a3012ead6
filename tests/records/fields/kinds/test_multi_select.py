"""Several values of a list."""

from __future__ import annotations

import pytest
from django.core.exceptions import ValidationError

from ctms.configuration.models import CustomField
from tests.records.fields.kinds.doors import NAME, OBJECT, EveryDoor

pytestmark = [pytest.mark.django_db, pytest.mark.both_databases]


class TestMultiSelect(EveryDoor):
    kind = "multi_select"
    choices = ["Red", "Dark red", "Blau, hellgrün"]
    typed = {"": ["", "Blau, hellgrün", "Red"]}
    text = "red; BLAU, HELLGRÜN"
    stored = "Red;Blau, hellgrün"
    shown = "Red, Blau, hellgrün"
    json = ["Red", "Blau, hellgrün"]
    cell = "Red; Blau, hellgrün"
    sent = "Red;Blau, hellgrün"
    other_text = "Dark red"
    other_stored = "Dark red"
    other_shown = "Dark red"
    wrong_text = "Red;Green"
    problem = "“Green” is none of the choices: Red, Dark red, Blau, hellgrün."
    wrong_json = ["Green"]
    filters = {
        f"{NAME}=Red": (True, False),
        f"{NAME}=Red&{NAME}=Dark+red": (True, True),
        f"{NAME}__has_all=Red&{NAME}__has_all=Blau, hellgrün": (True, False),
        f"{NAME}__has_all=Red&{NAME}__has_all=Dark+red": (False, False),
        f"{NAME}__not=Red": (False, True),
    }

    def list_same(self) -> list[str]:
        # Not as pages show it: commas may stand in values.
        return [self.text, self.cell]


def test_values_have_no_semicolon() -> None:
    field = CustomField(of_object=OBJECT, label="Extra", api_name=NAME, kind="multi_select", picklist_values=["a;b"])
    with pytest.raises(ValidationError, match="has a semicolon"):
        field.full_clean()
