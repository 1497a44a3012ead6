"""Records are written by the audited writer alone; every other way that Django offers is refused."""

from __future__ import annotations

import ast
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from asgiref.sync import async_to_sync
from django.apps import apps
from django.conf import settings
from django.core import serializers
from django.core.exceptions import ValidationError
from django.db import models, transaction
from django.db.models import F

from activities.models import Activity
from ctms.audit.models import AuditEntry
from ctms.audit.services import save_record
from ctms.clinical.models import Study, StudyCountry
from ctms.core.errors import DeletionRefusedError, UnauditedWriteError
from ctms.core.fields import EncryptedTextField
from ctms.core.models import AuditedModel, AuditedQuerySet
from tests.factories.activities import ActivityFactory
from tests.factories.base import build_admin_actor, get_admin_user
from tests.factories.clinical import StudyCountryFactory, StudyFactory, StudySiteFactory

pytestmark = pytest.mark.both_databases

AUDITED_MODELS = sorted(
    (model for model in apps.get_models() if issubclass(model, AuditedModel)), key=lambda model: model._meta.label
)


def copy_of(study: Study) -> Study:
    """Return a new, unsaved copy of a record."""
    now = study.created_at
    return Study(name="NEW", created_at=now, modified_at=now, created_by=study.created_by, modified_by=study.created_by)


def renamed(study: Study) -> Study:
    study.sponsor = "Somebody"
    return study


def load_fixture(study: Study) -> None:
    for loaded in serializers.deserialize("json", serializers.serialize("json", [renamed(study)])):
        loaded.save()


def load_fixture_of_new(study: Study) -> None:
    for loaded in serializers.deserialize("json", serializers.serialize("json", [copy_of(study)])):
        loaded.save()


SIDE_DOORS: dict[str, Callable[[Study], Any]] = {
    "save": lambda study: renamed(study).save(),
    "save of some fields": lambda study: renamed(study).save(update_fields=["sponsor"]),
    "save of a new one": lambda study: copy_of(study).save(),
    "save_base": lambda study: renamed(study).save_base(),
    "save_base raw": lambda study: renamed(study).save_base(raw=True),
    "save_base of a new one": lambda study: copy_of(study).save_base(force_insert=True),
    "asave": lambda study: async_to_sync(renamed(study).asave)(),
    "delete": lambda study: study.delete(),
    "adelete": lambda study: async_to_sync(study.adelete)(),
    "create": lambda study: Study.objects.create(**values_of(copy_of(study))),
    "acreate": lambda study: async_to_sync(Study.objects.all().acreate)(**values_of(copy_of(study))),
    "get_or_create": lambda study: Study.objects.get_or_create(name="NEW", defaults=values_of(copy_of(study))),
    "update_or_create": lambda study: Study.objects.update_or_create(name=study.name, defaults={"sponsor": "X"}),
    "update_or_create of a new one": lambda study: Study.objects.update_or_create(**values_of(copy_of(study))),
    "bulk_create": lambda study: Study.objects.bulk_create([copy_of(study)]),
    "abulk_create": lambda study: async_to_sync(Study.objects.all().abulk_create)([copy_of(study)]),
    "bulk_create as upsert": lambda study: Study.objects.bulk_create(
        [renamed(study)], update_conflicts=True, unique_fields=["id"], update_fields=["sponsor"]
    ),
    "bulk_create that ignores conflicts": lambda study: Study.objects.bulk_create(
        [copy_of(study)], ignore_conflicts=True
    ),
    "bulk_update": lambda study: Study.objects.bulk_update([renamed(study)], ["sponsor"]),
    "update": lambda _study: Study.objects.update(sponsor="X"),
    "update of a selection": lambda study: Study.objects.filter(pk=study.pk).update(version=F("version") + 1),
    "aupdate": lambda _study: async_to_sync(Study.objects.all().aupdate)(sponsor="X"),
    "delete of a selection": lambda study: Study.objects.filter(pk=study.pk).delete(),
    "adelete of a selection": lambda study: async_to_sync(Study.objects.filter(pk=study.pk).adelete)(),
    "base manager update": lambda _study: Study._base_manager.update(sponsor="X"),
    "base manager bulk_create": lambda study: Study._base_manager.bulk_create([copy_of(study)]),
    "base manager bulk_update": lambda study: Study._base_manager.bulk_update([renamed(study)], ["sponsor"]),
    "base manager delete": lambda study: Study._base_manager.filter(pk=study.pk).delete(),
    "default manager update": lambda _study: Study._default_manager.update(sponsor="X"),
    "raw delete": lambda study: Study.objects.filter(pk=study.pk)._raw_delete("default"),
    "raw update": lambda study: Study.objects.filter(pk=study.pk)._update(
        [(Study._meta.get_field("sponsor"), None, "X")]
    ),
    "related update": lambda study: study.countries.update(name="X"),
    "related create": lambda study: study.countries.create(country="FR"),
    "related delete": lambda study: study.countries.all().delete(),
    "related add": lambda study: study.activities.add(Activity.objects.get(study=None)),
    "related add one by one": lambda study: study.activities.add(Activity.objects.get(study=None), bulk=False),
    "related set": lambda study: study.activities.set([]),
    "related remove": lambda study: study.activities.remove(Activity.objects.get(study=study)),
    "related clear": lambda study: study.activities.clear(),
    "related clear one by one": lambda study: study.activities.clear(bulk=False),
    "fixture over an old one": load_fixture,
    "fixture of a new one": load_fixture_of_new,
}


def values_of(record: models.Model) -> dict[str, Any]:
    return {field.name: getattr(record, field.name) for field in record._meta.concrete_fields if field.name != "id"}


def read_everything() -> list[list[dict[str, Any]]]:
    everything: tuple[type[models.Model], ...] = (Study, StudyCountry, Activity, AuditEntry)
    return [[dict(row) for row in model._default_manager.order_by("pk").values()] for model in everything]


@pytest.mark.django_db
@pytest.mark.parametrize("door", SIDE_DOORS)
def test_a_write_past_the_audited_writer_is_refused_and_writes_nothing(door: str) -> None:
    study = StudyFactory.create()
    StudyCountryFactory.create(study=study)
    ActivityFactory.create(study=study)
    ActivityFactory.create()
    before = read_everything()
    with pytest.raises(UnauditedWriteError, match=r"written through ctms\.audit\.services"), transaction.atomic():
        SIDE_DOORS[door](study)
    assert read_everything() == before


@pytest.mark.parametrize("model", AUDITED_MODELS, ids=lambda model: model._meta.label)
def test_every_manager_of_an_audited_model_refuses_writes(model: type[models.Model]) -> None:
    managers = [*model._meta.managers, model._base_manager, model._default_manager]
    assert {isinstance(manager.get_queryset(), AuditedQuerySet) for manager in managers} == {True}


@pytest.mark.parametrize("model", AUDITED_MODELS, ids=lambda model: model._meta.label)
def test_no_audited_record_goes_or_changes_because_another_goes(model: type[models.Model]) -> None:
    """Django's cascades write SQL without a manager, which could refuse it, so every foreign key has to be PROTECT."""
    references = {
        field.name: field.remote_field.on_delete
        for field in model._meta.concrete_fields
        if field.remote_field is not None
    }
    assert references == dict.fromkeys(references, models.PROTECT)
    assert model._meta.many_to_many == ()


@pytest.mark.parametrize("model", apps.get_models(), ids=lambda model: model._meta.label)
def test_a_secret_belongs_to_an_audited_model(model: type[models.Model]) -> None:
    has_secrets = any(isinstance(field, EncryptedTextField) for field in model._meta.concrete_fields)
    assert not has_secrets or issubclass(model, AuditedModel)


def test_only_the_audited_writer_opens_the_door() -> None:
    root = Path(settings.BASE_DIR)
    openers = set()
    for folder in ("activities", "connections", "crm_sync", "ctms", "exceptions_log"):
        for path in (root / folder).rglob("*.py"):
            names = {node.id for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Name)}
            if names & {"allow_record_writes", "_writer_is_active"}:
                openers.add(str(path.relative_to(root)))
    assert openers == {"ctms/core/models.py", "ctms/audit/services.py"}


@pytest.mark.django_db
def test_the_door_is_shut_again_after_a_write_and_after_a_failed_one() -> None:
    study = StudyFactory.create()
    with pytest.raises(UnauditedWriteError):
        study.save()
    with pytest.raises(ValidationError):
        save_record(record=Study(name=""), actor=build_admin_actor())
    with pytest.raises(UnauditedWriteError):
        study.save()


@pytest.mark.django_db
def test_a_user_is_not_deleted() -> None:
    StudyFactory.create()
    with pytest.raises(DeletionRefusedError):
        get_admin_user().delete()


@pytest.mark.django_db
def test_an_empty_external_id_is_none_so_that_many_records_may_lack_one() -> None:
    sites = [StudySiteFactory.create(external_id="") for _ in range(2)]
    assert [site.external_id for site in sites] == [None, None]


def test_a_name_that_is_built_fits_its_column() -> None:
    country = StudyCountry(country="D" * 200)
    country.prepare_for_save()
    assert country.name == "D" * 128
