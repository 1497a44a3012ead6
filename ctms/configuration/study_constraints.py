"""What the database itself refuses: a record of a study that names a place of another study.

`StudyRecord` refuses it first, and in words. This holds for what goes past that, and for two writes at the same moment,
of which neither sees the other: one that moves a site to another study, and one that writes a visit to it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from django.apps import apps as current_apps
from django.apps.registry import Apps
from django.db import models
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.backends.utils import truncate_name

from ctms.configuration.scope import find_study_path
from ctms.configuration.study_record import StudyRecord
from ctms.core.schema import is_schema_current

_REFUSED = "a record of a study refers to a place of another study"
_SUFFIX = "_in_study"


@dataclass(frozen=True, slots=True, kw_only=True)
class PlaceReference:
    """A column of a model that names a place, and the columns of both models that name their study."""

    model: type[StudyRecord]
    column: str
    study: str
    target: type[StudyRecord]
    place_study: str

    @property
    def table(self) -> str:
        return self.model._meta.db_table

    @property
    def place(self) -> str:
        return self.target._meta.db_table

    @property
    def name(self) -> str:
        return f"{self.table}_{self.column}{_SUFFIX}"


def list_place_references() -> list[PlaceReference]:
    """Return the references of all models that the database holds in their study.

    Not those of a model whose records follow what they name by themselves, such as generated activities: a job corrects
    them after the place has moved.
    """
    return sorted(_find_references(), key=lambda each: each.name)


def _find_references() -> Iterator[PlaceReference]:
    for model in current_apps.get_models():
        if not issubclass(model, StudyRecord) or _follows(model) or (own := _find_study_field(model)) is None:
            continue
        for field in model._meta.concrete_fields:
            target: Any = field.related_model
            if not (isinstance(field, models.ForeignKey) and issubclass(target, StudyRecord) and target.is_place):
                continue
            if (theirs := _find_study_field(target)) is not None:
                yield PlaceReference(
                    model=model,
                    column=field.column,
                    study=own.column,
                    target=target,
                    place_study=theirs.column,
                )


def _follows(model: type[StudyRecord]) -> bool:
    return model.list_holding.__func__ is not StudyRecord.list_holding.__func__  # type: ignore[attr-defined]


def _find_study_field(model: type[StudyRecord]) -> models.ForeignKey[Any, Any] | None:
    """Return the field by which a record names its study itself."""
    return next(
        (
            field
            for field in model._meta.concrete_fields
            if isinstance(field, models.ForeignKey) and find_study_path(field.related_model) == "pk"
        ),
        None,
    )


def hold_studies(connection: BaseDatabaseWrapper, *, apps: Apps) -> None:
    """Let the database refuse it from now on. `apps` are those of the schema that the migrations have made."""
    install = _install_postgresql if connection.vendor == "postgresql" else _install_sqlite
    for each in list_place_references():
        if is_schema_current(apps=apps, models=(each.model, each.target)):
            install(connection, each)


def let_migrate(connection: BaseDatabaseWrapper) -> None:
    """On SQLite, which makes tables anew that change, remove the triggers until the migrations have run."""
    if connection.vendor != "sqlite":
        return
    with connection.cursor() as cursor:
        cursor.execute("SELECT name FROM sqlite_master WHERE type = 'trigger' AND instr(name, %s) > 0", [_SUFFIX])
        for (name,) in cursor.fetchall():
            cursor.execute(f'DROP TRIGGER "{name}"')


def _install_postgresql(connection: BaseDatabaseWrapper, each: PlaceReference) -> None:
    """Add a foreign key of both columns. Checking it locks the key of the place, which a move of the place changes."""
    longest = connection.ops.max_name_length()
    unique = truncate_name(f"{each.place}_id_{each.place_study}", longest)
    name = truncate_name(each.name, longest)
    with connection.cursor() as cursor:
        cursor.execute(f'CREATE UNIQUE INDEX IF NOT EXISTS "{unique}" ON "{each.place}" (id, "{each.place_study}")')
        cursor.execute("SELECT 1 FROM pg_constraint WHERE conname = %s", [name])
        if cursor.fetchone() is None:
            cursor.execute(
                f'ALTER TABLE "{each.table}" ADD CONSTRAINT "{name}" '
                f'FOREIGN KEY ("{each.column}", "{each.study}") REFERENCES "{each.place}" (id, "{each.place_study}") '
                "DEFERRABLE INITIALLY DEFERRED"
            )


def _install_sqlite(connection: BaseDatabaseWrapper, each: PlaceReference) -> None:
    """Add triggers. SQLite has one writer at a time, so that what a trigger reads is what is there."""
    strays = (
        f'SELECT 1 FROM "{each.place}" WHERE id = NEW."{each.column}" AND "{each.place_study}" <> NEW."{each.study}"'  # noqa: S608  names of columns
    )
    left = f'SELECT 1 FROM "{each.table}" WHERE "{each.column}" = NEW.id AND "{each.study}" <> NEW."{each.place_study}"'  # noqa: S608  names of columns
    triggers = {
        "insert": (f'AFTER INSERT ON "{each.table}"', strays),
        "update": (f'AFTER UPDATE OF "{each.column}", "{each.study}" ON "{each.table}"', strays),
        "move": (f'AFTER UPDATE OF "{each.place_study}" ON "{each.place}"', left),
    }
    with connection.cursor() as cursor:
        for name, (event, found) in triggers.items():
            cursor.execute(f'DROP TRIGGER IF EXISTS "{each.name}_{name}"')
            cursor.execute(
                f'CREATE TRIGGER "{each.name}_{name}" {event} FOR EACH ROW WHEN EXISTS ({found}) '
                f"BEGIN SELECT RAISE(ABORT, '{_REFUSED}'); END"
            )
