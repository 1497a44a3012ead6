"""The record page: what a user sees of a record, according to the layout of its object type."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from ctms.accounts.policies import has_permission
from ctms.configuration.fields import ObjectField
from ctms.configuration.record_head import Place, find_place, get_title_name
from ctms.configuration.snapshot import SectionShape
from ctms.core.choices import RecordStatus
from ctms.records.access import ObjectAccess
from ctms.records.addresses import build_record_url
from ctms.records.fields.distances import tell_distance
from ctms.records.fields.shown_value import ShownValue
from ctms.records.fields.titles import get_code, get_title
from ctms.records.fields.values import ValueReader
from ctms.records.pages.actions import ActionMenu, build_action_menu
from ctms.records.pages.favourites import is_favourite
from ctms.records.pages.notices import RecordNotice, list_notices
from ctms.records.pages.panels import PanelPart, build_record_panels
from ctms.records.pages.places import RecordPlace, list_places
from ctms.records.pages.related import RelatedPart, build_related_part
from ctms.records.pages.timeline import Timeline, read_timeline
from ctms.records.timelines.page import TimelineSection, build_timeline_section


@dataclass(frozen=True, slots=True, kw_only=True)
class Fact:
    """A field with its value, at its place on the page; `edit_url` is empty if the user cannot change it.

    `is_fixed` if nobody can change it. `note` says how far away a day in the head is.
    """

    name: str
    label: str
    value: ShownValue
    place: Place
    note: str
    is_long: bool
    is_fixed: bool
    edit_url: str


@dataclass(frozen=True, slots=True, kw_only=True)
class FieldsPart:
    """A section of the fields that records of the type have."""

    key: str
    title: str
    facts: list[Fact]


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordPage:
    """Content of the page. `code` is the name of a record that is called by its title.

    `heading` is the field that is the title, if users see it; `caption` is shown beside it. `timeline_section` is the
    beginning of the timeline of a person or site. `origin` says where a record that users cannot change comes from.
    """

    access: ObjectAccess
    record: Any
    title: str
    heading: Fact | None
    caption: Fact | None
    code: str
    type_label: str
    origin: str
    is_inactive: bool
    key_facts: list[Fact]
    sections: list[FieldsPart | RelatedPart]
    panels: list[PanelPart]
    timeline_section: TimelineSection | None
    menu: ActionMenu
    is_favourite: bool
    timeline: Timeline
    notices: list[RecordNotice]
    places: list[RecordPlace]
    warnings: tuple[str, ...]

    @property
    def is_moving(self) -> bool:
        """Whether a line that says where the record is will change within seconds."""
        return any(place.is_moving for place in self.places)

    @property
    def facts(self) -> Iterator[Fact]:
        """All facts of the page, each once."""
        yield from filter(None, (self.heading, self.caption))
        yield from self.key_facts
        for section in self.sections:
            yield from getattr(section, "facts", ())


def build_record_page(*, access: ObjectAccess, record: Any, with_related: bool = True) -> RecordPage:
    """Build the page of a record that was read together with the records that its fields refer to."""
    shape = access.shape
    type_shape = shape.get_type(getattr(record, "object_type", ""))
    fields = shape.list_type_fields(type_shape.api_name)
    layout = shape.get_layout(type_shape.api_name)
    vault_object = access.vault_object
    facts = FactReader(access=access, record=record, fields=fields)
    head = facts.show_head()
    by_place = {fact.place: fact for fact in head}
    return RecordPage(
        access=access,
        record=record,
        title=get_title(record),
        code=get_code(record),
        heading=by_place.get(Place.TITLE),
        caption=by_place.get(Place.CAPTION),
        type_label=type_shape.label or vault_object.title,
        origin=type_shape.origin,
        is_inactive=record.status != RecordStatus.ACTIVE,
        key_facts=[fact for fact in head if fact.place == Place.HEAD],
        sections=[
            part
            for section in layout.sections
            if (part := _build_part(access=access, record=record, section=section, facts=facts, related=with_related))
        ],
        panels=build_record_panels(access=access, record=record) if with_related else [],
        timeline_section=build_timeline_section(access=access, record=record) if with_related else None,
        menu=build_action_menu(access=access, record=record),
        is_favourite=is_favourite(user=access.user, record=record),
        timeline=read_timeline(access=access, record=record),
        notices=list_notices(access=access, record=record),
        places=list_places(access=access, record=record),
        warnings=layout.warnings if has_permission(user=access.user, permission="admin:configuration") else (),
    )


def explain_field_edit(*, access: ObjectAccess, record: Any, field: ObjectField) -> str:
    """Return why the user cannot change this field of the record; empty if they can."""
    shape = access.shape.get_type(getattr(record, "object_type", ""))
    if field.api_name not in shape.fields:
        return f"{field.label} is not a field of {shape.label or access.vault_object.title}."
    if field.is_read_only:
        return f"{field.label} is filled by the Vault and cannot be set."
    return access.explain_edit(record)


class FactReader:
    """Shows fields of one record with URLs to edit them; leaves out fields that its type does not have."""

    def __init__(self, *, access: ObjectAccess, record: Any, fields: list[ObjectField]) -> None:
        self.access, self.record = access, record
        self.names = {each.api_name for each in fields}
        self.reader = ValueReader(access=access).load(records=[record], fields=fields)
        self.is_refused = bool(access.explain_edit(record))
        self.has_origin = bool(access.shape.get_type(getattr(record, "object_type", "")).origin)

    def show_head(self) -> list[Fact]:
        """Return the fields of the head that have a value or can be changed, in order."""
        vault_object, fields = self.access.vault_object, self.access.shape.fields
        names = dict.fromkeys(
            filter(None, (get_title_name(vault_object), vault_object.caption_field, *vault_object.header_fields))
        )
        shown = [self._build(fields[name]) for name in names if name in self.names]
        return [fact for fact in shown if self._is_in_head(fact)]

    def show_section(self, fields: tuple[ObjectField, ...]) -> list[Fact]:
        """Return the fields of a section without those that stand in the head, in order.

        A section that is empty and that nobody can fill has no fields. Of a record that comes from elsewhere, what is
        empty is not shown.
        """
        shown = [self._build(each) for each in fields if each.api_name in self.names]
        left = [fact for fact in shown if fact.place != Place.MARK and not self._is_in_head(fact)]
        if self.has_origin:
            return [fact for fact in left if fact.value.text]
        return left if any(fact.value.text or not fact.is_fixed for fact in left) else []

    def _is_in_head(self, fact: Fact) -> bool:
        if fact.place in (Place.SECTION, Place.MARK):
            return False
        return fact.place == Place.TITLE or bool(fact.value.text or fact.edit_url)

    def _build(self, field: ObjectField) -> Fact:
        place = find_place(vault_object=self.access.vault_object, name=field.api_name)
        value = self.reader.show(record=self.record, field=field)
        is_day = place == Place.HEAD and isinstance(value.raw, dt.date) and not isinstance(value.raw, dt.datetime)
        return Fact(
            name=field.api_name,
            label=field.label,
            value=value,
            place=place,
            note=tell_distance(value.raw) if is_day else "",
            is_long=field.is_wide,
            is_fixed=field.is_read_only,
            edit_url="" if self.is_refused or field.is_read_only else self._build_edit_url(field),
        )

    def _build_edit_url(self, field: ObjectField) -> str:
        return build_record_url(
            page="record_field",
            object_name=self.access.shape.api_name,
            uid=self.record.uid,
            name=field.api_name,
        )


def _build_part(
    *, access: ObjectAccess, record: Any, section: SectionShape, facts: FactReader, related: bool
) -> FieldsPart | RelatedPart | None:
    if section.related is not None:
        return build_related_part(access=access, record=record, section=section) if related else None
    shown = facts.show_section(section.fields)
    return FieldsPart(key=section.key, title=section.title, facts=shown) if shown else None
