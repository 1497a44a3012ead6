"""Configuration > Objects in the admin: the list, the tabs of an object, its types, actions and custom fields."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from ctms.audit.models import AuditEntry
from ctms.audit.services import save_record
from ctms.configuration.models import CustomField, ObjectType, ObjectTypeField, PageLayout
from ctms.configuration.registry import list_objects
from ctms.configuration.selectors import find_layout, is_action_assigned, is_object_type_active, read_sections
from ctms.configuration.services import create_custom_field, set_object_type_status, take_off_fields
from ctms.configuration.snapshot import load_configuration
from ctms.core.choices import RecordStatus
from tests.admin_forms import list_errors, list_messages, log_in_admin, read_form, submit, submit_values
from tests.factories.accounts import SecurityProfileFactory, UserFactory
from tests.factories.base import build_admin_actor

pytestmark = pytest.mark.django_db

OBJECTS = "/admin/configuration/configuredobject/"
ACTIVITY = f"{OBJECTS}crm_activity__v/change/"
AUTHORIZATION = f"{OBJECTS}connection_authorization__sys/change/"
EDIT_ACTIONS = f"{OBJECTS}connection_authorization__sys/actions/"
ADD_FIELD = "/admin/configuration/customfield/add/"
MEDICAL = {"object_name": "crm_activity__v", "object_type": "medical_activity__v"}
ENTER_DETAILS = "enter_connected_app_details__sys"


def get_type_url(api_name: str) -> str:
    return reverse("admin:configuration_objecttype_change", args=(ObjectType.objects.get(api_name=api_name).pk,))


def is_details_assigned() -> bool:
    return is_action_assigned(
        object_name="connection_authorization__sys", object_type="basic_auth__sys", action_name=ENTER_DETAILS
    )


@pytest.mark.parametrize("api_name", [each.api_name for each in list_objects()])
def test_the_page_of_every_registered_object_opens(client: Client, api_name: str) -> None:
    log_in_admin(client)
    page = client.get(f"{OBJECTS}{api_name}/change/")
    assert page.status_code == 200
    for tab in re.findall(r'href="[^"]*\?tab=([a-z_]+)"', page.content.decode()):
        assert client.get(f"{OBJECTS}{api_name}/change/?tab={tab}").status_code == 200, tab


# -- Who may ---------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    "url",
    [OBJECTS, ACTIVITY, f"{ACTIVITY}?tab=fields", EDIT_ACTIONS, ADD_FIELD, "/admin/configuration/pagelayout/add/"],
)
def test_only_a_profile_with_the_permission_opens_the_pages(client: Client, url: str) -> None:
    client.force_login(
        UserFactory.create(
            is_staff=True, security_profile=SecurityProfileFactory.create(permissions=["admin:jobs", "study__v:read"])
        )
    )
    assert (client.get(url).status_code, client.post(url).status_code) == (403, 403)
    client.force_login(
        UserFactory.create(
            is_staff=True, security_profile=SecurityProfileFactory.create(permissions=["admin:configuration"])
        )
    )
    assert client.get(url).status_code == 200


def test_nobody_changes_a_type_without_the_permission(client: Client) -> None:
    client.force_login(UserFactory.create(is_staff=True, security_profile=SecurityProfileFactory.create()))
    assert client.post(ACTIVITY, {"activate": "medical_activity__v"}).status_code == 403
    assert is_object_type_active(**MEDICAL) is False


@pytest.mark.parametrize("path", ["planet__v/change/", "planet__v/actions/", "study__v/history/"])
def test_an_unknown_object_is_not_found(client: Client, path: str) -> None:
    log_in_admin(client)
    assert client.get(f"{OBJECTS}{path}").status_code == 404


# -- The list and the tabs -------------------------------------------------------------------------
def test_every_object_is_listed_with_what_there_is_of_it(client: Client) -> None:
    log_in_admin(client)
    create_custom_field(field=CustomField(of_object="person__sys", label="Colour"), actor=build_admin_actor())
    groups = client.get(OBJECTS).context["groups"]
    listed = {row.api_name: row for _, rows in groups for row in rows}
    person = listed["person__sys"]
    assert (person.title, person.type_count, person.custom_field_count, person.layout_count) == ("Person", 2, 1, 2)
    assert [title for title, _ in groups] == ["Study teams’ objects", "Objects of the admin console"]
    assert {"connection__sys", "exception_item__sys"} <= {row.api_name for row in groups[1][1]}


@pytest.mark.parametrize("tab", ["details", "fields", "types", "actions", "layouts", "nonsense"])
@pytest.mark.parametrize("object_name", ["study__v", "person__sys", "connection_authorization__sys", "field_rule__sys"])
def test_every_tab_of_every_kind_of_object_opens(client: Client, object_name: str, tab: str) -> None:
    log_in_admin(client)
    page = client.get(f"{OBJECTS}{object_name}/change/?tab={tab}")
    assert page.status_code == 200
    [current] = [label for label, _, is_current in page.context["tabs"] if is_current]
    expected = {"types": "Object Types", "layouts": "Page Layouts", "nonsense": "Details"}
    assert current == expected.get(tab, tab.capitalize())


def test_what_is_registered_of_an_object_is_told_in_words(client: Client) -> None:
    log_in_admin(client)
    details = dict(client.get(ACTIVITY).context["details"])
    assert (details["API name"], details["Searched by"]) == ("crm_activity__v", "Name, Subject, Person: Name")


def test_fields_are_shown_with_kind_requirement_and_types(client: Client) -> None:
    log_in_admin(client)
    take_off_fields(
        object_name="crm_activity__v",
        object_type="clinical_activity__v",
        field_names=["notes__v"],
        actor=build_admin_actor(),
    )
    field = CustomField(of_object="crm_activity__v", label="Mood", status=RecordStatus.INACTIVE)
    create_custom_field(field=field, actor=build_admin_actor())
    rows = {row.api_name: row for row in client.get(f"{ACTIVITY}?tab=fields").context["fields"]}
    shown = {
        name: (rows[name].kind, rows[name].required, rows[name].types, rows[name].is_active)
        for name in ("uid__sys", "person__v", "notes__v", "monitoring_event__v", "mood__c")
    }
    assert shown == {
        "uid__sys": ("Text", "–", "All", True),
        "person__v": ("Reference to Person", "Yes", "All", True),
        "notes__v": ("Long text", "–", "Medical Activity", True),
        "monitoring_event__v": ("Reference to Monitoring Event", "–", "None", True),
        "mood__c": ("Text", "–", "–", False),
    }
    assert rows["mood__c"].url == reverse("admin:configuration_customfield_change", args=(field.pk,))


def test_the_number_of_queries_does_not_grow_with_the_fields(
    client: Client, django_assert_max_num_queries: Any
) -> None:
    log_in_admin(client)
    for tab in ("fields", "types", "actions", "layouts"):
        client.get(f"{ACTIVITY}?tab={tab}")
        with django_assert_max_num_queries(9):
            client.get(f"{ACTIVITY}?tab={tab}")


# -- Object types ----------------------------------------------------------------------------------
def test_a_type_is_activated_and_deactivated_from_the_tab(client: Client) -> None:
    log_in_admin(client)
    answer = client.post(ACTIVITY, {"activate": "medical_activity__v"}, follow=True)
    assert (is_object_type_active(**MEDICAL), list_messages(answer)) == (True, ["Medical Activity is active."])
    answer = client.post(ACTIVITY, {"deactivate": "medical_activity__v"}, follow=True)
    assert (is_object_type_active(**MEDICAL), list_messages(answer)) == (False, ["Medical Activity is inactive."])


def test_a_type_that_is_not_there_is_refused_in_words(client: Client) -> None:
    log_in_admin(client)
    (message,) = list_messages(client.post(ACTIVITY, {"activate": "dream__v"}, follow=True))
    assert message.startswith("crm_activity__v has no object type 'dream__v'. Its types: clinical_activity__v")


def test_a_type_is_renamed_and_its_fields_are_decided_in_one_save(client: Client) -> None:
    user = log_in_admin(client)
    url = get_type_url("clinical_activity__v")
    values = read_form(client.get(url), form_id="objecttype_form")
    answer = submit_values(
        client,
        url,
        form_id="objecttype_form",
        typed={
            "label": "Study Activity",
            "type_fields_assigned": [*set(values["type_fields_assigned"]) - {"notes__v"}, "monitoring_event__v"],
            "type_fields_required": ["subject__v"],
        },
    )
    assert answer.headers["Location"] == f"{ACTIVITY}?tab=types"
    shape = load_configuration().get("crm_activity__v").get_type("clinical_activity__v")
    assert (shape.label, shape.required) == ("Study Activity", frozenset({"subject__v"}))
    assert ("monitoring_event__v" in shape.fields, "notes__v" in shape.fields) == (True, False)
    decided = ObjectTypeField.objects.order_by("field_name").values_list("field_name", "is_assigned", "is_required")
    assert list(decided) == [
        ("monitoring_event__v", True, False),
        ("notes__v", False, False),
        ("subject__v", True, True),
    ]
    assert {entry.actor for entry in AuditEntry.objects.filter(source="admin")} == {user}


def test_saving_a_type_untouched_writes_nothing(client: Client) -> None:
    log_in_admin(client)
    before = AuditEntry.objects.count()
    submit(client, get_type_url("clinical_activity__v"), form_id="objecttype_form")
    assert (AuditEntry.objects.count(), ObjectTypeField.objects.count()) == (before, 0)


def test_two_admins_in_one_table_do_not_undo_each_other(client: Client) -> None:
    log_in_admin(client)
    url = get_type_url("clinical_activity__v")
    values = read_form(client.get(url), form_id="objecttype_form")
    take_off_fields(
        object_name="crm_activity__v",
        object_type="clinical_activity__v",
        field_names=["notes__v"],
        actor=build_admin_actor(),
    )
    mine = {**values, "type_fields_assigned": [*values["type_fields_assigned"], "monitoring_event__v"]}
    client.post(url, mine)
    fields = load_configuration().get("crm_activity__v").get_type("clinical_activity__v").fields
    assert ("monitoring_event__v" in fields, "notes__v" in fields) == (True, False)


def test_required_without_assigned_is_refused_beside_the_table_and_the_ticks_stay(client: Client) -> None:
    log_in_admin(client)
    url = get_type_url("clinical_activity__v")
    answer = submit(client, url, form_id="objecttype_form", type_fields_required=["monitoring_event__v"], label="New")
    assert list_errors(answer) == {
        "__all__": [
            "Monitoring event (monitoring_event__v) is required but not assigned: assign it, or require it no more."
        ]
    }
    assert read_form(answer, form_id="objecttype_form")["type_fields_required"] == ["monitoring_event__v"]
    assert ObjectType.objects.get(api_name="clinical_activity__v").label == "Clinical Activity"


def test_a_table_that_came_without_what_was_shown_is_not_guessed_at(client: Client) -> None:
    log_in_admin(client)
    answer = submit(client, get_type_url("clinical_activity__v"), form_id="objecttype_form", type_fields_shown="{")
    assert list_errors(answer) == {"type_fields": ["The form came incomplete. Reload the page and enter it again."]}


def test_a_type_whose_object_is_not_registered_any_more_still_opens(client: Client) -> None:
    log_in_admin(client)
    save_record(
        record=ObjectType(of_object="planet__v", api_name="dwarf__v", label="Dwarf planet"), actor=build_admin_actor()
    )
    url = get_type_url("dwarf__v")
    assert client.get(url).status_code == 200
    submit(client, url, form_id="objecttype_form", status=RecordStatus.INACTIVE)
    assert ObjectType.objects.get(api_name="dwarf__v").status == RecordStatus.INACTIVE
    listed = client.get(reverse("admin:configuration_objecttype_changelist")).content.decode()
    assert "planet__v (not registered any more)" in listed


# -- Actions ---------------------------------------------------------------------------------------
def test_an_action_is_assigned_to_an_object_type_and_taken_from_it(client: Client) -> None:
    log_in_admin(client)
    ticked = f"basic_auth__sys:{ENTER_DETAILS}"
    answer = submit(client, EDIT_ACTIONS, form_id="actions_form", actions_assigned=[ticked])
    assert (answer.headers["Location"], is_details_assigned()) == (f"{AUTHORIZATION}?tab=actions", True)
    [row] = client.get(f"{AUTHORIZATION}?tab=actions").context["rows"]
    assert (row.label, row.assigned_labels) == ("Enter Connected App Details", "Basic Auth")
    assert read_form(client.get(EDIT_ACTIONS), form_id="actions_form")["actions_assigned"] == [ticked]
    submit(client, EDIT_ACTIONS, form_id="actions_form", actions_assigned=None)
    assert is_details_assigned() is False


def test_an_action_or_type_that_is_not_there_is_refused(client: Client) -> None:
    log_in_admin(client)
    answer = submit(client, EDIT_ACTIONS, form_id="actions_form", actions_assigned=["dream__v:" + ENTER_DETAILS])
    assert answer.context["form"].non_field_errors() == [
        "connection_authorization__sys has no object type 'dream__v'. Its types: basic_auth__sys."
    ]
    answer = submit(client, EDIT_ACTIONS, form_id="actions_form", actions_assigned=["basic_auth__sys:dance__v"])
    assert answer.context["form"].non_field_errors() == [
        "Connection Authorization has no action 'dance__v'. Its actions: enter_connected_app_details__sys."
    ]


def test_an_object_without_actions_says_so(client: Client) -> None:
    log_in_admin(client)
    assert "has no actions that admins assign" in client.get(f"{ACTIVITY}?tab=actions").content.decode()
    assert "has no actions that admins assign" in client.get(f"{OBJECTS}study__v/actions/").content.decode()


# -- Custom fields ---------------------------------------------------------------------------------
def add_field(client: Client, **typed: Any) -> Any:
    values = {"of_object": "person__sys", "label": "Shift", **typed}
    return submit(client, ADD_FIELD, form_id="customfield_form", **values)


def test_a_custom_field_is_created_named_after_its_label_and_put_on_the_pages(client: Client) -> None:
    log_in_admin(client)
    answer = add_field(client, label="Favourite colour")
    assert answer.headers["Location"] == f"{OBJECTS}person__sys/change/?tab=fields"
    assert CustomField.objects.get().api_name == "favourite_colour__c"
    layout = find_layout(object_name="person__sys")
    assert layout is not None
    assert read_sections(layout)[0].items[-1] == "favourite_colour__c"


def test_a_custom_field_is_left_off_the_pages_when_nobody_wants_it_there(client: Client) -> None:
    log_in_admin(client)
    add_field(client, add_to_layouts=None)
    assert PageLayout.objects.filter(version__gt=1).count() == 0


def test_picklist_values_are_typed_one_a_line(client: Client) -> None:
    log_in_admin(client)
    add_field(client, kind="picklist", picklist_values="Early\r\n Late \r\n\r\nEarly")
    assert CustomField.objects.get().picklist_values == [
        {"api_name": "early__c", "label": "Early", "is_active": True},
        {"api_name": "late__c", "label": "Late", "is_active": True},
    ]


@pytest.mark.parametrize(
    ("typed", "errors"),
    [
        (
            {"api_name": "shift"},
            {
                "api_name": [
                    "Use small letters, digits and underscores, ending in __c, e.g. favourite_colour__c.",
                ]
            },
        ),
        ({"label": ""}, {"label": ["This field is required."]}),
        ({"kind": "picklist"}, {"picklist_values": ["A picklist needs at least one value to choose."]}),
        (
            {"of_object": "connection__sys"},
            {"of_object": ["Select a valid choice. connection__sys is not one of the available choices."]},
        ),
    ],
)
def test_a_custom_field_that_cannot_be_is_refused_beside_the_field(
    client: Client, typed: dict[str, str], errors: dict[str, list[str]]
) -> None:
    log_in_admin(client)
    found = list_errors(add_field(client, **typed))
    assert {name: found[name] for name in errors} == errors
    assert CustomField.objects.count() == 0


def test_the_object_is_chosen_already_when_the_way_led_over_its_page(client: Client) -> None:
    log_in_admin(client)
    values = read_form(client.get(f"{ADD_FIELD}?of_object=study__v"), form_id="customfield_form")
    assert values["of_object"] == ["study__v"]


def test_a_type_page_names_the_fields_that_cannot_be_taken_off(client: Client) -> None:
    log_in_admin(client)
    page = client.get(get_type_url("clinical_activity__v"))
    shown = json.loads(read_form(page, form_id="objecttype_form")["type_fields_shown"][0])
    assert ("person__v" in shown["assigned"], "notes__v" in shown["assigned"]) == (False, True)
    assert 'aria-label="Person: assigned"' in page.content.decode()


def test_the_status_of_a_type_set_elsewhere_is_seen(client: Client) -> None:
    log_in_admin(client)
    set_object_type_status(**MEDICAL, status=RecordStatus.ACTIVE, actor=build_admin_actor())
    rows = client.get(f"{ACTIVITY}?tab=types").context["types"]
    assert {row.api_name: row.is_active for row in rows} == {"clinical_activity__v": True, "medical_activity__v": True}
