"""Form fields: they read what people, files and bulk edits type as values of records."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from django import forms
from django.core.exceptions import ValidationError
from django.utils import timezone
from django.utils.datastructures import MultiValueDict

from activities.choices import ActivityType
from ctms.accounts.models import User
from ctms.clinical.models import Person
from ctms.configuration.models import CustomField, ObjectType
from ctms.configuration.services import FieldDecision, create_custom_field, decide_fields
from ctms.core.choices import RecordStatus
from ctms.records.access import ObjectAccess, open_object
from ctms.records.fields.form_fields import build_form_field
from ctms.records.fields.kinds.picklist import SegmentedInput
from ctms.records.fields.reference_field import ReferenceField
from tests.factories.accounts import SecurityProfileFactory, UserFactory
from tests.factories.base import build_admin_actor, get_admin_user
from tests.factories.clinical import PersonFactory, StudyFactory, StudySiteFactory

pytestmark = pytest.mark.django_db

ACTIVITY, STUDY, TRAINING = "crm_activity__v", "study__v", "training__v"


def build(name: str, *, of: str = ACTIVITY, user: User | None = None, **options: Any) -> forms.Field:
    access = open_object(user=user or get_admin_user(), object_name=of)
    return build_form_field(access=access, field=access.shape.fields[name], **options)


def build_reference(name: str, **options: Any) -> ReferenceField:
    field = build(name, **options)
    assert isinstance(field, ReferenceField)
    return field


def explain(field: forms.Field, value: Any) -> list[str]:
    with pytest.raises(ValidationError) as refusal:
        field.clean(value)
    return [str(each) for each in refusal.value.messages]


def add_custom_field(kind: str) -> None:
    values = ["red", "blue"] if kind == "picklist" else []
    field = CustomField(of_object=STUDY, label="Extra", api_name="extra__c", kind=kind, picklist_values=values)
    create_custom_field(field=field, actor=build_admin_actor())


# -- Plain values ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "typed", "value"),
    [
        ("subject__v", "  Call ", "Call"),
        ("subject__v", "", ""),
        ("notes__v", "Two\r\nlines\r\n", "Two\nlines"),
        ("channel__v", "phone__v", "phone__v"),
        ("channel__v", " Chat/text ", "chat_text__v"),
        ("date__v", "2026-03-02", dt.date(2026, 3, 2)),
        ("date__v", "02/03/2026", dt.date(2026, 3, 2)),
        ("date__v", "2 Mar 2026", dt.date(2026, 3, 2)),
        ("complete__v", "on", True),
        ("complete__v", "YES", True),
        ("complete__v", True, True),
        ("complete__v", "No", False),
        ("complete__v", "0", False),
        ("complete__v", None, False),
        ("complete__v", "", False),
    ],
)
def test_what_is_typed_is_read(name: str, typed: Any, value: Any) -> None:
    assert build(name).clean(typed) == value


@pytest.mark.parametrize(
    ("name", "typed", "messages"),
    [
        ("subject__v", "x" * 501, ["Ensure this value has at most 500 characters (it has 501)."]),
        ("subject__v", "a\x00b", ["Null characters are not allowed."]),
        ("channel__v", "smoke", ["“smoke” is none of the choices: In person, Video, Phone, Chat/Text, Email, Other."]),
        ("channel__v", "", ["This field is required."]),
        ("date__v", "31/02/2026", ["This is no date. Write it as 2026-03-31 or 31 Mar 2026."]),
        ("date__v", "", ["This field is required."]),
        ("complete__v", "perhaps", ["“perhaps” is neither Yes nor No."]),
    ],
)
def test_what_cannot_be_read_is_explained(name: str, typed: Any, messages: list[str]) -> None:
    assert explain(build(name), typed) == messages


def test_numbers_are_whole_where_the_model_says_so() -> None:
    field = build("hours__v", of=TRAINING)

    assert (field.clean("8"), field.clean(""), explain(field, "1.5")) == (
        8,
        None,
        ["This is no whole number. Write it as 1234."],
    )


@pytest.mark.parametrize("typed", ["1.000", "-12.000.000"])
def test_thousands_with_points_are_no_fraction_without_a_value(typed: str) -> None:
    assert explain(build("hours__v", of=TRAINING), typed) == ["This is no whole number. Write it as 1234."]


@pytest.mark.parametrize(
    ("kind", "typed", "value"),
    [
        ("text", "calm", "calm"),
        ("long_text", "Two\r\nlines", "Two\nlines"),
        ("number", "2.50", Decimal("2.50")),
        ("number", "", None),
        ("date", "2026-03-02", dt.date(2026, 3, 2)),
        ("datetime", "2026-03-02T10:30", dt.datetime(2026, 3, 2, 1, 30, tzinfo=dt.UTC)),
        ("datetime", "2026-03-02 10:30", dt.datetime(2026, 3, 2, 1, 30, tzinfo=dt.UTC)),
        ("yes_no", "yes", True),
        ("picklist", "RED", "red"),
    ],
)
def test_custom_fields_of_every_kind_are_read(kind: str, typed: str, value: Any) -> None:
    add_custom_field(kind)

    with timezone.override(ZoneInfo("Asia/Tokyo")):  # where the user types
        assert build("extra__c", of=STUDY).clean(typed) == value


@pytest.mark.parametrize(
    ("kind", "typed", "messages"),
    [
        ("text", "x" * 256, ["Ensure this value has at most 255 characters (it has 256)."]),
        ("number", "seven", ["This is no number. Write it as 1234.5."]),
        ("number", "12345678901234567", ["Ensure that there are no more than 15 digits in total."]),
        ("date", "soon", ["This is no date. Write it as 2026-03-31 or 31 Mar 2026."]),
        ("datetime", "soon", ["This is no time. Write it as 2026-03-31 14:05."]),
        ("picklist", "green", ["“green” is none of the choices: red, blue."]),
    ],
)
def test_custom_fields_of_every_kind_are_refused(kind: str, typed: str, messages: list[str]) -> None:
    add_custom_field(kind)

    assert explain(build("extra__c", of=STUDY), typed) == messages


def test_what_the_type_requires_is_required() -> None:
    row = ObjectType.objects.get(of_object=ACTIVITY, api_name=ActivityType.CLINICAL)
    decision = FieldDecision(is_assigned=True, is_required=True)
    decide_fields(object_type=row, decisions={"subject__v": decision}, actor=build_admin_actor())

    assert build("subject__v", object_type=ActivityType.CLINICAL).required is True
    assert build("subject__v").required is False


def test_the_same_text_with_other_line_ends_is_no_change() -> None:
    field = build("notes__v")

    assert [field.has_changed("a\nb ", "a\r\nb"), field.has_changed(None, ""), field.has_changed("a", "b")] == [
        False,
        False,
        True,
    ]


# Berlin put its clocks back at 3 a.m. of this day, and forward at 2 a.m. of the other.
AUTUMN, SPRING = "2025-10-26", "2026-03-29"


@pytest.fixture
def _in_berlin() -> Iterator[None]:
    with timezone.override(ZoneInfo("Europe/Berlin")):
        yield


def build_moment(present: dt.datetime | None = None) -> forms.Field:
    add_custom_field("datetime")
    return build("extra__c", of=STUDY, present=present)


@pytest.mark.usefixtures("_in_berlin")
def test_of_an_hour_that_comes_twice_the_first_is_meant_unless_the_record_holds_the_second() -> None:
    first, second = (dt.datetime(2025, 10, 26, hour, 30, tzinfo=dt.UTC) for hour in (0, 1))
    field, shown = build_moment(second), f"{AUTUMN}T02:30"

    assert field.clean(shown) == second
    assert field.has_changed(second, shown) is False
    field = build("extra__c", of=STUDY)
    assert (field.clean(shown), field.clean(f"{AUTUMN}T03:30").hour) == (first, 2)
    assert [field.has_changed(value, shown) for value in (first, second, None)] == [False, True, True]


@pytest.mark.usefixtures("_in_berlin")
def test_an_hour_that_does_not_come_is_refused() -> None:
    assert "may not exist" in explain(build_moment(), f"{SPRING}T02:30")[0]


@pytest.mark.usefixtures("_in_berlin")
def test_the_seconds_that_an_entry_does_not_show_are_kept() -> None:
    present = dt.datetime(2026, 3, 2, 9, 30, 15, tzinfo=dt.UTC)
    field = build_moment(present)

    assert [field.has_changed(value, "2026-03-02T10:30") for value in (present, present.replace(second=0))] == [
        False
    ] * 2
    assert (field.clean("2026-03-02T10:30"), field.clean("2026-03-02T10:30:20").second) == (present, 20)
    assert (field.has_changed(present, "2026-03-02T10:31"), field.has_changed(present, "")) == (True, True)


@pytest.mark.parametrize("zone", ["Asia/Tokyo", "UTC", "America/New_York"])
@pytest.mark.parametrize("typed", ["0001-01-01T00:00", "9999-12-31T23:59"])
def test_moments_at_the_edge_of_the_calendar_are_refused(zone: str, typed: str) -> None:
    field = build_moment()

    with timezone.override(ZoneInfo(zone)):
        assert explain(field, typed) == ["Enter a date and time between 0001-01-02 and 9999-12-30."]


def test_null_characters_are_refused_in_references() -> None:
    assert explain(build_reference("person__v"), "\x00x") == ["Null characters are not allowed."]


def test_object_types_are_those_that_the_user_may_create() -> None:
    profile = SecurityProfileFactory.create(permissions=["person__sys:read", "person__sys.investigator__v:create"])
    user = UserFactory.create(security_profile=profile)

    def list_choices(**options: Any) -> list[str]:
        field = build("object_type__v", of="person__sys", user=user, **options)
        return [label for _, label in field.choices]  # type: ignore[attr-defined]

    assert list_choices() == ["–", "Investigator"]
    assert list_choices(present="person__v") == ["–", "Investigator", "Person"]


def test_a_value_that_is_no_longer_among_the_choices_may_stay() -> None:
    add_custom_field("picklist")

    assert build("extra__c", of=STUDY, present="green").clean("green") == "green"
    assert explain(build("extra__c", of=STUDY), "green") == ["“green” is none of the choices: red, blue."]


def test_a_date_that_is_none_is_shown_as_it_was_typed() -> None:
    field = build("date__v")

    assert 'type="date"' in field.widget.render("date__v", dt.date(2026, 3, 2))
    assert 'value="2026-03-02"' in field.widget.render("date__v", dt.date(2026, 3, 2))
    refused = field.widget.render("date__v", "31/02/2026")
    assert ('type="text"' in refused, 'value="31/02/2026"' in refused) == (True, True)


def test_segments_show_each_choice_with_its_icon() -> None:
    widget = SegmentedInput(choices=[("phone__v", "Phone"), ("other__v", "Other")], icons={"phone__v": "phone"})

    shown = widget.render("channel__v", "phone__v", attrs={"id": "id_channel"})

    assert (shown.count("<label"), shown.count("#icon-phone"), shown.count("checked")) == (2, 1, 1)


# -- References ------------------------------------------------------------------------------------------------------


@pytest.fixture
def berg() -> Person:
    return PersonFactory.create(first_name="Hannah", last_name="Berg", email="Berg@x.example", external_id="P-7")


@pytest.mark.parametrize(
    "text",
    ["P-7", "Hannah Berg", "hannah BERG", "berg@X.example", "Hannah Berg (Berg@x.example)", " Hannah Berg "],
)
def test_somebody_is_found_by_external_id_name_or_email(berg: Person, text: str) -> None:
    PersonFactory.create(first_name="Hannah", last_name="Bergmann")

    assert build_reference("person__v").clean(text) == berg


def test_an_external_id_may_look_like_a_uid_of_which_there_is_no_record(berg: Person) -> None:
    key = "8C1F0D3E-0B6A-4D1B-9C55-0A5D6E7F8A9B"
    there = PersonFactory.create(external_id=key)
    doubtful = PersonFactory.create(external_id=str(berg.uid))
    field = build_reference("person__v")

    assert (field.clean(key), field.clean(str(berg.uid)), field.clean(doubtful.uid)) == (there, berg, doubtful)


def test_a_site_is_found_by_its_number_or_as_it_was_suggested() -> None:
    site = StudySiteFactory.create(name="0142", site_name="Charité")
    field = build_reference("site__v")

    assert (field.clean(site.uid), field.clean(str(site.uid)), field.clean("0142"), field.clean("0142 · charité")) == (
        site,
        site,
        site,
        site,
    )


def test_what_several_match_has_to_be_chosen(berg: Person) -> None:
    PersonFactory.create(first_name="Hannah", last_name="Berg")

    assert explain(build_reference("person__v"), "Hannah Berg") == [
        "Several match “Hannah Berg”. Choose one from the list, or type its external ID."
    ]


@pytest.mark.parametrize("text", ["Nobody", "Hannah", "(", "·", "%", "00000000"])
def test_what_nothing_matches_is_said(berg: Person, text: str) -> None:
    (message,) = explain(build_reference("person__v"), text)

    assert message == (
        f"There is no active person “{text}” that fits here. Choose one from the list, or type its exact name or "
        "external ID."
    )


def test_what_is_chosen_narrows_what_a_number_means() -> None:
    site = StudySiteFactory.create(name="0142")
    other = StudySiteFactory.create(name="0142")

    assert build_reference("site__v", chosen={"study__v": other.study.uid}).clean("0142") == other
    (message,) = explain(build_reference("site__v", chosen={"study__v": other.study.uid}), site.uid)
    assert message == (
        f"0142 · {site.site_name} does not fit here: it is inactive, or does not belong to what is chosen beside it. "
        "Choose one from the list."
    )


def test_what_does_not_exist_or_is_not_visible_is_said_without_its_name() -> None:
    site = StudySiteFactory.create()
    profile = SecurityProfileFactory.create(permissions=["crm_activity__v:read", "site__v:read"])
    user = UserFactory.create(security_profile=profile)

    for uid in (site.uid, "00000000-0000-0000-0000-000000000000"):
        assert explain(build_reference("site__v", user=user), uid) == [
            "This study site does not exist, or you cannot see it. Choose one from the list."
        ]
    # It cannot be found either if the user may not read the object at all.
    assert explain(build_reference("person__v", user=user), PersonFactory.create().uid) == [
        "This person does not exist, or you cannot see it. Choose one from the list."
    ]


def test_what_the_record_refers_to_already_may_stay(berg: Person) -> None:
    inactive = PersonFactory.create(status=RecordStatus.INACTIVE)

    assert build_reference("person__v", present=inactive).clean(str(inactive.uid)) == inactive
    assert explain(build_reference("person__v", present=berg), inactive.uid)[0].startswith(str(inactive))


def test_a_custom_reference_that_is_held_as_a_uid_may_stay() -> None:
    add_custom_field("reference")
    inactive = PersonFactory.create(status=RecordStatus.INACTIVE)
    field = build_reference("extra__c", of=STUDY, present=inactive.uid)

    assert (field.clean(inactive.uid), field.has_changed(inactive.uid, str(inactive.uid))) == (inactive, False)


def test_a_required_reference_that_another_fills_may_be_left_empty() -> None:
    person = build_reference("person__v")
    trainee = build_reference("trainee__v", of=TRAINING)

    assert (person.required, person.clean("")) == (True, None)
    assert (trainee.required, explain(trainee, "")) == (True, ["This field is required."])


def read(widget: forms.Widget, **data: str) -> Any:
    return widget.value_from_datadict(data, MultiValueDict(), "site__v")


def test_what_is_typed_counts_unless_it_is_what_was_shown() -> None:
    widget = build_reference("site__v").widget

    assert {
        "chosen": read(widget, site__v="uid", site__v__text="0142", site__v__shown="0142"),
        "typed over": read(widget, site__v="uid", site__v__text=" 0143 ", site__v__shown="0142"),
        "emptied": read(widget, site__v="uid", site__v__text="", site__v__shown="0142"),
        "typed": read(widget, site__v="", site__v__text="0143", site__v__shown=""),
        "of a program": read(widget, site__v="uid"),
        "absent": read(widget),
    } == {
        "chosen": "uid",
        "typed over": "0143",
        "emptied": "",
        "typed": "0143",
        "of a program": "uid",
        "absent": None,
    }
    assert widget.value_omitted_from_data({}, MultiValueDict(), "site__v") is True
    assert widget.value_omitted_from_data({"site__v__text": ""}, MultiValueDict(), "site__v") is False


def test_the_widget_tells_the_script_what_it_needs() -> None:
    site = StudySiteFactory.create(name="0142", site_name="Charité & Söhne")

    shown = build_reference("site__v").widget.render("site__v", str(site.uid), attrs={"id": "id_site__v"})

    for part in (
        'data-field="site__v"',
        'data-url="/records/crm_activity__v/lookup/site__v/"',
        'data-parents="study__v study_country__v"',
        'data-create-url="/records/site__v/create/"',
        f'value="{site.uid}"',
        'value="0142 · Charité &amp; Söhne"',
        f"&quot;study__v&quot;: {{&quot;uid&quot;: &quot;{site.study.uid}&quot;",
        'aria-controls="id_site__v_list"',
        'id="id_site__v_list"',
    ):
        assert part in shown


def test_who_cannot_create_is_not_offered_to() -> None:
    profile = SecurityProfileFactory.create(permissions=["crm_activity__v:read", "person__sys:read"])
    access = open_object(user=UserFactory.create(security_profile=profile), object_name=ACTIVITY)

    def find_create_url(access: ObjectAccess) -> str:
        return ReferenceField(access=access, field=access.shape.fields["person__v"]).create_url

    assert find_create_url(access) == ""
    assert find_create_url(open_object(user=get_admin_user(), object_name=ACTIVITY)) == "/records/person__sys/create/"


def test_a_filter_takes_whatever_is_visible() -> None:
    inactive = PersonFactory.create(status=RecordStatus.INACTIVE)
    access = open_object(user=get_admin_user(), object_name=ACTIVITY)
    field = ReferenceField(access=access, field=access.shape.fields["person__v"], takes_any=True)

    assert (field.clean(inactive.uid), field.clean(inactive.name), field.create_url, field.lookup_url) == (
        inactive,
        inactive,
        "",
        "/records/crm_activity__v/lookup/person__v/?any=1",
    )


def test_forms_do_not_share_their_fields() -> None:
    class StudyForm(forms.Form):
        study = ReferenceField(
            access=open_object(user=get_admin_user(), object_name=ACTIVITY),
            field=open_object(user=get_admin_user(), object_name=ACTIVITY).shape.fields["study__v"],
        )

    one, other = StudyForm(), StudyForm()
    study = StudyFactory.create()

    assert (one.fields["study"].widget.field, one.fields["study"]) == (one.fields["study"],) * 2
    assert one.fields["study"] is not other.fields["study"]
    assert StudyForm({"study": str(study.uid)}).is_valid()
