"""Moving sections, fields and columns of a layout."""

from __future__ import annotations

import pytest

from ctms.configuration.choices import SectionKind
from ctms.configuration.drafts import (
    LayoutEditError,
    SectionDraft,
    Sections,
    add_section,
    draft_section,
    drop_empty,
    find_field,
    find_home,
    list_fields,
    place_item,
    place_section,
    read_draft,
    remove_item,
    remove_section,
    step_item,
    step_section,
)
from ctms.configuration.layouts import FieldSection, RelatedSection

SECTIONS: Sections = (
    SectionDraft(key="one", title="One", items=("a", "b", "c")),
    SectionDraft(
        key="related",
        title="Related",
        kind=SectionKind.RELATED,
        related_object="o",
        related_field="f",
        items=("a", "x"),
    ),
    SectionDraft(key="two", title="Two", items=("d",)),
)


def show(sections: Sections) -> str:
    """Return keys with their items, e.g. `one:a,b related:x`."""
    return " ".join(f"{each.key}:{','.join(each.items)}" for each in sections)


def test_a_section_of_the_registry_is_drafted_and_read_back() -> None:
    fields = FieldSection(title="Details", fields=("name__v",))
    related = RelatedSection(
        title="Sites", related_object="site__v", related_field="study__v", columns=("name__v",), prevent_creation=True
    )
    assert [read_draft(draft_section(each)) for each in (fields, related)] == [fields, related]


def test_new_sections_have_keys_of_their_own() -> None:
    assert SectionDraft(title="A").key != SectionDraft(title="A").key


@pytest.mark.parametrize(
    ("name", "to", "index", "source", "expected"),
    [
        ("a", "one", 1, "one", "one:b,a,c related:a,x two:d"),
        ("a", "one", 2, "one", "one:b,c,a related:a,x two:d"),
        ("a", "one", 99, "one", "one:b,c,a related:a,x two:d"),
        ("c", "one", -1, "one", "one:c,a,b related:a,x two:d"),
        ("a", "two", 0, "one", "one:b,c related:a,x two:a,d"),
        ("a", "two", None, None, "one:b,c related:a,x two:d,a"),
        ("new", "two", 0, None, "one:a,b,c related:a,x two:new,d"),
        ("x", "related", 0, "related", "one:a,b,c related:x,a two:d"),
        ("y", "related", None, None, "one:a,b,c related:a,x,y two:d"),
    ],
)
def test_an_item_is_placed(name: str, to: str, index: int | None, source: str | None, expected: str) -> None:
    assert show(place_item(SECTIONS, name, to=to, index=index, source=source)) == expected


@pytest.mark.parametrize(("source", "to"), [("related", "one"), ("one", "related")])
def test_a_column_stays_in_its_section_and_a_field_among_fields(source: str, to: str) -> None:
    with pytest.raises(LayoutEditError, match=r"^A column stays in its section"):
        place_item(SECTIONS, "a", to=to, source=source)


@pytest.mark.parametrize(
    ("key", "name", "by", "expected"),
    [
        ("one", "b", -1, "one:b,a,c related:a,x two:d"),
        ("one", "b", 1, "one:a,c,b related:a,x two:d"),
        ("one", "c", 1, "one:a,b related:a,x two:c,d"),
        ("two", "d", -1, "one:a,b,c,d related:a,x two:"),
        ("one", "a", -1, "one:a,b,c related:a,x two:d"),
        ("two", "d", 1, "one:a,b,c related:a,x two:d"),
        ("related", "x", -1, "one:a,b,c related:x,a two:d"),
        ("related", "x", 1, "one:a,b,c related:a,x two:d"),
    ],
)
def test_an_item_steps_and_a_field_goes_on_into_the_next_section(key: str, name: str, by: int, expected: str) -> None:
    assert show(step_item(SECTIONS, key, name, by)) == expected


def test_items_and_sections_are_removed() -> None:
    assert show(remove_item(SECTIONS, "related", "a")) == "one:a,b,c related:x two:d"
    assert show(remove_section(SECTIONS, "one")) == "related:a,x two:d"


def test_what_is_not_there_cannot_be_moved() -> None:
    with pytest.raises(LayoutEditError, match=r"^d is not in One any more\.$"):
        remove_item(SECTIONS, "one", "d")
    with pytest.raises(LayoutEditError, match=r"^That section is not on the layout any more\.$"):
        step_section(SECTIONS, "three", 1)


@pytest.mark.parametrize(
    ("key", "by", "expected"),
    [
        ("one", 1, ["related", "one", "two"]),
        ("two", -1, ["one", "two", "related"]),
        ("one", -1, ["one", "related", "two"]),
        ("two", 1, ["one", "related", "two"]),
    ],
)
def test_a_section_steps(key: str, by: int, expected: list[str]) -> None:
    assert [each.key for each in step_section(SECTIONS, key, by)] == expected


def test_a_section_is_placed_anywhere() -> None:
    assert [each.key for each in place_section(SECTIONS, "two", 0)] == ["two", "one", "related"]
    assert [each.key for each in place_section(SECTIONS, "one", 99)] == ["related", "two", "one"]


def test_a_new_section_of_fields_follows_those_of_fields_and_a_related_one_is_last() -> None:
    fields, related = SectionDraft(key="f", title="F"), SectionDraft(key="r", title="R", kind=SectionKind.RELATED)
    assert [each.key for each in add_section(SECTIONS[:2], fields)] == ["one", "f", "related"]
    assert [each.key for each in add_section(SECTIONS, related)] == ["one", "related", "two", "r"]
    assert add_section((), fields) == (fields,)


def test_fields_are_found_where_they_are_and_where_they_belong() -> None:
    assert list_fields(SECTIONS) == ["a", "b", "c", "d"]
    assert (find_field(SECTIONS, "d"), find_field(SECTIONS, "x")) == (SECTIONS[2], None)
    assert find_home(SECTIONS, "Two") == SECTIONS[2]
    assert find_home(SECTIONS, "Three") == SECTIONS[0]
    assert find_home(SECTIONS[1:2], "Three") is None


def test_only_an_empty_section_of_that_title_is_dropped() -> None:
    empty = SectionDraft(key="empty", title="One")
    assert drop_empty((*SECTIONS, empty), title="One") == SECTIONS
    assert drop_empty((*SECTIONS, empty), title="Two") == (*SECTIONS, empty)
