"""The layout editor in the admin: its buttons, posted as by a browser without scripts and as by the editor's script."""

from __future__ import annotations

import json
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from ctms.audit.services import save_record
from ctms.configuration.drafts import SectionDraft, Sections
from ctms.configuration.models import CustomField, LayoutSection, PageLayout
from ctms.configuration.selectors import read_sections
from ctms.configuration.services import create_custom_field, save_layout, update_custom_field
from ctms.core.choices import RecordStatus
from tests.admin_forms import list_messages, log_in_admin, read_form, submit, submit_values
from tests.factories.accounts import SecurityProfileFactory, UserFactory
from tests.factories.base import build_admin_actor

pytestmark = pytest.mark.django_db

ADD = "/admin/configuration/pagelayout/add/"
DETAILS = ["name__v", "study_name__v", "protocol_title__v", "sponsor__v", "study_phase__v", "state__v", "status__v"]


def get_layout(object_name: str = "study__v", object_type: str = "") -> PageLayout:
    return PageLayout.objects.get(of_object=object_name, object_type=object_type)


def get_url(layout: PageLayout | None = None, page: str = "change") -> str:
    return reverse(f"admin:configuration_pagelayout_{page}", args=((layout or get_layout()).pk,))


def find(title: str, layout: PageLayout | None = None) -> SectionDraft:
    return next(each for each in read_sections(layout or get_layout()) if each.title == title)


class Editor:
    """Acts like a browser in which the editor is open: it presses a button and keeps the values of the new page."""

    def __init__(self, client: Client, layout: PageLayout | None = None, **headers: str) -> None:
        self.client, self.url, self.headers = client, get_url(layout), headers
        self.page = client.get(self.url)

    @property
    def values(self) -> dict[str, list[str]]:
        return read_form(self.page, form_id="layout_form")

    def press(self, edit: str, **typed: str) -> Editor:
        self.page = self.client.post(self.url, {**self.values, **typed, "edit": edit})
        assert self.page.status_code == 200
        return self

    def save(self, **typed: Any) -> Any:
        values = {name: value for name, value in {**self.values, **typed, "_save": "Save"}.items() if value is not None}
        return self.client.post(self.url, values, follow=True)

    @property
    def sections(self) -> list[tuple[str, list[str]]]:
        return [(each["title"], each["items"]) for each in json.loads(self.values["layout"][0])]

    def read_items(self, title: str) -> list[str]:
        return dict(self.sections)[title]

    @property
    def announcement(self) -> str:
        text: str = self.page.context["announcement"]
        return text


# -- Who may ---------------------------------------------------------------------------------------
def test_only_a_profile_with_the_permission_opens_the_editor(client: Client) -> None:
    client.force_login(UserFactory.create(is_staff=True, security_profile=SecurityProfileFactory.create()))
    assert (client.get(get_url()).status_code, client.post(get_url()).status_code) == (403, 403)
    client.force_login(
        UserFactory.create(
            is_staff=True, security_profile=SecurityProfileFactory.create(permissions=["admin:configuration"])
        )
    )
    assert client.get(get_url()).status_code == 200


def test_a_layout_that_is_not_there_leads_back(client: Client) -> None:
    log_in_admin(client)
    assert client.get("/admin/configuration/pagelayout/999999/change/").status_code == 302


@pytest.mark.parametrize("layout", ["study__v", "person__sys", "crm_activity__v", "exception_message__sys"])
def test_saving_untouched_changes_nothing(client: Client, layout: str) -> None:
    log_in_admin(client)
    before = read_sections(get_layout(layout))
    answer = Editor(client, get_layout(layout)).save()
    assert list_messages(answer) == [f"{get_layout(layout).name} was saved."]
    assert (read_sections(get_layout(layout)), get_layout(layout).version) == (before, 1)


# -- Buttons ---------------------------------------------------------------------------------------
def test_a_field_moves_by_its_buttons_and_is_saved_at_its_new_place(client: Client) -> None:
    log_in_admin(client)
    key = find("Study Details").key
    editor = Editor(client).press(f"item-down|{key}|name__v").press(f"item-down|{key}|name__v")
    assert editor.read_items("Study Details")[:3] == ["study_name__v", "protocol_title__v", "name__v"]
    assert editor.announcement == "Study number: position 3 of 7 in Study Details."
    assert editor.page.context["focus"] == f"item-down|{key}|name__v"
    assert find("Study Details").items == tuple(DETAILS)  # not saved yet
    editor.save()
    assert find("Study Details").items[:3] == ("study_name__v", "protocol_title__v", "name__v")


def test_the_focus_goes_to_the_other_button_where_a_field_can_go_no_further(client: Client) -> None:
    log_in_admin(client)
    key = find("Study Details").key
    editor = Editor(client).press(f"item-up|{key}|study_name__v")
    assert editor.page.context["focus"] == f"item-down|{key}|study_name__v"


def test_a_press_that_comes_after_the_field_has_gone_on_into_another_section_counts(client: Client) -> None:
    log_in_admin(client)
    key = find("Study Details").key
    editor = Editor(client).press(f"item-down|{key}|status__v").press(f"item-down|{key}|status__v")
    assert editor.announcement == "Status: position 2 of 5 in Dates."
    assert editor.press(f"item-remove|{key}|status__v").announcement == "Status removed from Dates."
    assert editor.press(f"item-up|{key}|status__v").announcement == "status__v is not in Study Details any more."


def test_a_field_goes_on_into_the_next_section_and_past_related_ones(client: Client) -> None:
    log_in_admin(client)
    key, crm = find("Study Details").key, find("Medical CRM")
    editor = Editor(client).press(f"section-down|{crm.key}").press(f"item-down|{key}|status__v")
    assert editor.read_items("Dates")[0] == "status__v"
    assert editor.announcement == "Status: position 1 of 5 in Dates."
    dates = find("Dates").key
    for _ in range(5):
        editor.press(f"item-down|{dates}|status__v")
    assert editor.read_items("Medical CRM")[0] == "status__v"


def test_a_field_is_dropped_anywhere(client: Client) -> None:
    log_in_admin(client)
    key, dates = find("Study Details").key, find("Dates").key
    editor = Editor(client).press(f"item-place|{key}|sponsor__v|{dates}|1")
    assert editor.read_items("Dates")[:2] == ["planned_start_date__v", "sponsor__v"]
    editor.press(f"section-place|{dates}|0")
    assert [title for title, _ in editor.sections][:2] == ["Dates", "Study Details"]
    assert editor.announcement == "Dates: section 1 of 8."


def test_a_field_is_removed_and_added_again(client: Client) -> None:
    log_in_admin(client)
    key = find("Study Details").key
    editor = Editor(client).press(f"item-remove|{key}|sponsor__v")
    assert "sponsor__v" not in editor.read_items("Study Details")
    assert editor.announcement == "Sponsor removed from Study Details."
    assert editor.page.context["focus"] == f"item-remove|{key}|study_phase__v"
    [offered] = [item for item in editor.page.context["page"].palette if item.name == "sponsor__v"]
    editor.press(offered.add)
    assert editor.read_items("Study Details")[-1] == "sponsor__v"
    editor.press(f"item-remove|{key}|sponsor__v").press(f"item-choose|{key}", **{f"choice-{key}": "sponsor__v"})
    assert editor.read_items("Study Details")[-1] == "sponsor__v"
    assert editor.press(f"item-choose|{key}").announcement == "Choose what to add first."


def test_a_section_of_fields_is_added_renamed_and_removed(client: Client) -> None:
    log_in_admin(client)
    editor = Editor(client).press("fields-add", new_title=" Money ")
    assert [title for title, _ in editor.sections][3] == "Money"
    key = json.loads(editor.values["layout"][0])[3]["key"]
    assert editor.page.context["focus"] == f"title-{key}"
    editor.press(f"item-add|{key}|sponsor__v")
    editor.save(**{f"title-{key}": "Finances"})
    assert find("Finances").items == ("sponsor__v",)
    editor = Editor(client).press(f"section-remove|{find('Finances').key}")
    assert editor.announcement == "Section Finances removed."
    editor.save()
    assert "Finances" not in [each.title for each in read_sections(get_layout())]


def test_an_activity_section_is_added_with_its_columns_and_without_creation(client: Client) -> None:
    log_in_admin(client)
    editor = Editor(client).press("related-add", new_related="crm_activity__v:study__v")
    key = json.loads(editor.values["layout"][0])[-1]["key"]
    assert editor.sections[-1] == (
        "Activities",
        ["subject__v", "date__v", "person__v", "channel__v", "complete__v", "site__v", "ownerid__v", "name__v"],
    )
    for name in ("subject__v", "site__v", "ownerid__v"):
        editor.press(f"item-remove|{key}|{name}")
    editor.press(f"item-up|{key}|channel__v")
    editor.save(**{f"prevent-{key}": "on"})
    section = find("Activities")
    assert (section.related_object, section.related_field, section.items, section.prevent_creation) == (
        "crm_activity__v",
        "study__v",
        ("date__v", "channel__v", "person__v", "complete__v", "name__v"),
        True,
    )
    Editor(client).save(**{f"prevent-{section.key}": None})
    assert find("Activities").prevent_creation is False


def test_what_is_added_must_refer_to_the_object(client: Client) -> None:
    log_in_admin(client)
    editor = Editor(client).press("related-add", new_related="site__v:study_country__v")
    assert editor.announcement == (
        "Choose the related records to show. Study country (study_country__v) of Study Site does not refer to Study."
    )


def test_columns_of_the_list_are_shown_and_stay_unnamed_until_they_are_changed(client: Client) -> None:
    log_in_admin(client)
    editor = Editor(client)
    assert editor.read_items("Study Countries") == ["name__v", "study__v", "status__v"]
    editor.save()
    assert find("Study Countries").items == ()
    Editor(client).press(f"item-remove|{find('Study Countries').key}|study__v").save()
    assert find("Study Countries").items == ("name__v", "status__v")


@pytest.mark.parametrize(
    ("edit", "message"),
    [
        ("section-up|gone", "That section is not on the layout any more."),
        ("item-up|gone|name__v", "That section is not on the layout any more."),
        ("item-place|{details}|name__v|{sites}|0", "A column stays in its section, and a field among the"),
        ("item-place|{details}|name__v|{details}|first", "That cannot be done to the layout."),
        ("dance", "That cannot be done to the layout."),
        ("item-up", "That cannot be done to the layout."),
    ],
)
def test_a_button_that_cannot_work_says_so_and_keeps_the_layout(client: Client, edit: str, message: str) -> None:
    log_in_admin(client)
    editor = Editor(client)
    before = editor.sections
    edit = edit.format(details=find("Study Details").key, sites=find("Study Sites").key)
    assert editor.press(edit).announcement.startswith(message)
    assert editor.sections == before


def test_what_was_typed_is_kept_by_every_button(client: Client) -> None:
    log_in_admin(client)
    key, sites = find("Study Details").key, find("Study Sites").key
    editor = Editor(client).press(
        f"section-down|{key}", **{f"title-{key}": "The study", f"prevent-{sites}": "on", "name": "My layout"}
    )
    assert [title for title, _ in editor.sections][:2] == ["Dates", "The study"]
    assert editor.values["name"] == ["My layout"]
    assert [each["prevent_creation"] for each in json.loads(editor.values["layout"][0]) if each["key"] == sites] == [
        True
    ]
    assert editor.page.context["is_changed"] is True


def test_the_script_is_given_the_form_alone(client: Client) -> None:
    log_in_admin(client)
    values = Editor(client).values
    answer = client.post(get_url(), {**values, "edit": "refresh"}, headers={"X-Layout-Fragment": "1"})
    text = answer.content.decode()
    assert ("<html" in text, 'id="layout-body"' in text, 'id="layout-preview"' in text) == (False, True, True)


# -- Preview and notices ---------------------------------------------------------------------------
def read_preview(editor: Editor) -> dict[str, list[str]]:
    preview = editor.page.context["page"].preview
    return {each.title: list(each.columns) or [field.label for field, _ in each.fields] for each in preview}


def test_the_preview_shows_what_is_not_saved_yet(client: Client) -> None:
    log_in_admin(client)
    key = find("Dates").key
    editor = Editor(client).press(f"item-remove|{key}|actual_end_date__v", **{f"title-{key}": "When"})
    assert read_preview(editor)["When"] == ["Planned start", "Planned end", "Actual start"]
    assert read_preview(editor)["Study Countries"] == ["Name", "Study", "Status"]


def test_fields_that_no_type_has_are_marked_and_not_in_the_preview(client: Client) -> None:
    log_in_admin(client)
    editor = Editor(client, get_layout("monitoring_event__ctms"))
    assert read_preview(editor)["Activity"] == []
    [section] = [each for each in editor.page.context["page"].sections if each.label == "Activity"]
    assert {item.note for item in section.items} == {"On no object type: not shown"}


def test_a_required_field_that_is_missed_is_told_of(client: Client) -> None:
    log_in_admin(client)
    layout = get_layout("crm_activity__v")
    editor = Editor(client, layout)
    assert editor.page.context["page"].notices == ()
    editor.press(f"item-remove|{find('Activity Details', layout).key}|person__v")
    (notice,) = editor.page.context["page"].notices
    assert notice == (
        "Required and not on this layout: Person. Unless the Vault can fill what is missing, users cannot create a "
        "record."
    )


def store(title: str, **values: Any) -> None:
    """Store values in a section that `save_layout` would refuse, as an older version may have left them."""
    row = LayoutSection.objects.get(layout=get_layout(), title=title)
    for name, value in values.items():
        setattr(row, name, value)
    save_record(record=row, actor=build_admin_actor())


def test_names_that_nobody_knows_any_more_are_shown_and_can_be_removed(client: Client) -> None:
    log_in_admin(client)
    store("Dates", items=["gone__v", "planned_start_date__v"])
    store("Study Sites", related_object="planet__v")
    editor = Editor(client)
    page = editor.page.context["page"]
    [dates] = [each for each in page.sections if each.label == "Dates"]
    [sites] = [each for each in page.sections if each.label == "Study Sites"]
    assert [(item.label, item.note, item.is_known) for item in dates.items] == [
        ("gone__v", "Not known any more: not shown", False),
        ("Planned start", "", True),
    ]
    assert sites.problem.startswith("No object 'planet__v' is registered.")
    editor.press(dates.items[0].remove).press(sites.remove).save()
    assert find("Dates").items == ("planned_start_date__v",)
    assert "Study Sites" not in [each.title for each in read_sections(get_layout())]


def test_an_inactive_custom_field_is_named_as_such(client: Client) -> None:
    log_in_admin(client)
    field = CustomField(of_object="study__v", label="Colour")
    create_custom_field(field=field, actor=build_admin_actor(), add_to_layouts=True)
    field.status = RecordStatus.INACTIVE
    update_custom_field(field=field, actor=build_admin_actor())
    editor = Editor(client)
    assert editor.page.context["page"].sections[0].items[-1].note == "Colour is inactive: not shown"
    editor.save(name="Renamed")
    assert find("Study Details").items[-1] == "colour__c"


def test_a_layout_of_an_object_that_is_gone_is_told_of(client: Client) -> None:
    log_in_admin(client)
    layout = PageLayout(of_object="planet__v", name="Planets")
    save_record(record=layout, actor=build_admin_actor())
    answer = client.get(get_url(layout), follow=True)
    assert list_messages(answer) == ["Planets is of planet__v, which is no object any more."]


def test_a_layout_of_a_type_that_is_gone_opens(client: Client) -> None:
    log_in_admin(client)
    layout = PageLayout(of_object="study__v", object_type="dream__v", name="Dreams")
    save_record(record=layout, actor=build_admin_actor())
    page = client.get(get_url(layout))
    assert page.context["used_for"] == "dream__v, which is no object type any more"


def test_a_page_of_the_editor_asks_as_many_queries_for_many_fields_as_for_few(
    client: Client, django_assert_max_num_queries: Any
) -> None:
    log_in_admin(client)
    client.get(get_url())
    with django_assert_max_num_queries(14):
        client.get(get_url())


# -- Refusals --------------------------------------------------------------------------------------
def test_a_layout_that_cannot_be_saved_is_shown_again_with_every_reason(client: Client) -> None:
    log_in_admin(client)
    key = find("Dates").key
    editor = Editor(client)
    answer = editor.save(**{f"title-{key}": " ", "name": ""})
    assert answer.context["errors"] == ["Name: give the layout a name.", "Section 2: give it a title."]
    assert "The layout was not saved" in answer.content.decode()
    assert read_form(answer, form_id="layout_form")["name"] == [""]
    assert get_layout().version == 1


def save_as_somebody_else(sections: Sections) -> None:
    layout = get_layout()
    save_layout(layout=layout, sections=sections, expected_version=layout.version, actor=build_admin_actor())


def test_a_conflict_is_told_and_nothing_is_lost(client: Client) -> None:
    log_in_admin(client)
    first, *rest = read_sections(get_layout())
    editor = Editor(client).press(f"item-remove|{first.key}|sponsor__v")
    save_as_somebody_else(tuple(rest))
    answer = editor.save()
    assert "Somebody else saved this layout" in answer.content.decode()
    (message,) = answer.context["errors"]
    assert message.startswith("Study page layout was changed by Ada Admin at ")
    assert answer.context["conflicting_version"] == 2
    assert [each.title for each in read_sections(get_layout())] == [each.title for each in rest]
    editor.page = answer
    assert editor.read_items("Study Details") == [name for name in DETAILS if name != "sponsor__v"]
    # A button in between keeps the conflict.
    assert editor.press("refresh").save().context["conflicting_version"] == 2


def test_mine_can_be_saved_over_theirs_but_not_over_what_came_after(client: Client) -> None:
    log_in_admin(client)
    everything = read_sections(get_layout())
    editor = Editor(client)
    save_as_somebody_else(everything[1:])
    refused = editor.save()
    offered = {"_overwrite": str(refused.context["conflicting_version"]), "_save": None}
    save_as_somebody_else(everything[2:])
    editor.page = refused
    refused = editor.save(**offered)
    assert refused.context["conflicting_version"] == 3
    editor.page = refused
    editor.save(_overwrite="3", _save=None)
    assert [each.title for each in read_sections(get_layout())] == [each.title for each in everything]


@pytest.mark.parametrize("layout", ["", "{", "[{}]", '[{"key": 1}]', "null", '[["a"]]', "[" * 100_000])
def test_a_form_that_came_incomplete_is_not_guessed_at(client: Client, layout: str) -> None:
    log_in_admin(client)
    answer = Editor(client).save(layout=layout)
    assert list_messages(answer) == ["The layout came incomplete. Change it again."]
    assert get_layout().version == 1


# -- Layouts of one type ---------------------------------------------------------------------------
def test_a_layout_for_one_type_is_created_as_a_copy_and_opened(client: Client) -> None:
    log_in_admin(client)
    answer = submit_values(
        client,
        f"{ADD}?of_object=crm_activity__v",
        form_id="pagelayout_form",
        typed={"target": "crm_activity__v:medical_activity__v"},
    )
    layout = get_layout("crm_activity__v", "medical_activity__v")
    assert (layout.name, answer.headers["Location"]) == ("Medical Activity page layout", get_url(layout))
    assert [each.title for each in read_sections(layout)] == [
        each.title for each in read_sections(get_layout("crm_activity__v"))
    ]


def test_only_types_without_their_own_layout_are_offered(client: Client) -> None:
    log_in_admin(client)
    choices = client.get(f"{ADD}?of_object=person__sys").context["adminform"].form.fields["target"].choices
    assert choices == [("person__sys:person__v", "Person: Person")]
    assert len(client.get(ADD).context["adminform"].form.fields["target"].choices) == 15


def test_the_layout_of_a_type_is_deleted_with_its_sections_and_that_of_the_object_is_not(client: Client) -> None:
    log_in_admin(client)
    layout = get_layout("person__sys", "investigator__v")
    page = client.get(get_url(layout, "delete"))
    assert (page.status_code, page.context["protected"]) == (200, [])
    client.post(get_url(layout, "delete"), {"post": "yes"})
    assert not PageLayout.objects.filter(pk=layout.pk).exists()
    assert client.post(get_url(get_layout("person__sys"), "delete"), {"post": "yes"}).status_code == 403


def test_the_tab_of_layouts_says_what_each_is_for(client: Client) -> None:
    log_in_admin(client)
    page = client.get("/admin/configuration/configuredobject/person__sys/change/?tab=layouts")
    assert [(row.name, row.used_for, row.section_count, bool(row.delete_url)) for row in page.context["layouts"]] == [
        ("Person page layout", "Person", 3, False),
        ("Investigator page layout", "Investigator", 4, True),
    ]


def test_a_name_is_kept_where_one_is_typed(client: Client) -> None:
    log_in_admin(client)
    submit(client, ADD, form_id="pagelayout_form", target="person__sys:person__v", name="Staff")
    assert get_layout("person__sys", "person__v").name == "Staff"
