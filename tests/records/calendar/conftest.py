"""A CRA with a site of her own, for the tests of the calendar."""

from __future__ import annotations

import pytest

from ctms.accounts.models import User
from ctms.clinical.models import StudySite
from tests.factories.accounts import SecurityProfileFactory, UserFactory
from tests.factories.clinical import StudyAssignmentFactory, StudyCountryFactory, StudyFactory, StudySiteFactory

OBJECTS = ("monitoring_event__ctms", "crm_activity__v", "site__v", "study__v", "study_country__v", "person__sys")


@pytest.fixture
def carla() -> User:
    """A CRA who reads what the calendar shows, and changes it, in the studies that she is assigned to."""
    permissions = [f"{name}:{action}" for name in OBJECTS for action in ("read", "create", "edit", "delete")]
    return UserFactory.create(username="carla", security_profile=SecurityProfileFactory.create(permissions=permissions))


@pytest.fixture
def site(carla: User) -> StudySite:
    """A site of a study that Carla is assigned to, and which she owns."""
    study = StudyFactory.create(name="CARDIO-301")
    StudyAssignmentFactory.create(user=carla, study=study)
    country = StudyCountryFactory.create(study=study)
    return StudySiteFactory.create(study_country=country, name="04001", city="Graz", owner=carla)
