"""An object says to which study its records belong; what contradicts its model is not registered."""

from __future__ import annotations

from typing import Any
from unittest.mock import patch

import pytest
from django.db import models
from django.test.utils import isolate_apps

from activities.models import Activity
from ctms.accounts import policies
from ctms.clinical.models import Person, Study, StudyCommunicationContact, StudySite
from ctms.configuration import registry
from ctms.configuration.registry import InStudy, NoStudy, VaultObject, register_object
from ctms.configuration.scope import Scope, build_limit, list_study_paths
from ctms.core.models import VaultRecord
from tests.factories.accounts import SecurityProfileFactory, UserFactory
from tests.factories.clinical import (
    StudyAssignmentFactory,
    StudyCommunicationContactFactory,
    StudyCommunicationLogFactory,
    StudyFactory,
)


def build_model(**references: type[models.Model]) -> Any:
    """Return a model that refers to others, as an app outside the tree would have it."""
    fields: dict[str, Any] = {
        name: models.ForeignKey(target, on_delete=models.PROTECT, related_name="+")
        for name, target in references.items()
    }
    body = {"__module__": __name__, "object_name": "deviation__c", "Meta": type("Meta", (), {"app_label": "sample"})}
    return type("Deviation", (VaultRecord,), {**body, **fields})


def test_an_object_without_scope_cannot_be_made() -> None:
    with pytest.raises(TypeError, match="scope"):
        VaultObject(model=Study)  # type: ignore[call-arg]


@pytest.mark.parametrize(
    ("references", "paths"),
    [
        ({"study": Study}, ["study"]),
        ({"site": StudySite}, ["site__study"]),
        ({"site": StudySite, "study": Study}, ["study"]),
        ({"site": StudySite, "visit": Activity}, ["site__study", "visit__study"]),
        ({"from_study": Study, "to_study": Study}, ["from_study", "to_study"]),
        ({"person": Person}, []),
    ],
)
@isolate_apps("tests.sample")
def test_the_way_to_the_study_follows_from_the_model(references: dict[str, Any], paths: list[str]) -> None:
    assert list_study_paths(build_model(**references)) == paths


@pytest.mark.parametrize(
    ("references", "scope", "message"),
    [
        ({"site": StudySite}, NoStudy("forgotten"), "belong to a study, by site__study, .*InStudy\\('site__study'\\)"),
        ({"person": Person}, InStudy(), "no reference leads to a study. If that is right, .* NoStudy with the reason"),
        ({"a": Study, "b": Study}, InStudy(), "several ways lead to a study, a and b. Say which: InStudy\\('a'\\)"),
        ({"site": StudySite}, InStudy("site"), "'site' does not lead to a study. The way: site__study"),
        ({"site": StudySite}, InStudy("site__nowhere"), "'site__nowhere' does not lead to a study"),
        ({"person": Person}, InStudy("name__study"), "'name__study' does not lead to a study. The way: there is none"),
    ],
)
@isolate_apps("tests.sample")
def test_a_scope_that_contradicts_the_model_is_refused(references: Any, scope: Scope, message: str) -> None:
    model = build_model(**references)
    with pytest.raises(ValueError, match=f"^Deviation: .*{message}"):
        register_object(VaultObject(model=model, scope=scope))
    assert model not in registry._objects_by_model
    assert model not in policies._limits


@isolate_apps("tests.sample")
def test_without_a_rule_for_studies_nobody_sees_anything() -> None:
    limit = build_limit(model=StudySite, scope=InStudy())
    with patch("ctms.configuration.scope._rules", []):
        assert limit(StudySite.objects.all(), UserFactory.build()).query.is_empty()


@pytest.mark.django_db
@pytest.mark.both_databases
def test_what_hangs_on_a_record_is_seen_with_it_if_the_way_to_the_study_can_be_empty() -> None:
    """A communication need not have a site, so the way over it leads nowhere; the communication itself is seen."""
    team, other = (UserFactory.create(security_profile=SecurityProfileFactory.create()) for _ in range(2))
    communication = StudyCommunicationLogFactory.create(site=None, study_country=None, study=StudyFactory.create())
    StudyAssignmentFactory.create(user=team, study=communication.study)
    contact = StudyCommunicationContactFactory.create(communication=communication)
    limit = build_limit(model=StudyCommunicationContact, scope=InStudy("communication__site__study"))
    contacts = StudyCommunicationContact.objects.all()
    assert [list(limit(contacts, user)) for user in (team, other)] == [[contact], []]
