"""Fields that a new version delivers reach the stored layouts once; what an admin removed is not put there again."""

from __future__ import annotations

import pytest

from ctms.audit.actors import build_system_actor
from ctms.configuration.drafts import Sections, draft_section, find_field, list_fields, remove_item
from ctms.configuration.layouts import FieldSection, Layout, RelatedSection
from ctms.configuration.models import DeliveredField, PageLayout
from ctms.configuration.selectors import find_layout, read_sections
from ctms.configuration.services import change_layouts, create_type_layout, deliver_layout_fields
from ctms.configuration.services.delivered_fields import add_fields
from tests.factories.base import build_admin_actor

pytestmark = [pytest.mark.django_db, pytest.mark.both_databases]
SITE, OWNER = "site__v", "ownerid__v"


def remove_field(sections: Sections, name: str) -> Sections:
    home = find_field(sections, name)
    return remove_item(sections, home.key, name) if home is not None else sections


def read(object_name: str = SITE) -> list[str]:
    layout = find_layout(object_name=object_name)
    assert layout is not None
    return list_fields(read_sections(layout))


def drop(name: str) -> None:
    """Remove the field from all layouts of sites, as an admin does."""

    def change(sections: Sections) -> Sections:
        return remove_field(sections, name)

    change_layouts(object_name=SITE, change=change, actor=build_admin_actor())


def deliver() -> None:
    deliver_layout_fields(actor=build_system_actor(source="command", reference="migrate"))


def test_layouts_of_before_get_the_owner_behind_its_neighbour_once() -> None:
    drop(OWNER)
    DeliveredField.objects.all().delete()  # as in a Vault of before there was the memory
    deliver()
    fields = read()
    assert fields.index(OWNER) == fields.index("principal_investigator__v") + 1
    drop(OWNER)
    deliver()
    assert OWNER not in read()


def test_what_an_admin_removed_before_is_not_put_back() -> None:
    drop("city__v")
    DeliveredField.objects.all().delete()
    deliver()
    assert "city__v" not in read()


def test_a_layout_that_has_it_stays_as_it_is() -> None:
    DeliveredField.objects.all().delete()
    before = list(PageLayout.objects.values_list("pk", "version"))
    deliver()
    assert list(PageLayout.objects.values_list("pk", "version")) == before


def test_the_copy_for_a_type_lacks_what_was_removed_from_the_original() -> None:
    actor = build_admin_actor()
    visit = "monitoring_event__ctms"
    change_layouts(object_name=visit, change=lambda sections: remove_field(sections, OWNER), actor=actor)
    made = PageLayout(of_object=visit, object_type="interim_monitoring_visit__v")
    create_type_layout(layout=made, actor=actor)
    deliver()
    assert OWNER not in list_fields(read_sections(made))


def test_a_field_without_a_neighbour_stands_in_the_first_section_and_nowhere_if_there_is_none() -> None:
    delivered = Layout(name="Sites", sections=(FieldSection(title="Details", fields=("a__v", "b__v", "c__v")),))
    related = draft_section(RelatedSection(title="People", related_object="x", related_field="y"))
    own = draft_section(FieldSection(title="Own", fields=("d__v",)))
    assert list_fields(add_fields((related, own), layout=delivered, names={"b__v", "c__v"})) == ["d__v", "b__v", "c__v"]
    assert add_fields((related,), layout=delivered, names={"b__v"}) == (related,)
