"""Carries out what the buttons of the layout editor post, and words what screen readers announce of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from ctms.configuration.choices import SectionKind
from ctms.configuration.drafts import (
    LayoutEditError,
    SectionDraft,
    Sections,
    add_section,
    find_field,
    find_section,
    place_item,
    place_section,
    remove_item,
    remove_section,
    step_item,
    step_section,
)
from ctms.configuration.registry import VaultObject, get_object
from ctms.configuration.selectors import find_object, find_relation_problem
from ctms.configuration.snapshot import load_configuration

SEPARATOR = "|"
_UP, _DOWN = -1, 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Edited:
    """The sections after a change, what screen readers announce, and the button or input that gets the focus."""

    sections: Sections
    announcement: str = ""
    focus: str = ""
    is_refused: bool = False


def build_edit(verb: str, *arguments: object) -> str:
    """Return what a button posts, e.g. `item-up|<section>|<field>`."""
    return SEPARATOR.join([verb, *(str(argument) for argument in arguments)])


def apply_edit(*, edit: str, typed: Mapping[str, str], sections: Sections, vault_object: VaultObject) -> Edited:
    """Make the change that a button posted. `typed` are the values of the page's inputs. Raises LayoutEditError."""
    verb, *arguments = edit.split(SEPARATOR)
    editor = _Editor(sections=sections, typed=typed, vault_object=vault_object)
    actions: dict[str, Callable[..., Edited]] = {
        "refresh": editor.refresh,
        "section-up": lambda key: editor.move_section(key, "section-up", _UP),
        "section-down": lambda key: editor.move_section(key, "section-down", _DOWN),
        "section-place": editor.place_section,
        "section-remove": editor.remove_section,
        "fields-add": editor.add_field_section,
        "related-add": editor.add_related_section,
        "item-up": lambda key, name: editor.move_item(key, name, "item-up", _UP),
        "item-down": lambda key, name: editor.move_item(key, name, "item-down", _DOWN),
        "item-place": editor.place_item,
        "item-remove": editor.remove_item,
        "item-choose": editor.choose_item,
        "item-add": editor.add_item,
    }
    try:
        return actions[verb](*arguments)
    except (KeyError, TypeError, ValueError) as error:
        raise LayoutEditError("That cannot be done to the layout. Reload the page and change it again.") from error


@dataclass(frozen=True, slots=True, kw_only=True)
class _Editor:
    sections: Sections
    typed: Mapping[str, str]
    vault_object: VaultObject

    def refresh(self) -> Edited:
        return Edited(sections=self.sections)

    # -- Sections ---------------------------------------------------------------------------------
    def move_section(self, key: str, verb: str, by: int) -> Edited:
        return self._tell_section(step_section(self.sections, key, by), key, verb)

    def place_section(self, key: str, index: str) -> Edited:
        return self._tell_section(place_section(self.sections, key, int(index)), key, "section-up")

    def remove_section(self, key: str) -> Edited:
        position = find_section(self.sections, key)
        left = remove_section(self.sections, key)
        neighbour = left[min(position, len(left) - 1)].key if left else ""
        return Edited(
            sections=left,
            announcement=f"Section {self.sections[position].title} removed.",
            focus=build_edit("section-remove", neighbour) if neighbour else "",
        )

    def add_field_section(self) -> Edited:
        title = self.typed.get("new_title", "").strip() or "New section"
        return self._add(SectionDraft(title=title))

    def add_related_section(self) -> Edited:
        object_name, _, field_name = self.typed.get("new_related", "").partition(":")
        problem = find_relation_problem(
            vault_object=self.vault_object, related_object=object_name, related_field=field_name
        )
        if problem:
            raise LayoutEditError(f"Choose the related records to show. {problem}")
        related = get_object(object_name)
        return self._add(
            SectionDraft(
                title=related.plural_title,
                kind=SectionKind.RELATED,
                related_object=object_name,
                related_field=field_name,
                # Without the reference to the page's record, which is the same in every row.
                items=tuple(name for name in related.list_columns if name != field_name),
            )
        )

    def _add(self, section: SectionDraft) -> Edited:
        sections = add_section(self.sections, section)
        number = find_section(sections, section.key) + 1
        return Edited(
            sections=sections,
            announcement=f"Section {section.title} added, number {number} of {len(sections)}.",
            focus=f"title-{section.key}",
        )

    def _tell_section(self, sections: Sections, key: str, verb: str) -> Edited:
        position = find_section(sections, key)
        verb = "section-down" if position == 0 else "section-up" if position == len(sections) - 1 else verb
        return Edited(
            sections=sections,
            announcement=f"{sections[position].title}: section {position + 1} of {len(sections)}.",
            focus=build_edit(verb, key),
        )

    # -- Fields and columns -----------------------------------------------------------------------
    def move_item(self, key: str, name: str, verb: str, by: int) -> Edited:
        key = self._find_holder(key, name)
        return self._tell_item(step_item(self.sections, key, name, by), key, name, verb)

    def place_item(self, key: str, name: str, to: str, index: str) -> Edited:
        moved = place_item(self.sections, name, to=to, index=int(index), source=key)
        return self._tell_item(moved, to, name, "item-up")

    def remove_item(self, key: str, name: str) -> Edited:
        key = self._find_holder(key, name)
        section = self.sections[find_section(self.sections, key)]
        left = remove_item(self.sections, key, name)
        rest = left[find_section(left, key)].items
        neighbour = rest[min(section.items.index(name), len(rest) - 1)] if rest else ""
        return Edited(
            sections=left,
            announcement=f"{self._name_item(section, name)} removed from {section.title}.",
            focus=build_edit("item-remove", key, neighbour) if neighbour else build_edit("item-choose", key),
        )

    def choose_item(self, key: str) -> Edited:
        name = self.typed.get(f"choice-{key}", "")
        if not name:
            raise LayoutEditError("Choose what to add first.")
        added = self.add_item(key, name)
        return Edited(sections=added.sections, announcement=added.announcement, focus=build_edit("item-choose", key))

    def add_item(self, key: str, name: str, index: str = "") -> Edited:
        added = place_item(self.sections, name, to=key, index=int(index) if index else None)
        return self._tell_item(added, key, name, "item-up")

    def _find_holder(self, key: str, name: str) -> str:
        """The section to look in: the press before this one may have taken a field on into the next section."""
        section = self.sections[find_section(self.sections, key)]
        if section.is_related or name in section.items:
            return key
        holder = find_field(self.sections, name)
        return holder.key if holder else key

    def _tell_item(self, sections: Sections, key: str, name: str, verb: str) -> Edited:
        section = sections[find_section(sections, key)]
        if name not in section.items:
            section = next(each for each in sections if not each.is_related and name in each.items)
        position = section.items.index(name)
        verb = self._find_usable(sections, section, position, verb)
        return Edited(
            sections=sections,
            announcement=(
                f"{self._name_item(section, name)}: position {position + 1} of {len(section.items)} in {section.title}."
            ),
            focus=build_edit(verb, section.key, name),
        )

    def _find_usable(self, sections: Sections, section: SectionDraft, position: int, verb: str) -> str:
        can_up, can_down = list_item_moves(sections, section, position)
        if verb == "item-up" and not can_up:
            return "item-down"
        return "item-up" if verb == "item-down" and not can_down else verb

    def _name_item(self, section: SectionDraft, name: str) -> str:
        owner = find_object(section.related_object) if section.is_related else self.vault_object
        found = load_configuration().build_fields(owner).get(name) if owner else None
        return found.label if found else name


def list_item_moves(sections: Sections, section: SectionDraft, position: int) -> tuple[bool, bool]:
    """Return whether a field or column can move up, and down; a field can move into the next section of fields."""
    lists = [section] if section.is_related else [each for each in sections if not each.is_related]
    can_up = position > 0 or lists[0].key != section.key
    can_down = position < len(section.items) - 1 or lists[-1].key != section.key
    return can_up, can_down
