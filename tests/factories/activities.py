"""Factories of activities, logged in the Vault or received from a CRM."""

from __future__ import annotations

import datetime as dt
from typing import Any

from activities.choices import ActivityType, Channel
from activities.models import Activity, ActivityTemplate
from tests.factories.base import AuditedFactory, build_admin_actor, sequence, sub
from tests.factories.clinical import PersonFactory, StudyFactory
from tests.factories.connections import ConnectionFactory


class ActivityFactory(AuditedFactory[Activity]):
    """A planned Clinical Activity with a person and nothing else; From shows the actor."""

    class Meta:
        model = Activity

    object_type = ActivityType.CLINICAL
    person = sub(PersonFactory)
    date = dt.date(2026, 3, 2)
    channel = Channel.PHONE
    subject = sequence(lambda n: f"Activity {n:06d}")

    @classmethod
    def _create(cls, model_class: type[Activity], *_args: Any, **values: Any) -> Activity:
        actor = values.pop("actor", None) or build_admin_actor()
        values.setdefault("from_text", actor.user.display_contact)
        return cls.save_as(model_class(**values), actor)


class ActivityTemplateFactory(AuditedFactory[ActivityTemplate]):
    """A template of a study with a subject and an outline of the notes."""

    class Meta:
        model = ActivityTemplate

    study = sub(StudyFactory)
    name = sequence(lambda n: f"Template {n:06d}")
    subject = "Monthly call"
    notes = "Recruitment:\nOpen queries:"


class MedicalActivityFactory(ActivityFactory):
    """A Medical Activity, as if received over a connection."""

    object_type = ActivityType.MEDICAL
    connection = sub(ConnectionFactory)
    crm_id = sequence(lambda n: f"a00000{n:09d}AAA")
    from_text = "Rita Rep (rita.rep@example.com)"
