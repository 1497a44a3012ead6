"""Columns of a report: which expressions the database answers for them, and what their values are for people."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from django.core.exceptions import FieldDoesNotExist
from django.db.models import (
    BooleanField,
    Case,
    F,
    Field,
    Func,
    IntegerField,
    Model,
    OuterRef,
    Q,
    Subquery,
    TextField,
    UUIDField,
    Value,
    When,
)
from django.db.models.expressions import Combinable
from django.db.models.fields.json import KeyTextTransform, KeyTransform
from django.db.models.functions import NullIf
from django.db.models.lookups import IsNull
from django.urls import NoReverseMatch, reverse

from ctms.accounts.models import User
from ctms.configuration.fields import ObjectField
from ctms.configuration.snapshot import ObjectShape
from ctms.core.text.expressions import collate, is_text
from ctms.records.addresses import get_object_url
from ctms.records.conditions.subjects import MOST_STEPS, Step, Subject
from ctms.records.fields.kinds.base import EMPTY, Cell, kind_of
from ctms.records.fields.kinds.currency import CurrencyKind
from ctms.records.fields.references import HIDDEN, get_target
from ctms.records.fields.titles import join_caption
from ctms.reports.engine.joins import Joins, get_foreign_key, is_limited
from ctms.reports.engine.parts import Part

_NEVER_SHOWN = frozenset({"uid__sys"})


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportCell:
    """A value of a column for people. `value` is what a file gets: None for no value."""

    value: Cell | None
    text: str
    url: str = ""
    is_hidden: bool = False


NOTHING = ReportCell(value=None, text="")
_HIDDEN = ReportCell(value=HIDDEN, text=HIDDEN, is_hidden=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """A column: a field of one of the report's objects, or of a record that its references lead to."""

    part: Part
    subject: Subject

    @property
    def key(self) -> str:
        """Return how definitions name the column."""
        return f"{self.part.mark}{self.subject.path}"

    @property
    def label(self) -> str:
        return self.subject.label

    @property
    def field(self) -> ObjectField:
        return self.subject.field

    @property
    def is_number(self) -> bool:
        return kind_of(self.field).is_number

    @property
    def width(self) -> int:
        """Return the characters of the column in a workbook."""
        return kind_of(self.field).export_width

    def lead(self, *, joins: Joins, start: str) -> str:
        """Join what the references lead to, and return the look-up to the record that has the field."""
        lead = start
        for step in self.subject.steps:
            records = self.part.asker.list_records(step.target)
            lead = joins.follow(lead=lead, attribute=step.reference.attribute, records=records)
        return lead

    def build_reader(self, *, joins: Joins, start: str) -> ColumnReader:
        """Return what reads the column's values in a statement with these joins."""
        lead = self.lead(joins=joins, start=start)
        if self.field.reference is not None:
            return _build_reference_reader(column=self, joins=joins, lead=lead)
        return _build_value_reader(column=self, lead=lead)


@dataclass(frozen=True, slots=True, kw_only=True)
class ColumnReader:
    """The expressions of a column in a statement, and what their values mean.

    Those of a value are it, and what names its record's page; those of a reference are primary key, what names the page
    and what makes the name.
    """

    column: Column
    expressions: tuple[Combinable, ...]
    mentions: int = 0  # of a reference: how many expressions make its caption
    has_flag: bool = False  # of a reference: whether the last expression tells that it leads to what is hidden
    address: str = ""  # the page of a record, with a place for what names it
    is_value: bool = True

    def read(self, values: Sequence[Any]) -> ReportCell:
        """Return the cell of the values of a row."""
        return self._read_value(values) if self.is_value else self._read_reference(values)

    def _read_value(self, values: Sequence[Any]) -> ReportCell:
        field, shape = self.column.field, self.column.subject.shape
        kind = kind_of(field)
        value = values[0]
        if value in EMPTY:
            return NOTHING
        if field.is_custom:
            value = kind.read(value)
        text = kind.format(value=value, field=field, shape=shape)
        url = self.address.format(values[1]) if self.address and values[1] else kind.find_link(value)
        return ReportCell(value=value, text=text, url=url)

    def _read_reference(self, values: Sequence[Any]) -> ReportCell:
        if values[0] is None:
            return _HIDDEN if self.has_flag and values[-1] else NOTHING
        names = [str(each or "") for each in values[2 : 2 + self.mentions]]
        if self.column.field.reference is User:
            text = " ".join(filter(None, names[:2])) or names[2]
        else:
            text = join_caption(name=names[0], caption=next(filter(None, names[1:]), ""))
        return ReportCell(value=text, text=text, url=self.address.format(values[1]) if self.address else "")


def find_column(*, parts: Sequence[Part], key: str) -> Column | None:
    """Return the column of that name; None if it does not exist (any more), or the user may not see it."""
    part = find_part(parts=parts, key=key)
    if part is None:
        return None
    *names, last = key.removeprefix(part.mark).split(".")
    if len(names) > MOST_STEPS:
        return None
    shape, steps = part.shape, []
    for name in names:
        reference = shape.fields.get(name)
        target = part.asker.find_target(reference) if reference is not None and not reference.is_custom else None
        if reference is None or target is None:
            return None
        steps.append(Step(reference=reference, target=target))
        shape = target
    field = shape.fields.get(last)
    if field is None or not can_show(field):
        return None
    return Column(part=part, subject=Subject(shape=shape, field=field, steps=tuple(steps)))


def find_part(*, parts: Sequence[Part], key: str) -> Part | None:
    """Return the object that a column's name is about; None if the report is not about it."""
    marked = [each for each in parts if each.mark and key.startswith(each.mark)]
    return next(iter(marked), next((each for each in parts if not each.mark), None))


def list_columns(part: Part) -> list[Column]:
    """Return the columns that the builder offers: fields of the object, then those of records it refers to."""
    own = [_build_own(part=part, field=each) for each in _sort(part.shape)]
    found = list(own)
    for column in own:
        target = part.asker.find_target(column.field) if not column.field.is_custom else None
        if target is not None:
            step = Step(reference=column.field, target=target)
            found += [
                Column(part=part, subject=Subject(shape=target, field=each, steps=(step,))) for each in _sort(target)
            ]
    return found


def can_show(field: ObjectField) -> bool:
    """Whether a report can have the field as a column. What is computed needs an expression of the database."""
    return (not field.is_computed or field.expression is not None) and field.api_name not in _NEVER_SHOWN


def can_group(field: ObjectField) -> bool:
    """Whether a report can be grouped by the field: not by long texts, amounts of several currencies and the like."""
    if field.reference is not None:
        return not field.is_custom
    return kind_of(field).is_sortable and not has_amounts(field)


def has_amounts(field: ObjectField) -> bool:
    """Whether the field has amounts, each with its currency."""
    return isinstance(kind_of(field), CurrencyKind)


def build_sort(*, reader: ColumnReader, lead: str) -> tuple[Combinable, Field[Any, Any]] | None:
    """Return the expression that rows are sorted by, and its type; None if the column has no order."""
    field = reader.column.field
    if field.reference is not None:
        return None if field.is_custom else (collate(reader.expressions[2]), TextField())
    if not kind_of(field).is_sortable:
        return None
    value, output = build_plain(field=field, lead=lead, model=reader.column.subject.shape.vault_object.model)
    return (collate(value) if is_text(output) else value), output


def build_plain(*, field: ObjectField, lead: str, model: type[Model]) -> tuple[Combinable, Field[Any, Any]]:
    """Return the expression of a value as the database compares it, and its type. An empty text is no value."""
    if field.is_custom:
        output: Field[Any, Any] = kind_of(field).custom_column()
        value = kind_of(field).build_value(field, lead)
    elif field.expression is not None:
        output, value = IntegerField() if field.is_whole else TextField(), field.expression(lead)
    else:
        output, value = get_output(model=model, path=field.attribute), F(f"{lead}{field.attribute}")
    return (NullIf(value, Value(""), output_field=TextField()) if is_text(output) else value), output


def get_output(*, model: type[Model], path: str) -> Field[Any, Any]:
    """Return the model's field at a path of attributes. What is none is a text that a source adds to its rows."""
    *steps, last = path.split("__")
    here: Any = model
    try:
        for step in steps:
            here = here._meta.get_field(step).related_model
        found = here._meta.get_field(last)
    except FieldDoesNotExist:
        return TextField()
    if not isinstance(found, Field):
        raise TypeError(f"{path} is no field of one value.")
    return found


def _build_own(*, part: Part, field: ObjectField) -> Column:
    return Column(part=part, subject=Subject(shape=part.shape, field=field))


def _sort(shape: ObjectShape) -> list[ObjectField]:
    return sorted((each for each in shape.fields.values() if can_show(each)), key=lambda each: each.label.casefold())


def _build_value_reader(*, column: Column, lead: str) -> ColumnReader:
    field = column.field
    if field.is_custom:
        value: Combinable = KeyTransform(field.api_name, f"{lead}custom_fields")
    else:
        value = field.expression(lead) if field.expression is not None else F(f"{lead}{field.attribute}")
    expressions = [value]
    address = _find_address(shape=column.subject.shape, field=field)
    if address:
        expressions.append(F(f"{lead}{'pk' if column.subject.shape.vault_object.is_setup else 'uid'}"))
    return ColumnReader(column=column, expressions=tuple(expressions), address=address)


def _find_address(*, shape: ObjectShape, field: ObjectField) -> str:
    """Return the page of the record that a name or title is of; empty if the field is neither, or there is none."""
    vault_object = shape.vault_object
    if field.api_name not in ("name__v", vault_object.title_field):
        return ""
    return find_page(vault_object.model, is_setup=vault_object.is_setup, object_name=shape.api_name)


def find_page(model: type[Model], *, is_setup: bool, object_name: str) -> str:
    """Return the address of a record's page with a place for its uid, in the console for its primary key."""
    if not is_setup:
        return f"{get_object_url('record_list', object_name)}{{}}/"
    try:
        address = reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_change", args=(0,))
    except NoReverseMatch:
        return ""
    return f"{address.removesuffix('0/change/')}{{}}/change/"


def _build_reference_reader(*, column: Column, joins: Joins, lead: str) -> ColumnReader:
    field, asker = column.field, column.part.asker
    model = field.reference
    if model is None:
        raise TypeError(f"{column.key} is no reference.")
    if field.is_custom:
        return _build_custom_reference(column=column, lead=lead)
    target, shape = get_target(field), asker.find_target(field)
    records = asker.list_records(shape) if shape is not None else model._default_manager.none()
    is_open = target is None or target.is_setup  # everybody may see the names of users and of the set-up
    masked = not is_open and is_limited(records)
    if is_open:
        records = model._default_manager.all()
    there = joins.follow(lead=lead, attribute=field.attribute, records=records)
    names = _list_names(model=model, shape=shape)
    has_page = shape is not None and not shape.vault_object.is_setup
    expressions: list[Combinable] = [F(f"{there}pk"), F(f"{there}uid" if has_page else f"{there}pk")]
    expressions += [F(f"{there}{each}") for each in names]
    if masked:
        raw = f"{lead}{get_foreign_key(column.subject.shape.vault_object.model, field.attribute)}"
        is_hidden = Q(**{f"{raw}__isnull": False}) & Q(**{f"{there}pk__isnull": True})
        expressions.append(Case(When(is_hidden, then=True), default=False, output_field=BooleanField()))
    return ColumnReader(
        column=column,
        expressions=tuple(expressions),
        mentions=len(names),
        has_flag=masked,
        address=find_page(model, is_setup=False, object_name=shape.api_name) if has_page and shape else "",
        is_value=False,
    )


def _list_names(*, model: type[Model], shape: ObjectShape | None) -> list[str]:
    if model is User:
        return ["first_name", "last_name", "username"]
    try:
        model._meta.get_field("name")
    except FieldDoesNotExist:
        return ["pk"]
    mentioned = [shape.fields[name].attribute for name in shape.vault_object.mention_fields] if shape else []
    return ["name", *mentioned]


class _TextUuid(Func):
    """The UUID that JSON holds as text, as the column of a uid has it."""

    template = "(%(expressions)s)::uuid"
    arity = 1
    output_field = UUIDField()

    def as_sqlite(self, compiler: Any, connection: Any, **context: Any) -> Any:
        return self.as_sql(compiler, connection, template="replace(%(expressions)s, '-', '')", **context)


def _find_held(stored: Combinable) -> NullIf:
    return NullIf(stored, Value(""), output_field=TextField())


def _build_custom_reference(*, column: Column, lead: str) -> ColumnReader:
    """A custom field holds a uid, which no join follows: what it leads to is looked up for each row that is shown."""
    field, asker = column.field, column.part.asker
    shape = asker.find_target(field)
    if field.reference is None:
        raise TypeError(f"{column.key} is no reference.")
    records = asker.list_records(shape) if shape is not None else field.reference._default_manager.none()
    held = _find_held(KeyTextTransform(field.api_name, OuterRef(f"{lead}custom_fields")))
    found = records.order_by().filter(uid=_TextUuid(held))
    names = _list_names(model=field.reference, shape=shape)
    looked_up: list[Combinable] = [Subquery(found.values(each)[:1]) for each in ("pk", "uid", *names)]
    stored = KeyTextTransform(field.api_name, f"{lead}custom_fields")
    is_given = Case(
        When(IsNull(_find_held(stored), False), then=True),  # noqa: FBT003  Django's signature
        default=False,
        output_field=BooleanField(),
    )
    return ColumnReader(
        column=column,
        expressions=(*looked_up, is_given),
        mentions=len(names),
        has_flag=True,
        address=find_page(field.reference, is_setup=False, object_name=shape.api_name)
        if shape is not None and not shape.vault_object.is_setup
        else "",
        is_value=False,
    )
