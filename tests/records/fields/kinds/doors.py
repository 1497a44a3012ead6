"""Every door through which a value of a kind of field comes in or goes out, for the tests of any kind.

A test class derives from `EveryDoor` and says of its kind what goes in and what has to come out.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping
from typing import Any, ClassVar

import pytest
from django.core.exceptions import ValidationError
from django.test import Client

from ctms.accounts.models import User
from ctms.audit.actors import Actor
from ctms.audit.services import save_record
from ctms.configuration.custom_fields import read_field
from ctms.configuration.kinds import find_custom_kind
from ctms.configuration.models import CustomField
from ctms.configuration.services.custom_fields import create_custom_field, update_custom_field
from ctms.records.access import open_object
from ctms.records.fields.kinds.base import kind_of
from ctms.records.fields.values import fits_kind, read_value
from ctms.records.pages.timeline import read_timeline
from ctms.records.writing.services import build_record
from tests.admin_forms import fill, read_form
from tests.factories.accounts import UserFactory
from tests.factories.base import build_admin_actor
from tests.factories.clinical import PersonFactory
from tests.records.api.conftest import build_caller, list_errors
from tests.records.bulk.steps import do_edit, do_import, list_problems, upload
from tests.sample.models import Training

OBJECT, NAME = "training__v", "extra__c"
_LIST = f"/records/{OBJECT}/"
_OPENAPI = {"Accept": "application/vnd.oai.openapi+json"}


class EveryDoor:
    """What a custom field of a kind has to do. The first value stands in `text` … , another in `other_text` … ."""

    kind: ClassVar[str]
    choices: ClassVar[list[str]] = []
    typed: ClassVar[Mapping[str, Any]]  # suffix of the input's name → what a form sends
    text: ClassVar[str]  # as a cell of a file
    stored: ClassVar[Any]
    shown: ClassVar[str]
    json: ClassVar[Any]
    cell: ClassVar[str]  # of an exported file
    sent: ClassVar[Any]  # to a CRM
    other_text: ClassVar[str]
    other_stored: ClassVar[Any]
    other_shown: ClassVar[str]
    wrong_text: ClassVar[str]
    problem: ClassVar[str]  # what is said of it
    wrong_json: ClassVar[Any]
    # Parameters of a list → whether the first and the other value pass.
    filters: ClassVar[Mapping[str, tuple[bool, bool]]]

    @pytest.fixture(autouse=True)
    def user(self, client: Client) -> User:
        user = UserFactory.create(is_superuser=True)
        client.force_login(user)
        field = CustomField(
            of_object=OBJECT, label="Extra", api_name=NAME, kind=self.kind, picklist_values=self.choices
        )
        create_custom_field(field=field, actor=build_admin_actor(), add_to_layouts=True)
        return user

    def create(self, stored: Any = None, name: str = "GCP") -> Training:
        return self.save(name=name, custom_fields={NAME: self.stored if stored is None else stored})

    def save(self, *, name: str, custom_fields: dict[str, Any]) -> Training:
        training = Training(name=name, external_id=name, trainee=PersonFactory.create())
        training.custom_fields = custom_fields
        save_record(record=training, actor=build_admin_actor())
        return training

    def list_same(self) -> list[str]:
        """Return the texts that mean the first value."""
        return [self.text, self.cell, self.shown]

    def read(self, training: Training) -> Any:
        training.refresh_from_db()
        return training.custom_fields.get(NAME)

    def test_a_form_takes_it_and_an_untouched_form_keeps_it(self, client: Client) -> None:
        typed = {f"{NAME}{suffix}": value for suffix, value in self.typed.items()}
        person = PersonFactory.create()
        data = {"name__v": "GCP", "trainee__v": str(person.uid), "status__v": "active__v", **typed}
        response = client.post(f"{_LIST}create/", data)
        assert response.status_code == 302, response.context["form"].errors
        training = Training.objects.get()
        assert self.read(training) == self.stored
        page = f"{_LIST}{training.uid}/edit/"
        values = read_form(client.get(page), form_id="record-form")
        assert client.post(page, values).status_code == 302
        assert (self.read(training), training.version) == (self.stored, 1)

    def test_a_form_says_what_is_wrong(self, client: Client) -> None:
        training = self.create()
        page = f"{_LIST}{training.uid}/edit/"
        values = read_form(client.get(page), form_id="record-form")
        kept = {name: value for name, value in values.items() if not name.startswith(NAME)}
        answer = client.post(page, fill(kept, typed={NAME: self.wrong_text}))
        assert self.problem in " ".join(answer.context["form"].errors[NAME])
        assert self.read(training) == self.stored

    def test_pages_lists_and_files_show_it(self, client: Client) -> None:
        training = self.create()
        assert self.shown in client.get(f"{_LIST}{training.uid}/").content.decode()
        assert self.shown in client.get(f"{_LIST}?columns=name__v,{NAME}").content.decode()
        content = b"".join(client.get(f"{_LIST}export.csv?columns={NAME}")).decode()
        assert [row[-1] for row in csv.reader(io.StringIO(content.removeprefix("\ufeff")))][1:] == [self.cell]
        workbook = client.get(f"{_LIST}export.xlsx?columns={NAME}")
        workbook.close()
        assert workbook.status_code == 200

    def test_lists_are_sorted_by_it_where_that_makes_sense(self, client: Client) -> None:
        self.create()
        self.create(stored=self.other_stored, name="ICH")
        access = open_object(user=UserFactory.create(is_superuser=True), object_name=OBJECT)
        is_sortable = kind_of(access.shape.fields[NAME]).is_sortable
        answers = [client.get(f"{_LIST}?sort={sign}{NAME}").context["page"] for sign in ("", "-")]
        names = [[str(record) for record in page.table.rows] for page in answers]
        assert (names[0] == names[1][::-1], [bool(page.problems) for page in answers]) == (
            (True, [False, False]) if is_sortable else (False, [True, True])
        )

    def test_filters_find_it(self, client: Client) -> None:
        first, other = self.create(), self.create(stored=self.other_stored, name="ICH")
        self.save(name="None", custom_fields={})
        caller = build_caller(UserFactory.create(is_superuser=True))
        for query, expected in self.filters.items():
            page = client.get(f"{_LIST}?{query}").context["page"]
            assert not page.problems, (query, page.problems)
            found = {record.pk for record in page.table.rows}
            assert (first.pk in found, other.pk in found) == expected, query
            rows = caller.client.get(f"/api/v1/{OBJECT}/?{query}").json()["results"]
            assert {row["name__v"] for row in rows} == {str(record) for record in page.table.rows}
        assert client.get(f"{_LIST}?{NAME}__empty=true").context["page"].total == 1

    def test_a_file_changes_it_and_what_is_exported_changes_nothing(self, client: Client) -> None:
        training = self.create()
        for text in self.list_same():
            file = io.StringIO()
            csv.writer(file).writerows([["External ID", "Extra"], ["GCP", text]])
            assert do_import(client, OBJECT, file.getvalue()).counts == {"unchanged": 1}, text
        file = io.StringIO()
        csv.writer(file).writerows([["External ID", "Extra"], ["GCP", self.other_text]])
        assert do_import(client, OBJECT, file.getvalue()).counts == {"changed": 1}
        assert self.read(training) == self.other_stored

    def test_a_file_says_what_is_wrong(self, client: Client) -> None:
        file = io.StringIO()
        csv.writer(file).writerows([["External ID", "Extra"], ["GCP", self.wrong_text]])
        self.create()
        [(line, label, problem)] = list_problems(upload(client, OBJECT, file.getvalue()))
        assert (line, label, self.problem in problem) == (2, "Extra", True)

    def test_many_records_get_and_lose_it_at_once(self, client: Client) -> None:
        trainings = [self.create(name=name) for name in ("a", "b")]
        do_edit(client, OBJECT, trainings, **{NAME: self.other_text})
        assert [self.read(each) for each in trainings] == [self.other_stored] * 2
        emptied: dict[str, Any] = {NAME: None}
        do_edit(client, OBJECT, trainings, **emptied)
        assert [self.read(each) for each in trainings] == [None, None]

    def test_the_api_shows_takes_and_describes_it(self) -> None:
        training = self.create(stored=self.other_stored)
        caller = build_caller(UserFactory.create(is_superuser=True))
        path = f"{OBJECT}/{training.uid}/"
        refused = caller.patch(path, {NAME: self.wrong_json}, etag="*")
        assert (refused.status_code, list(list_errors(refused))) == (400, [NAME])
        assert caller.patch(path, {NAME: self.json}, etag="*").json()[NAME] == self.json
        assert self.read(training) == self.stored
        assert caller.patch(path, caller.get(path).json(), etag="*").json()["version"] == 2
        assert caller.patch(path, {NAME: None}, etag="*").json()[NAME] is None
        schemas = caller.client.get("/api/v1/schema/", headers=_OPENAPI).json()["components"]["schemas"]
        assert NAME in schemas[OBJECT]["properties"]
        assert NAME in schemas[f"{OBJECT}_new"]["properties"]

    def test_history_tells_it_in_words(self, user: User) -> None:
        training = self.create()
        training.custom_fields = {NAME: self.other_stored}
        save_record(record=training, actor=Actor(user=user, source="page"))
        access = open_object(user=user, object_name=OBJECT)
        [change] = read_timeline(access=access, record=training).entries[0].changes
        assert (change.label, change.before, change.after) == ("Extra", self.shown, self.other_shown)

    def test_it_is_edited_in_place_and_conflicts_are_shown(self, client: Client, user: User) -> None:
        training = self.create()
        place = f"{_LIST}{training.uid}/fields/{NAME}/"
        page = f"{_LIST}{training.uid}/edit/"
        opened = read_form(client.get(page), form_id="record-form")
        assert client.get(place).status_code == 200
        client.post(place, {NAME: self.other_text, "expected_version": "1"})
        assert self.read(training) == self.other_stored
        kept = {name: value for name, value in opened.items() if not name.startswith(NAME)}
        unchanged = client.post(page, fill(opened, typed={"name__v": "New"}))
        [row] = [row for row in unchanged.context["conflict"].rows if row.label == "Extra"]
        assert (row.yours, row.theirs, row.choice) == (self.shown, self.other_shown, "theirs")
        typed = client.post(page, fill(kept, typed={"name__v": "New", NAME: self.text}))
        merged = fill(read_form(typed, form_id="conflict-form"), typed={f"choose__{NAME}": "theirs"})
        assert client.post(page, merged).status_code == 302
        assert self.read(training) == self.other_stored

    def test_a_crm_gets_it_in_its_own_form(self, user: User) -> None:
        field = open_object(user=user, object_name=OBJECT).shape.fields[NAME]
        training = self.create()
        assert kind_of(field).to_crm(training.custom_fields[NAME]) == self.sent
        assert kind_of(field).store(read_value(record=training, field=field)) == self.stored

    def test_the_preview_of_a_layout_has_a_sample(self) -> None:
        kind = find_custom_kind(self.kind)
        assert kind.build_sample([(each, each) for each in self.choices]) == (self.choices[0] if self.choices else "")

    def test_a_default_goes_into_new_records_and_is_shown_as_it_is_typed(self, user: User) -> None:
        field = CustomField.objects.get(api_name=NAME)
        update_custom_field(field=field, actor=build_admin_actor(), default=self.text)
        assert field.default_value == self.stored
        shown = find_custom_kind(self.kind).show_default(stored=field.default_value, field=read_field(field))
        update_custom_field(field=field, actor=build_admin_actor(), default=shown)
        assert field.default_value == self.stored
        access = open_object(user=user, object_name=OBJECT)
        assert build_record(access=access, object_type="").custom_fields == {NAME: self.stored}

    def test_only_one_record_has_it_if_it_is_unique(self, client: Client) -> None:
        field = CustomField.objects.get(api_name=NAME)
        field.is_unique, field.max_length = True, 255 if "max_length" in find_custom_kind(self.kind).options else None
        if not find_custom_kind(self.kind).can_be_unique:
            with pytest.raises(ValidationError, match="cannot be unique"):
                update_custom_field(field=field, actor=build_admin_actor())
            return
        update_custom_field(field=field, actor=build_admin_actor())
        self.create()
        self.save(name="ICH", custom_fields={})
        file = io.StringIO()
        csv.writer(file).writerows([["External ID", "Extra"], ["ICH", self.text]])
        [(line, label, problem)] = list_problems(upload(client, OBJECT, file.getvalue()))
        assert (line, label, "has this Extra; only one may" in problem) == (2, "Extra", True)

    def test_what_it_stores_is_told_from_what_another_kind_did(self, user: User) -> None:
        field = open_object(user=user, object_name=OBJECT).shape.fields[NAME]
        assert all(fits_kind(stored=each, field=field) for each in (self.stored, self.other_stored))
        assert not fits_kind(stored=["another"], field=field)
