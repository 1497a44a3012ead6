"""What the check page says about how a file was read, asks about it, and reads anew."""

from __future__ import annotations

import datetime as dt
import io
from typing import Any

import pytest
import xlsxwriter
from django.test import Client

from ctms.accounts.models import User
from ctms.audit.services import save_record
from ctms.clinical.models import Person, Study, StudySite
from ctms.configuration.models import CustomField, ReasonRule
from ctms.records.models import BulkOperation
from tests.factories.accounts import UserFactory
from tests.factories.base import build_admin_actor
from tests.factories.clinical import PersonFactory, StudyCountryFactory, StudyFactory, StudySiteFactory
from tests.records.bulk.steps import confirm, do_import, list_problems, run_job, upload
from tests.records.trainings import add_custom_fields
from tests.sample.models import Training

pytestmark = [pytest.mark.django_db, pytest.mark.both_databases]

PERSON, STUDY, SITE, ACTIVITY, TRAINING = "person__sys", "study__v", "site__v", "crm_activity__v", "training__v"
DATES = "Study number,Planned start\nS-1,03/04/2026\nS-2,05/06/2026\n"


@pytest.fixture(autouse=True)
def user(client: Client) -> User:
    made = UserFactory.create(username="carla", is_superuser=True)
    client.force_login(made)
    return made


def show(client: Client, operation: BulkOperation) -> str:
    return " ".join(client.get(f"/records/{operation.of_object}/import/{operation.uid}/").content.decode().split())


def answer(client: Client, operation: BulkOperation, **choices: str) -> str:
    """Say how a file is read, and return what the page then says."""
    response = client.post(f"/records/{operation.of_object}/import/{operation.uid}/reading/", choices, follow=True)
    operation.refresh_from_db()
    return " ".join(response.content.decode().split())


# -- Dates ----------------------------------------------------------------------------------------
@pytest.mark.parametrize(("order", "day"), [("day_first", dt.date(2026, 4, 3)), ("month_first", dt.date(2026, 3, 4))])
def test_dates_that_can_be_mistaken_are_asked_about_once_for_the_file(client: Client, order: str, day: dt.date) -> None:
    operation = upload(client, STUDY, f"{DATES[:-1]}\n".replace("start\n", "start,Planned end\n"), key="")
    page = show(client, operation)
    assert "What does 03/04/2026 mean?" in page
    assert "3 Apr 2026 (day first)" in page
    assert "4 Mar 2026 (month first)" in page
    assert "Import 2 rows" not in page
    assert (operation.state, operation.counts) == ("draft", {})
    page = answer(client, operation, date_answer=order)
    assert "Import 2 rows" in page
    assert f"Planned start is read with the {order.replace('_', ' ')}" in page
    confirm(client, operation)
    run_job(operation)
    assert Study.objects.get(name="S-1").planned_start == day


def test_nothing_is_imported_before_the_answer(client: Client) -> None:
    operation = upload(client, STUDY, DATES, key="")
    client.post(f"/records/{STUDY}/import/{operation.uid}/", {"mode": "valid"})
    operation.refresh_from_db()
    assert (operation.state, Study.objects.count()) == ("draft", 0)


def test_the_answer_can_be_changed(client: Client) -> None:
    operation = upload(client, STUDY, DATES, key="")
    answer(client, operation, date_answer="day_first")
    answer(client, operation, date_answer="month_first")
    confirm(client, operation)
    run_job(operation)
    assert Study.objects.get(name="S-1").planned_start == dt.date(2026, 3, 4)


def test_another_column_of_the_file_proposes_the_answer(client: Client) -> None:
    content = "Study number,Planned start,Planned end\nS-1,03/04/2026,12/25/2026\n"
    operation = upload(client, STUDY, content, key="")
    page = show(client, operation)
    assert "Planned end is read with the month first: 12/25/2026 is 25 Dec 2026." in page
    assert 'value="month_first" id="id_date_answer_1" checked' in page.replace("required ", "")


# -- Numbers --------------------------------------------------------------------------------------
def test_numbers_that_can_be_mistaken_are_asked_about(client: Client) -> None:
    add_custom_fields()
    PersonFactory.create(external_id="P-7")
    operation = upload(client, TRAINING, "Name;Trainee;number__c\nGCP;P-7;1.234\n", key="none")
    page = show(client, operation)
    assert "What does 1.234 mean?" in page
    assert "1234 (a comma before the fraction)" in page
    page = answer(client, operation, number_answer="comma")
    assert "number__c: 1.234 is read as 1234." in page
    confirm(client, operation)
    run_job(operation)
    assert Training.objects.get().custom_fields == {"number__c": 1234}


@pytest.mark.parametrize(("cell", "mark", "number"), [("1.234", "comma", 1234), ("1.234", "point", 1.234)])
def test_a_point_in_a_file_with_commas_between_its_cells_is_asked_about(
    client: Client, cell: str, mark: str, number: float
) -> None:
    add_custom_fields()
    PersonFactory.create(external_id="P-7")
    operation = upload(client, TRAINING, f"Name,Trainee,number__c\nGCP,P-7,{cell}\n", key="none")
    page = client.get(f"/records/{TRAINING}/import/{operation.uid}/").content.decode()
    assert f"What does {cell} mean?" in page
    confirm(client, operation)
    operation.refresh_from_db()
    assert (operation.state, Training.objects.count()) == ("draft", 0)
    answer(client, operation, number_answer=mark)
    confirm(client, operation)
    run_job(operation)
    assert Training.objects.get().custom_fields == {"number__c": number}


def test_numbers_of_a_german_file_are_read_and_named(client: Client) -> None:
    add_custom_fields()
    PersonFactory.create(external_id="P-7")
    content = "Name;Trainee;number__c\nGCP;P-7;1.234,5\nGMP;P-7;2.000\n"
    operation = do_import(client, TRAINING, content, key="none")
    assert operation.plan["readings"] == ["number__c: 2.000 is read as 2000."]
    assert sorted(each.custom_fields["number__c"] for each in Training.objects.all()) == [1234.5, 2000]


def add_fee() -> None:
    field = CustomField(of_object=TRAINING, api_name="fee__c", label="Fee", kind="currency")
    save_record(record=field, actor=build_admin_actor())
    PersonFactory.create(external_id="P-7")


@pytest.mark.parametrize(("mark", "amount"), [("comma", "1.234"), ("point", "1234.000")])
def test_an_amount_that_can_be_mistaken_is_asked_about(client: Client, mark: str, amount: str) -> None:
    add_fee()
    operation = upload(client, TRAINING, 'Name,Trainee,Fee\nGCP,P-7,"1,234 KWD"\n', key="none")
    page = show(client, operation)
    assert "What does 1,234 KWD mean?" in page
    assert "1.234 KWD (a comma before the fraction)" in page
    assert "1234 KWD (a point before the fraction)" in page
    answer(client, operation, number_answer=mark)
    confirm(client, operation)
    run_job(operation)
    assert Training.objects.get().custom_fields == {"fee__c": {"amount": amount, "currency": "KWD"}}


def test_amounts_as_accounts_write_them_are_read_and_named(client: Client) -> None:
    add_fee()
    amounts = ["1.234,50 EUR", "EUR 2.000", "(5,00 €)", "1\u00a0234\u00a0CHF", "12,5-"]
    content = "".join(f"GCP;P-7;{each}\n" for each in amounts)
    operation = do_import(client, TRAINING, f"Name;Trainee;Fee\n{content}", key="none")
    assert operation.plan["readings"] == ["Fee: 1.234,50 EUR is read as 1234.50 EUR."]
    fees = [each.custom_fields["fee__c"] for each in Training.objects.order_by("pk")]
    assert [f"{each['amount']} {each['currency']}" for each in fees] == [
        "1234.50 EUR",
        "2000.00 EUR",
        "-5.00 EUR",
        "1234.00 CHF",
    ]
    problem = "The currency is missing. Choose one, or write it behind the amount: 1234.50 EUR."
    assert list_problems(operation) == [(6, "Fee", problem)]


def test_negative_numbers_in_parentheses_are_named(client: Client) -> None:
    add_custom_fields()
    PersonFactory.create(external_id="P-7")
    operation = upload(client, TRAINING, "Name,Trainee,number__c\nGCP,P-7,(12)\n", key="none")
    assert operation.plan["readings"] == ["number__c: (12) is read as -12."]


# -- Encodings, sheets, keys ----------------------------------------------------------------------
def test_the_encoding_is_named_and_can_be_changed(client: Client) -> None:
    content = "Object type;Last name\nPerson;Jiřina\n".encode("cp1250")
    operation = upload(client, PERSON, content, key="")
    assert "Words that show it: Jiøina." in show(client, operation)
    page = answer(client, operation, encoding="cp1250")
    assert "Read as Windows-1250 (Central European), because it is not Unicode. Words that show it: Jiřina." in page
    confirm(client, operation)
    run_job(operation)
    assert Person.objects.get().last_name == "Jiřina"


def test_an_encoding_that_does_not_fit_is_refused_and_changes_nothing(client: Client) -> None:
    content = "Object type;Last name\nPerson;Müller\n".encode("cp1252")
    operation = upload(client, PERSON, content, key="")
    page = answer(client, operation, encoding="euc_jp")
    assert "The file cannot be read as EUC-JP (Japanese)" in page
    assert operation.plan["encoding"] == "cp1252"


def build_workbook(**sheets: list[list[Any]]) -> bytes:
    stream = io.BytesIO()
    with xlsxwriter.Workbook(stream) as workbook:
        for name, rows in sheets.items():
            sheet = workbook.add_worksheet(name)
            for number, row in enumerate(rows):
                sheet.write_row(number, 0, row)
    return stream.getvalue()


def test_of_several_sheets_the_first_with_data_is_read_and_another_can_be_chosen(client: Client) -> None:
    content = build_workbook(
        Empty=[], First=[["Study number"], ["S-1"]], Second=[["Study number", "Sponsor"], ["S-2", "Good"]]
    )
    operation = upload(client, STUDY, content, name="studies.xlsx", key="")
    assert "Of the workbook, the sheet “First” is read, and not “Second”." in show(client, operation)
    answer(client, operation, sheet="Second")
    confirm(client, operation)
    run_job(operation)
    assert [(each.name, each.sponsor) for each in Study.objects.all()] == [("S-2", "Good")]


def test_lines_of_a_workbook_are_those_of_the_sheet(client: Client) -> None:
    content = build_workbook(Rows=[["Study number", "Phase"], ["S\n1", "Phase I"], [], ["S-2", "Phase IX"]])
    assert [line for line, _, _ in list_problems(upload(client, STUDY, content, key=""))] == [4]


@pytest.mark.parametrize(
    ("object_name", "content", "key"),
    [
        (STUDY, "UID,External ID,Study number\n,X-1,S-1\n", "external_id__v"),
        (STUDY, "UID,External ID,Study number\n,,S-1\n", "name__v"),
        (SITE, "Study,Site number\nS-0,0001\n", "study__v+name__v"),
        (PERSON, "Object type,Last name,E-mail,Name\nPerson,Smith,a@example.org,Smith\n", "email__sys"),
        (PERSON, "Object type,Last name,Name\nPerson,Smith,Smith\n", "name__v"),
        (PERSON, "Object type,Last name\nPerson,Smith\n", "none"),
    ],
)
def test_the_key_is_proposed_from_the_columns_with_values(
    client: Client, object_name: str, content: str, key: str
) -> None:
    assert upload(client, object_name, content, key="").plan["key"] == key


def test_the_key_can_be_changed_on_the_check_page(client: Client) -> None:
    StudyFactory.create(name="S-1")
    operation = upload(client, STUDY, "External ID,Study number\nX-1,S-1\n", key="")
    assert operation.counts == {"failed": 1}
    page = answer(client, operation, key="name__v")
    assert "Existing records are found by Study number, and changed" in page
    assert operation.counts == {"changed": 1}


def test_a_key_that_finds_records_needs_the_reason_for_changing_them(client: Client) -> None:
    save_record(record=ReasonRule(of_object=STUDY, field_name="sponsor__v"), actor=build_admin_actor())
    StudyFactory.create(name="S-1", sponsor="Old")
    operation = upload(client, STUDY, "Study number,Sponsor\nS-1,New\n", key="none")
    message = "Say why Sponsor is changed in records that exist already."
    assert message in answer(client, operation, key="name__v")
    assert operation.plan["key"] == "none"
    answer(client, operation, key="name__v", change_reason="A merger.")
    confirm(client, operation)
    run_job(operation)
    assert (operation.counts, Study.objects.get().sponsor) == ({"changed": 1}, "New")


def test_people_are_found_by_their_e_mail_address_in_any_case(client: Client) -> None:
    person = PersonFactory.create(email="Ada@Example.org")
    assert do_import(client, PERSON, "E-mail,Phone\nada@example.ORG,1\n", key="").counts == {"changed": 1}
    person.refresh_from_db()
    assert (person.phone, person.email) == ("1", "ada@example.ORG")


# -- Leading zeros --------------------------------------------------------------------------------
def test_numbers_that_lost_their_zeros_are_asked_about_and_restored(client: Client) -> None:
    country = StudyCountryFactory.create(study__name="S-1")
    site = StudySiteFactory.create(study_country=country, name="03201")
    person = PersonFactory.create(external_id="P-7")
    content = f"Person,Date,Channel,Study,Site\n{person.external_id},2026-03-02,Email,S-1,3201\n"
    operation = upload(client, ACTIVITY, content, key="")
    message = "There is no “3201”, but there is “03201”. Say above whether the file has lost leading zeros."
    assert list_problems(operation) == [(2, "Site", message)]
    assert "Has the file lost leading zeros?" in show(client, operation)
    answer(client, operation, zeros="restore")
    assert (list_problems(operation), operation.counts) == ([], {"created": 1})
    confirm(client, operation)
    run_job(operation)
    assert site.activities.count() == 1
    answer(client, operation, zeros="keep")  # too late: it is done


def test_numbers_without_zeros_find_their_records_and_leave_their_names(client: Client) -> None:
    country = StudyCountryFactory.create(study__name="S-1")
    StudySiteFactory.create(study_country=country, name="03201", city="")
    operation = upload(client, SITE, "Study,Site number,City\nS-1,3201,Graz\n", key="")
    assert [(line, label) for line, label, _ in list_problems(operation)] == [(2, "Site number")]
    answer(client, operation, zeros="restore")
    confirm(client, operation)
    run_job(operation)
    assert [(each.name, each.city) for each in StudySite.objects.all()] == [("03201", "Graz")]


def test_numbers_can_be_meant_as_they_are(client: Client) -> None:
    country = StudyCountryFactory.create(study__name="S-1")
    StudySiteFactory.create(study_country=country, name="03201")
    operation = upload(client, SITE, "Study,Study country,Site number\nS-1,Germany,3201\n", key="")
    answer(client, operation, zeros="keep")
    assert (list_problems(operation), operation.counts) == ([], {"created": 1})


def test_a_stored_text_does_not_lose_its_zeros_unasked(client: Client) -> None:
    person = PersonFactory.create(external_id="P-1", phone="0301234")
    operation = upload(client, PERSON, "External ID,Phone\nP-1,301234\n", key="")
    assert [label for _, label, _ in list_problems(operation)] == ["Phone"]
    answer(client, operation, zeros="restore")
    assert operation.counts == {"unchanged": 1}
    answer(client, operation, zeros="keep")
    confirm(client, operation)
    run_job(operation)
    person.refresh_from_db()
    assert person.phone == "301234"


def test_one_record_with_and_without_its_zeros_is_twice_in_the_file(client: Client) -> None:
    StudyFactory.create(name="0042")
    operation = upload(client, STUDY, "Study number,Sponsor\n42,A\n0042,B\n", key="")
    answer(client, operation, zeros="restore")
    assert [(line, label) for line, label, _ in list_problems(operation)] == [(2, "Study number")]


# -- What a spreadsheet leaves --------------------------------------------------------------------
@pytest.mark.parametrize("text", ["#REF!", "#N/A", "#BEZUG!", "#NV", "########", "1E+05", "4,9E+11", "n/a", "NULL"])
def test_what_a_spreadsheet_leaves_is_warned_of_with_its_row(client: Client, text: str) -> None:
    operation = do_import(client, STUDY, f'Study number,Sponsor\nS-1,"{text}"\nS-2,Good\n', key="")
    assert operation.counts == {"created": 2}
    assert [(each.position, each.field_label, each.value, each.kind) for each in operation.problems.all()] == [
        (2, "Sponsor", text, "warning")
    ]
    page = " ".join(client.get(f"/operations/{operation.uid}/").content.decode().split())
    assert "Warnings" in page


@pytest.mark.parametrize("text", ["#1", "N", "Null-Hypothesis Ltd", "E+05", "1E", "NA", "#hashtag"])
def test_what_only_resembles_a_leaving_is_not(client: Client, text: str) -> None:
    assert list_problems(upload(client, STUDY, f"Study number,Sponsor\nS-1,{text}\n", key="")) == []


def test_errors_of_a_workbook_are_not_empty_cells(client: Client) -> None:
    stream = io.BytesIO()
    with xlsxwriter.Workbook(stream) as workbook:
        sheet = workbook.add_worksheet()
        sheet.write_row(0, 0, ["Study number", "Sponsor"])
        sheet.write_string(1, 0, "S-1")
        sheet.write_formula(1, 1, "=1/0", None, "#DIV/0!")
    operation = upload(client, STUDY, stream.getvalue(), name="a.xlsx", key="")
    assert [(each.position, each.value) for each in operation.problems.all()] == [(2, "#DIV/0!")]


def test_a_year_that_is_seldom_meant_is_warned_of_with_its_row(client: Client) -> None:
    operation = upload(client, STUDY, "Study number,Planned start\nS-1,2099-12-31\nS-2,0026-03-31\n", key="")
    found = [(each.position, each.kind) for each in operation.problems.all()]
    assert (found, operation.counts) == ([(2, "warning"), (3, "error")], {"created": 1, "failed": 1})
