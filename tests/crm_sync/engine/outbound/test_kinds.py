"""What a CRM gets of custom fields of each kind that has a form of its own there."""

from __future__ import annotations

from typing import Any

import pytest

from connections.choices import FieldRuleKind
from connections.models import FieldRule
from ctms.audit.services import save_record
from ctms.configuration.models import CustomField
from ctms.configuration.services.custom_fields import create_custom_field
from tests.crm_sync.world import World
from tests.factories.activities import ActivityFactory
from tests.factories.base import build_admin_actor
from tests.factories.clinical import PersonFactory

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize(
    ("kind", "stored", "changes", "sent"),
    [
        ("multi_select", "red;blue", {}, "red;blue"),
        (
            "multi_select",
            "red;blue",
            {"kind": FieldRuleKind.PICKLIST, "picklist_map": {"red": "Rot", "*": "Andere"}},
            "Rot;Andere",
        ),
        ("url", "https://example.org/", {}, "https://example.org/"),
    ],
)
def test_a_custom_field_is_sent_as_crms_write_it(
    world: World, kind: str, stored: str, changes: dict[str, Any], sent: str
) -> None:
    values = ["red", "blue"] if kind == "multi_select" else []
    field = CustomField(
        of_object="crm_activity__v", label="Extra", api_name="extra__c", kind=kind, picklist_values=values
    )
    create_custom_field(field=field, actor=build_admin_actor())
    rule = FieldRule.objects.get(
        source="subject__v", target="Subject_vod__c", rule__integration__connection=world.connection
    )
    for name, value in ({"source": "extra__c"} | changes).items():
        setattr(rule, name, value)
    save_record(record=rule, actor=build_admin_actor())
    person = PersonFactory.create()
    world.add_accounts([person])
    ActivityFactory.create(person=person, custom_fields={"extra__c": stored})

    world.transfer()

    assert [row["Subject_vod__c"] for row in world.list_interactions()] == [sent]
