"""What reports can be about: every registered object, and rows of the set-up that other floors register."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from django.db.models import ForeignKey, Model, QuerySet

from ctms.accounts.models import User
from ctms.accounts.policies import has_permission
from ctms.configuration.fields import ObjectField, build_model_field
from ctms.configuration.registry import NoStudy, UnknownObjectError, VaultObject, get_object, list_objects
from ctms.configuration.scope import Scope
from ctms.configuration.snapshot import Configuration, ObjectShape, load_configuration
from ctms.records.access import AccessRefusedError, ObjectAccess

_SCOPE = NoStudy("its source says who sees which rows")


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceObject(VaultObject):
    """What a source has of an object: its model and its words, which are those of the model if it has none of its own.

    It is not registered. It has a page in the console if its model has one.
    """

    source_name: str
    words: tuple[str, str] = ("", "")  # for one row, and for several
    is_setup: bool = True
    scope: Scope = _SCOPE

    @property
    def api_name(self) -> str:
        return self.source_name

    @property
    def label(self) -> str:
        return self.words[0] or super(SourceObject, self).label

    @property
    def plural_label(self) -> str:
        return self.words[1] or super(SourceObject, self).plural_label


@dataclass(frozen=True, slots=True)
class Lookup:
    """A column by its look-up from the model, such as `message__connection`; without a label, that of its field.

    One that `is_text` is no look-up but the name of a text that the source's limit adds to its rows.
    """

    path: str
    label: str = ""
    is_text: bool = False

    def build(self, *, model: type[Model], api_name: str) -> ObjectField:
        """Return the column as a field."""
        if self.is_text:
            return ObjectField(api_name=api_name, attribute=self.path, label=self.label, is_read_only=True)
        *steps, last = self.path.split("__")
        may_be_empty = False
        for step in steps:
            reference = model._meta.get_field(step)
            if not isinstance(reference, ForeignKey):
                raise TypeError(f"{model.__name__}.{step} is no reference.")
            may_be_empty = may_be_empty or reference.null
            model = reference.related_model
        field = build_model_field(model=model, api_name=api_name, attribute=last)
        return replace(
            field,
            attribute=self.path,
            label=self.label or field.label,
            may_be_empty=may_be_empty or field.may_be_empty,
            is_read_only=True,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class SetupSource:
    """Rows of the set-up that are no records of an object, such as users or entries of the audit trail.

    `columns` are by API name. `permission` is the one that users need, and `limit` filters the rows for those that a
    user sees.
    """

    vault_object: SourceObject
    columns: Mapping[str, Lookup]
    permission: str
    limit: Callable[[QuerySet[Any], User], QuerySet[Any]]


_sources: dict[str, SetupSource] = {}
_columns: dict[str, dict[str, Lookup]] = {}  # by object


def register_source(source: SetupSource) -> None:
    """Let reports be about these rows. Called once, from `AppConfig.ready()`."""
    _sources[source.vault_object.api_name] = source


def register_column(*, object_name: str, api_name: str, lookup: Lookup) -> None:
    """Let reports about an object ask about what is no field of it, such as a value of what it refers to.

    Everybody who reads the object sees it. Called once, from `AppConfig.ready()`.
    """
    _columns.setdefault(object_name, {})[api_name] = lookup


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceAccess(ObjectAccess):
    """A user's access to rows of the set-up."""

    source: SetupSource

    def allows(self, action: str, object_type: str = "") -> bool:
        del object_type
        return action == "read" and has_permission(user=self.user, permission=self.source.permission)

    def list_records(self) -> QuerySet[Any]:
        return self.source.limit(self.vault_object.model._default_manager.all(), self.user)


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportConfiguration(Configuration):
    """The configuration in force, with what reports alone know: sources that are no objects, and further columns."""

    present: Configuration

    def get(self, object_name: str) -> ObjectShape:
        if object_name not in self.shapes:
            self.shapes[object_name] = self._build(object_name)
        return self.shapes[object_name]

    def _build(self, object_name: str) -> ObjectShape:
        source = _sources.get(object_name)
        if source is not None:
            fields = _build_fields(model=source.vault_object.model, lookups=source.columns)
            return ObjectShape(vault_object=source.vault_object, fields=fields, types={}, layouts={})
        shape = self.present.get(object_name)
        further = _build_fields(model=shape.vault_object.model, lookups=_columns.get(object_name, {}))
        return replace(shape, fields={**shape.fields, **further}) if further else shape


def _build_fields(*, model: type[Model], lookups: Mapping[str, Lookup]) -> dict[str, ObjectField]:
    return {name: each.build(model=model, api_name=name) for name, each in lookups.items()}


def load_report_configuration() -> ReportConfiguration:
    """Return the configuration in force, for reports."""
    present = load_configuration()
    return ReportConfiguration(rows=present.rows, present=present)


def open_source(*, user: User, object_name: str, configuration: ReportConfiguration) -> ObjectAccess:
    """Return the user's access to what a report is about.

    Raises UnknownObjectError, and AccessRefusedError for users who may read none of its rows.
    """
    source = _sources.get(object_name)
    if source is None:
        get_object(object_name)
    shape = configuration.get(object_name)
    access = (
        ObjectAccess(user=user, shape=shape, configuration=configuration)
        if source is None
        else SourceAccess(user=user, shape=shape, configuration=configuration, source=source)
    )
    if not access.allows("read"):
        raise AccessRefusedError(
            f"Your security profile does not allow you to read {access.vault_object.plural_label}. Ask an admin."
        )
    return access


def find_source(*, user: User, object_name: str, configuration: ReportConfiguration) -> ObjectAccess | None:
    """Return the user's access; None if there is no such source, or the user may read none of its rows."""
    try:
        return open_source(user=user, object_name=object_name, configuration=configuration)
    except (UnknownObjectError, AccessRefusedError):
        return None


def list_sources(*, user: User, configuration: ReportConfiguration) -> list[ObjectAccess]:
    """Return what the user may build reports about, by label."""
    names = [*(each.api_name for each in list_objects()), *_sources]
    found = [find_source(user=user, object_name=name, configuration=configuration) for name in names]
    return sorted(
        (each for each in found if each is not None), key=lambda each: each.vault_object.plural_label.casefold()
    )


def list_source_names() -> list[tuple[str, str]]:
    """Return API name and label of everything that reports can be about, by label."""
    known = [(each.api_name, each.plural_title) for each in list_objects()]
    known += [(each.vault_object.api_name, each.vault_object.plural_title) for each in _sources.values()]
    return sorted(known, key=lambda pair: pair[1].casefold())


@dataclass(frozen=True, slots=True, kw_only=True)
class Relation:
    """A way from a primary object to a child object: the child's reference to it."""

    child: VaultObject
    reference: ObjectField

    @property
    def name(self) -> str:
        """Return how report types store it, such as `exception_item__sys.exception_message__sys`."""
        return f"{self.child.api_name}.{self.reference.api_name}"

    @property
    def label(self) -> str:
        return f"{self.child.plural_title} (Child, by {self.reference.label})"


def list_relations(object_name: str) -> list[Relation]:
    """Return the child objects that a report type about the object may add, by label."""
    try:
        model = get_object(object_name).model
    except UnknownObjectError:
        return []
    found = [
        Relation(child=child, reference=field)
        for child in list_objects()
        for name in child.fields
        if (field := child.get_field(name)).reference is model and not field.is_computed
    ]
    return sorted(found, key=lambda each: each.label.casefold())
