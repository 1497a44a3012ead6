"""Builds configuration steps about objects: their page layouts, object types and actions."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from django.urls import reverse

from ctms.configuration.drafts import Change, SectionDraft, Sections, add_section, draft_section, replace_section
from ctms.configuration.layouts import RelatedSection
from ctms.configuration.registry import get_object
from ctms.configuration.selectors import (
    find_layout,
    find_relation_problem,
    get_object_type,
    is_action_assigned,
    list_layouts,
    read_sections,
)
from ctms.configuration.services import assign_action, assign_fields, change_layouts, set_object_type_status
from ctms.configuration.snapshot import TypeShape, load_configuration
from ctms.configuration.steps import ConfigurationStep, StepState
from ctms.configuration.tables import build_object_url
from ctms.core.choices import RecordStatus

if TYPE_CHECKING:
    from ctms.audit.actors import Actor
    from ctms.configuration.models import PageLayout


@dataclass(frozen=True, slots=True, kw_only=True)
class StepText:
    """The texts of a step and its place in the checklist; see `ConfigurationStep`."""

    key: str
    title: str
    why: str
    section: str
    position: int
    is_optional: bool = False


def _build(
    *, text: StepText, check: Callable[[], StepState], apply: Callable[[Actor], object], url: Callable[[], str]
) -> ConfigurationStep:
    def do(*, actor: Actor) -> None:
        apply(actor)

    return ConfigurationStep(
        key=text.key,
        title=text.title,
        why=text.why,
        section=text.section,
        position=text.position,
        is_optional=text.is_optional,
        check=check,
        apply=do,
        url=url,
    )


def _build_layout_url(object_name: str, object_type: str = "") -> str:
    layout = find_layout(object_name=object_name, object_type=object_type)
    if layout is None:
        return build_object_url(object_name, "layouts")
    return reverse("admin:configuration_pagelayout_change", args=(layout.pk,))


# -- A section of related records -----------------------------------------------------------------
def build_related_section_step(
    *, text: StepText, object_name: str, wanted: RelatedSection, object_type: str = "", is_exact: bool = False
) -> ConfigurationStep:
    """Return a step that the layout of an object, or of one of its types, has a section of related records.

    If the step `is_exact`, the section must have the wanted columns and setting of *Prevent record creation*, too.
    """

    def check() -> StepState:
        layout = find_layout(object_name=object_name, object_type=object_type)
        if layout is None:
            return StepState.broken(f"{get_object(object_name).title} has no page layout.")
        return _check_related_section(layout=layout, wanted=wanted, is_exact=is_exact)

    def change(sections: Sections) -> Sections:
        return _put_related_section(sections, object_name=object_name, wanted=wanted, is_exact=is_exact)

    return _build(
        text=text,
        check=check,
        apply=lambda actor: change_layouts(
            object_name=object_name, object_type=object_type, change=change, actor=actor
        ),
        url=lambda: _build_layout_url(object_name, object_type),
    )


def _check_related_section(*, layout: PageLayout, wanted: RelatedSection, is_exact: bool) -> StepState:
    sections = read_sections(layout)
    related = get_object(wanted.related_object)
    found = _find_related(sections, wanted)
    if found is None:
        broken = _find_unfit(sections, object_name=layout.of_object, wanted=wanted)
        if broken is not None:
            return StepState.broken(f"{layout.name}, section {broken.title}: {_explain(layout.of_object, broken)}")
        return StepState.to_do(f"{layout.name} has no section of {related.plural_label}.")
    missing = _list_differences(found=found, wanted=wanted) if is_exact else []
    return (
        StepState.to_do(f"{layout.name}: {' '.join(missing)}")
        if missing
        else StepState.done(f"{layout.name} has {found.title}.")
    )


def _put_related_section(sections: Sections, *, object_name: str, wanted: RelatedSection, is_exact: bool) -> Sections:
    found = _find_related(sections, wanted)
    if found is None:
        unfit = _find_unfit(sections, object_name=object_name, wanted=wanted)
        if unfit is not None:
            return replace_section(sections, replace(draft_section(wanted, key=unfit.key), title=unfit.title))
        return add_section(sections, draft_section(wanted))
    if not is_exact:
        return sections
    return replace_section(sections, replace(found, items=wanted.columns, prevent_creation=wanted.prevent_creation))


def _find_related(sections: Sections, wanted: RelatedSection) -> SectionDraft | None:
    relation = (wanted.related_object, wanted.related_field)
    return next((each for each in sections if (each.related_object, each.related_field) == relation), None)


def _find_unfit(sections: Sections, *, object_name: str, wanted: RelatedSection) -> SectionDraft | None:
    """Return a section of the wanted object whose field does not refer to the layout's object, or None."""
    candidates = [each for each in sections if each.related_object == wanted.related_object]
    return next((each for each in candidates if _explain(object_name, each)), None)


def _explain(object_name: str, section: SectionDraft) -> str:
    return find_relation_problem(
        vault_object=get_object(object_name),
        related_object=section.related_object,
        related_field=section.related_field,
    )


def _list_differences(*, found: SectionDraft, wanted: RelatedSection) -> list[str]:
    fields = load_configuration().get(wanted.related_object).fields
    differences = []
    if found.items != wanted.columns:
        labels = [fields[name].label if name in fields else name for name in wanted.columns]
        differences.append(f"The columns of {found.title} are not {', '.join(labels)}.")
    if found.prevent_creation != wanted.prevent_creation:
        differences.append(f"Prevent record creation is not {'set' if wanted.prevent_creation else 'off'}.")
    return differences


# -- The fields of a layout -----------------------------------------------------------------------
def build_layout_step(
    *, text: StepText, object_name: str, find_missing: Callable[[Sections], str], change: Change, done: str
) -> ConfigurationStep:
    """Return a step that every layout of an object is as wanted.

    `find_missing` returns a sentence saying what a layout lacks, or an empty text; `change` adds it; `done` is the
    reason shown when nothing is missing.
    """

    def check() -> StepState:
        layouts = list_layouts(object_name)
        if not layouts:
            return StepState.broken(f"{get_object(object_name).title} has no page layout.")
        missing = {layout.name: find_missing(read_sections(layout)) for layout in layouts}
        lacking = [f"{name}: {sentence}" for name, sentence in missing.items() if sentence]
        return StepState.to_do(" ".join(lacking)) if lacking else StepState.done(done)

    return _build(
        text=text,
        check=check,
        apply=lambda actor: change_layouts(object_name=object_name, change=change, actor=actor),
        url=lambda: _build_layout_url(object_name),
    )


# -- Object types ---------------------------------------------------------------------------------
def build_type_fields_step(
    *, text: StepText, object_name: str, field_names: tuple[str, ...], object_type: str = ""
) -> ConfigurationStep:
    """Return a step that an object type, or every active type of the object, has these fields."""

    def list_types() -> list[TypeShape]:
        shape = load_configuration().get(object_name)
        if object_type:
            return [shape.get_type(object_type)]
        return [each for each in shape.types.values() if each.is_active]

    def check() -> StepState:
        shape = load_configuration().get(object_name)
        labels = {name: shape.get_field(name).label for name in field_names}
        types = list_types()
        if not types:
            return StepState.broken(f"Every object type of {shape.vault_object.title} is inactive.")
        lacking = [
            f"{each.label} lacks {' and '.join(labels[name] for name in field_names if name not in each.fields)}"
            for each in types
            if not each.fields.issuperset(field_names)
        ]
        on_types = f"{' and '.join(labels.values())} on {', '.join(each.label for each in types)}."
        return StepState.to_do(f"{'; '.join(lacking)}.") if lacking else StepState.done(on_types)

    def apply(actor: Actor) -> None:
        for each in list_types():
            assign_fields(object_name=object_name, object_type=each.api_name, field_names=field_names, actor=actor)

    return _build(text=text, check=check, apply=apply, url=lambda: _build_types_url(object_name, object_type))


def build_active_type_step(*, text: StepText, object_name: str, object_type: str) -> ConfigurationStep:
    """Return a step that the object type is active."""

    def check() -> StepState:
        row = get_object_type(object_name=object_name, object_type=object_type)
        is_active = row.status == RecordStatus.ACTIVE
        return StepState.done(f"{row.label} is active.") if is_active else StepState.to_do(f"{row.label} is inactive.")

    return _build(
        text=text,
        check=check,
        apply=lambda actor: set_object_type_status(
            object_name=object_name, object_type=object_type, status=RecordStatus.ACTIVE, actor=actor
        ),
        url=lambda: _build_types_url(object_name, object_type),
    )


def build_action_step(*, text: StepText, object_name: str, object_type: str, action_name: str) -> ConfigurationStep:
    """Return a step that the action is assigned to the object type."""

    def check() -> StepState:
        row = get_object_type(object_name=object_name, object_type=object_type)
        label = get_object(object_name).actions[action_name]
        if is_action_assigned(object_name=object_name, object_type=object_type, action_name=action_name):
            return StepState.done(f"{label} is assigned to {row.label}.")
        return StepState.to_do(f"{label} is not assigned to {row.label}.")

    return _build(
        text=text,
        check=check,
        apply=lambda actor: assign_action(
            object_name=object_name, object_type=object_type, action_name=action_name, actor=actor
        ),
        url=lambda: reverse("admin:configuration_configuredobject_actions", args=(object_name,)),
    )


def _build_types_url(object_name: str, object_type: str) -> str:
    if not object_type:
        return build_object_url(object_name, "types")
    row = get_object_type(object_name=object_name, object_type=object_type)
    return reverse("admin:configuration_objecttype_change", args=(row.pk,))
