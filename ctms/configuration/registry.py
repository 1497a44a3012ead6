"""The object registry. Each app registers its objects from `AppConfig.ready()`; pages, API, admin and jobs read them.

A field path such as `study__v.name__v` follows references from object to object.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from django.db import models

from ctms.accounts.policies import register_limit, register_setup
from ctms.audit.places import STUDY, register_place
from ctms.configuration.copying import CopyRule
from ctms.configuration.fields import COMMON_FIELDS, CUSTOM_SUFFIX, OBJECT_TYPE, ObjectField, build_model_field
from ctms.configuration.form_offers import LikelyChoices, NextStep, Templates
from ctms.configuration.kinds import find_model_kind
from ctms.configuration.layouts import FieldSection, Layout, RelatedSection
from ctms.configuration.quick_changes import QuickChange
from ctms.configuration.scope import InStudy, NoStudy, Scope, build_limit, find_study_path, is_study
from ctms.configuration.study_record import StudyRecord
from ctms.core.errors import VaultError
from ctms.core.models import VaultRecord
from ctms.core.text.titles import capitalise

if TYPE_CHECKING:
    from ctms.accounts.models import User

__all__ = [
    "COMMON_FIELDS",
    "ChildPicker",
    "FieldSection",
    "InStudy",
    "Layout",
    "NoStudy",
    "ObjectField",
    "ObjectType",
    "Question",
    "ReferenceChoices",
    "RelatedSection",
    "VaultObject",
]


class UnknownObjectError(VaultError):
    """No object of that API name is registered."""


class UnknownFieldError(VaultError):
    """The object has no field of that API name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ObjectType:
    """An object type as registered; its label and status in this Vault are a row of `configuration.ObjectType`.

    `origin` is set if users neither create, change nor delete records of the type, and says where these come from.
    """

    api_name: str
    label: str
    delivered_active: bool = True
    origin: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReferenceChoices:
    """Limits the choices of a reference by another reference of the record, `by`: e.g. to the people of its study.

    `build` takes the record that `by` refers to and returns the condition for the choices, `build_first` the condition
    for those that are listed first. `remedy` tells users how to get others. Stored values are not checked again.
    """

    by: str
    build: Callable[[Any], models.Q]
    build_first: Callable[[Any], models.Q]
    remedy: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ChildPicker:
    """An input of a record's form that makes child records: one for each record chosen, e.g. participants of a visit.

    `name` is the input's name, `part` the API name of the child object, `parent` its reference to the form's record,
    and `reference` its reference to the chosen record. The form has the input if the page layout has a section of
    these child records that does not prevent their creation.
    """

    name: str
    part: str
    parent: str
    reference: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """A question to whoever gives values that are possible but seldom meant; the answer yes lets them be saved.

    `fields` are the API names of the values that it is about: it is asked when one of them is given or changes, and
    stands beside the first. `ask` takes a record with the values and returns the question; empty if there is none.
    """

    fields: tuple[str, ...]
    ask: Callable[[Any], str]


@dataclass(frozen=True, slots=True, kw_only=True)
class ToldApartThrough:
    """Records that tell those apart to which their `reference` leads, by `fields`, e.g. `site__clin.city__v`."""

    of_object: str
    reference: str
    fields: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class DeliveredView:
    """A view of the object's list that everybody has. `parameters` is its query string."""

    name: str
    parameters: str


def _suggest_nothing(_user: User) -> Mapping[str, Any]:
    return {}


def _take_name(typed: str) -> Mapping[str, str]:
    return {"name__v": typed}


def _fill_nothing(_record: Any, _user: User) -> None:
    """Fill no fields; the default of `complete_new`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class VaultObject:
    """An object of the Vault. Only `model` and `scope` are needed; everything else has a default.

    `fields` maps API names to attributes of the model, for the fields beyond those that every record has.
    """

    model: type[models.Model]
    scope: Scope  # to which study its records belong, and so who sees them
    description: str = ""  # what a record is, in a sentence or two, for an empty list
    fields: Mapping[str, str] = field(default_factory=dict)
    object_types: tuple[ObjectType, ...] = ()
    actions: Mapping[str, str] = field(default_factory=dict)  # API name of an action → its label
    labels: Mapping[str, str] = field(default_factory=dict)  # field → label, if it is not that of the model's field
    # Fields that the Vault fills, so that users are not asked for them.
    generated_fields: frozenset[str] = frozenset()
    # Fields that are on no object type until an admin assigns them.
    unassigned_fields: frozenset[str] = frozenset()
    list_columns: tuple[str, ...] = ("name__v", "status__v", "modified_date__v")
    default_sort: str = ""  # a field, with a leading minus for descending order; empty: in order of creation
    search_fields: tuple[str, ...] = ("name__v",)  # field paths, e.g. `person__v.name__v`
    filters: tuple[str, ...] = ()  # the fields offered first; every stored field can be filtered by
    header_fields: tuple[str, ...] = ()  # shown with the name at the top of a record's page
    quick_fields: tuple[str, ...] = ()  # the fields of the quick log, a short form for a new record
    quick_values: Mapping[str, Any] = field(default_factory=dict)  # what the quick log begins with, by field
    layouts: tuple[Layout, ...] = ()
    reference_choices: Mapping[str, ReferenceChoices] = field(default_factory=dict)  # reference → choices
    likely_choices: Mapping[str, LikelyChoices] = field(default_factory=dict)  # reference → what comes first
    # Child records that are deleted with a record: their model, and its attribute that refers to the record. A record
    # that others refer to cannot be deleted.
    parts: tuple[tuple[type[models.Model], str], ...] = ()
    child_pickers: tuple[ChildPicker, ...] = ()  # child records that are chosen on the record's own form
    # What the next form after Save + Create keeps of what was typed last, e.g. the date and the parents.
    kept_fields: tuple[str, ...] = ()
    questions: tuple[Question, ...] = ()  # beside those that are asked of every date
    # A reference for which the form of a new record takes several values; it saves a record for each.
    create_one_per: str = ""
    # Yes/no field → date: a new record is done if its date is not to come, unless the user says otherwise. Both have to
    # be among the initial values.
    done_by: Mapping[str, str] = field(default_factory=dict)
    # Parent reference → the reference that decides it: where that changes alone, the parent changes along, such as the
    # country with the site.
    follows: Mapping[str, str] = field(default_factory=dict)
    # Field → field: on types to which admins assign the second, nothing is saved without the first.
    required_with: Mapping[str, str] = field(default_factory=dict)
    next_step: NextStep | None = None  # what the form of a new record can plan along with it
    templates: Templates | None = None  # records whose words the form of a new record offers
    # Returns what people call a record that was just created, such as `Call with Diego Peña`.
    tell_new: Callable[[Any], str] = str
    # Field → function that returns the (tone, text) of its badge in lists and headers for a record.
    # Tones: complete, planned, overdue, failure, accent, neutral, quiet.
    badges: Mapping[str, Callable[[Any], tuple[str, str]]] = field(default_factory=dict)
    icons: Mapping[str, Mapping[str, str]] = field(default_factory=dict)  # field → value → icon shown beside it
    caption_field: str = ""  # shown after the name if people do not know a record by its name, e.g. a study number
    # Leads in lists and on the record's page, where the name is a code that tells people nothing; it may be empty.
    title_field: str = ""
    # The field of which the name is made, so that it is changed in the heading of the record's page.
    heading_field: str = ""
    # Fields, the first of which with a value follows the name where a record is referred to, e.g. the city of a site.
    mention_fields: tuple[str, ...] = ()
    views: tuple[DeliveredView, ...] = ()  # of its list, which everybody has
    quick_changes: tuple[QuickChange, ...] = ()  # offered for each row of a list, and for a selection
    copying: CopyRule | None = None  # how copies of one of its records are made for several others
    tab: int | None = None  # position among the tabs; None: no tab, the records are reached from others
    icon: str = "record"
    # Whether two of its records can be merged into one, and the fields by which two records that refer to them are the
    # same then, as two equal roles of a person in a study are. Constraints are known without saying so.
    is_mergeable: bool = False
    same_when: tuple[str, ...] = ()  # attributes
    # Fields by which a record is known to be the same as another, beside its name; users are told of such records.
    duplicate_fields: tuple[str, ...] = ()
    # What tells records of the same name apart: fields of their own, and those of records that refer to them.
    told_apart_by: tuple[str, ...] = ()
    told_apart_through: ToldApartThrough | None = None
    is_setup: bool = False  # the object has pages in the admin console alone
    # Whether it takes an admin to write a record of the set-up; reports are built by everybody.
    is_for_admins: bool = True
    complete_new: Callable[[Any, User], None] = _fill_nothing  # fills fields of a new record from the user creating it
    # Returns API name → text for the form of a new record that is created because a reference did not find the text.
    take_over: Callable[[str], Mapping[str, str]] = _take_name
    # Returns API name → value for the form of a new record; users may change the values.
    initial_values: Callable[[User], Mapping[str, Any]] = _suggest_nothing

    @property
    def api_name(self) -> str:
        name: str = self.model.object_name  # type: ignore[attr-defined]
        return name

    @property
    def label(self) -> str:
        return str(self.model._meta.verbose_name)

    @property
    def title(self) -> str:
        """The label in capitals, as tabs, headings, menus and sections have it: `Study Site`."""
        return capitalise(self.label)

    @property
    def tells_new(self) -> bool:
        """Whether there are better words for a new record than its name."""
        return self.tell_new is not str

    @property
    def plural_label(self) -> str:
        return str(self.model._meta.verbose_name_plural)

    @property
    def plural_title(self) -> str:
        return capitalise(self.plural_label)

    def get_field(self, api_name: str) -> ObjectField:
        """Return the standard field of that API name. Raises UnknownFieldError naming the existing fields."""
        attribute = self.fields.get(api_name) or COMMON_FIELDS.get(api_name)
        if attribute is None or not hasattr(self.model, attribute):
            raise UnknownFieldError(
                f"{self.label} ({self.api_name}) has no field {api_name!r}. "
                f"Its fields: {', '.join(self.list_field_names())}."
            )
        return _build_field(vault_object=self, api_name=api_name, attribute=attribute)

    def list_field_names(self) -> list[str]:
        """Return the API names of all standard fields of the model, first those that every record has."""
        own = {f.name for f in self.model._meta.get_fields()}
        return [name for name, attribute in COMMON_FIELDS.items() if attribute in own] + list(self.fields)

    def get_object_type(self, api_name: str) -> ObjectType | None:
        """Return the object type as registered; None if there is none of that API name."""
        return next((each for each in self.object_types if each.api_name == api_name), None)


_objects: dict[str, VaultObject] = {}
_objects_by_model: dict[type[models.Model], VaultObject] = {}


def register_object(vault_object: VaultObject) -> None:
    """Register an object.

    Raises ValueError if the model lacks the attribute of a field, if a column, filter or layout names an unknown field,
    if another model has the API name, if the scope contradicts the model, or if the model of records of a study is no
    `StudyRecord`.
    """
    for api_name, attribute in vault_object.fields.items():
        if not hasattr(vault_object.model, attribute):
            raise ValueError(f"{vault_object.api_name}.{api_name}: {vault_object.model.__name__} has no {attribute!r}.")
    known_names = set(vault_object.list_field_names())
    for role, names in _list_named_fields(vault_object):
        for name in names:
            if name not in known_names:
                raise ValueError(f"{vault_object.api_name}: {role} {name!r} is none of its fields.")
    known = _objects.get(vault_object.api_name)
    if known is not None and known.model is not vault_object.model:
        raise ValueError(f"{vault_object.api_name} is the API name of {known.model.__name__} already.")
    limit = build_limit(model=vault_object.model, scope=vault_object.scope)
    _check_base(vault_object)
    if issubclass(vault_object.model, VaultRecord):
        vault_object.model.known_types = {each.api_name: each.label for each in vault_object.object_types}
    register_limit(model=vault_object.model, limit=limit)
    if vault_object.is_setup:
        register_setup(vault_object.api_name, is_for_admins=vault_object.is_for_admins)
    if isinstance(vault_object.scope, InStudy):
        register_place(model=vault_object.model, column=STUDY, path=find_study_path(vault_object.model))
    _objects[vault_object.api_name] = vault_object
    _objects_by_model[vault_object.model] = vault_object


def _check_base(vault_object: VaultObject) -> None:
    model = vault_object.model
    if isinstance(vault_object.scope, InStudy) and not (is_study(model) or issubclass(model, StudyRecord)):
        raise ValueError(
            f"{model.__name__}: its records belong to a study. Derive it from StudyRecord, not VaultRecord."
        )


def get_object(api_name: str) -> VaultObject:
    """Return the object of that API name. Raises UnknownObjectError."""
    try:
        return _objects[api_name]
    except KeyError:
        raise UnknownObjectError(
            f"No object {api_name!r} is registered. Registered: {', '.join(sorted(_objects))}."
        ) from None


def get_object_of_model(model: type[models.Model]) -> VaultObject | None:
    """Return the object of a model; None if it is not registered."""
    return _objects_by_model.get(model)


def list_objects() -> list[VaultObject]:
    """Return all registered objects, sorted by API name."""
    return [_objects[name] for name in sorted(_objects)]


def list_record_objects() -> list[VaultObject]:
    """Return the study teams' objects: those with a tab in the order of the tabs, then the others by label."""
    found = [each for each in _objects.values() if not each.is_setup]
    return sorted(found, key=lambda each: (each.tab is None, each.tab or 0, each.label))


def list_referring_fields(vault_object: VaultObject) -> list[tuple[VaultObject, ObjectField]]:
    """Return (object, field) for each standard field of a study teams' object that refers to this object."""
    return [
        (other, other.get_field(name))
        for other in list_record_objects()
        for name in other.fields
        if other.get_field(name).reference is vault_object.model
    ]


def resolve_path(*, vault_object: VaultObject, path: str) -> tuple[list[ObjectField], ObjectField]:
    """Resolve a dotted path of API names into the references on the way and the field at its end.

    A name at the end with the suffix `__c` is a custom field, in the record's `custom_fields`. Raises
    UnknownFieldError.
    """
    *steps, last = path.split(".")
    current = vault_object
    references: list[ObjectField] = []
    for step in steps:
        found = current.get_field(step)
        target = get_object_of_model(found.reference) if found.reference else None
        if target is None:
            raise UnknownFieldError(f"{path!r}: {step!r} of {current.label} refers to no other object.")
        references.append(found)
        current = target
    if last.endswith(CUSTOM_SUFFIX) and hasattr(current.model, "custom_fields"):
        return references, ObjectField(api_name=last, attribute=f"custom_fields__{last}", label=last, is_custom=True)
    return references, current.get_field(last)


def read_path(*, record: Any, references: list[ObjectField], end: ObjectField) -> Any:
    """Return the value at the end of a resolved path; None if a reference on the way is empty."""
    for reference in references:
        record = getattr(record, reference.attribute)
        if record is None:
            return None
    if end.is_custom:
        return record.custom_fields.get(end.api_name)
    return getattr(record, end.attribute)


def _build_field(*, vault_object: VaultObject, api_name: str, attribute: str) -> ObjectField:
    built = build_model_field(model=vault_object.model, api_name=api_name, attribute=attribute)
    changes: dict[str, Any] = {}
    if api_name in vault_object.labels:
        changes["label"] = vault_object.labels[api_name]
    if api_name == OBJECT_TYPE:
        changes["choices"] = tuple((each.api_name, each.label) for each in vault_object.object_types)
        changes["kind"] = find_model_kind(field_class=models.CharField, has_choices=True).name
    if api_name in vault_object.generated_fields:
        changes |= {"is_read_only": True, "is_required": False}
    return replace(built, **changes) if changes else built


def _list_named_fields(vault_object: VaultObject) -> list[tuple[str, tuple[str, ...]]]:
    sections = [section for layout in vault_object.layouts for section in layout.sections]
    return [
        ("the list column", vault_object.list_columns),
        ("the sort field", tuple(filter(None, (vault_object.default_sort.removeprefix("-"),)))),
        ("the search field", tuple(path.partition(".")[0] for path in vault_object.search_fields)),
        ("the filter", vault_object.filters),
        ("the header field", vault_object.header_fields),
        ("the quick field", vault_object.quick_fields),
        ("the heading field", tuple(filter(None, (vault_object.heading_field,)))),
        ("the caption field", tuple(filter(None, (vault_object.caption_field,)))),
        ("the field of duplicates", vault_object.duplicate_fields),
        ("the field that tells records apart", vault_object.told_apart_by),
        ("the title field", tuple(filter(None, (vault_object.title_field,)))),
        ("the mentioned field", vault_object.mention_fields),
        ("the field of a quick change", tuple(name for each in vault_object.quick_changes for name in each.values)),
        ("the field that is asked for", tuple(each.asks for each in vault_object.quick_changes if each.asks)),
        ("the repeated field", tuple(filter(None, (vault_object.create_one_per,)))),
        ("the field of copies", _list_copy_fields(vault_object)),
        ("the generated field", tuple(vault_object.generated_fields)),
        ("the unassigned field", tuple(vault_object.unassigned_fields)),
        ("the field with an offer", tuple(vault_object.reference_choices)),
        ("the field with likely choices", tuple(vault_object.likely_choices)),
        (
            "the field of likely choices",
            tuple(name for each in vault_object.likely_choices.values() for name in each.by),
        ),
        ("the field that follows", (*vault_object.follows, *vault_object.follows.values())),
        ("the field that is required", (*vault_object.required_with, *vault_object.required_with.values())),
        ("the field of what is done", (*vault_object.done_by, *vault_object.done_by.values())),
        ("the field of the quick log's beginning", tuple(vault_object.quick_values)),
        ("the field that decides an offer", tuple(each.by for each in vault_object.reference_choices.values())),
        ("the kept field", vault_object.kept_fields),
        ("the question's field", tuple(name for each in vault_object.questions for name in each.fields)),
        *[("the layout's field", section.fields) for section in sections if isinstance(section, FieldSection)],
    ]


def _list_copy_fields(vault_object: VaultObject) -> tuple[str, ...]:
    rule = vault_object.copying
    return (rule.per, rule.within, *rule.days, *rule.without) if rule is not None else ()
