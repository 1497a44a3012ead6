"""Records that may be the one that is typed or imported are told of, to who sees them; nothing is refused."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from ctms.clinical.models import Person
from ctms.core.text.folding import fold_text
from ctms.records.access import open_object
from ctms.records.lists import duplicates
from ctms.records.lists.duplicates import MOST_SHOWN, find_duplicates
from tests.factories.accounts import SecurityProfileFactory, UserFactory
from tests.factories.base import get_admin_user
from tests.factories.clinical import PersonFactory, StudyAssignmentFactory, StudyPersonFactory, StudySiteFactory
from tests.records.bulk.steps import do_import

pytestmark = [pytest.mark.django_db, pytest.mark.both_databases]
PERSON = "person__sys"


def find(user: Any = None, **values: str) -> list[tuple[str, tuple[str, ...]]]:
    access = open_object(user=user or get_admin_user(), object_name=PERSON)
    found = find_duplicates(access=access, values={name.replace("___", "__"): text for name, text in values.items()})
    return [(str(each.record), each.same) for each in found]


def create(first: str, last: str, **values: Any) -> Person:
    return PersonFactory.create(
        **{"first_name": first, "last_name": last, "email": "", "phone": "", "npi": "", **values}
    )


def test_the_likeliest_comes_first_and_says_what_is_the_same() -> None:
    create("Łukasz", "Müller")
    create("Lukasz", "Muller", email="l.muller@example.org")
    create("Eva", "Other", email="L.Muller@example.org")
    create("Eva", "Nobody")
    typed = {"first_name__sys": "lukasz", "last_name__sys": "MÜLLER", "email__sys": "l.muller@example.org"}
    assert find(**typed)[0] == ("Lukasz Muller", ("name", "email"))
    assert set(find(**typed)[1:]) == {("Łukasz Müller", ("name",)), ("Eva Other", ("email",))}


def test_the_likeliest_is_found_among_many_who_share_a_phone() -> None:
    for number in range(60):
        create("Eva", f"Other{number}", phone="+49 30 12345")
    create("Ann", "Lee", phone="+49 30 12345", email="ann@example.org")
    typed = {"first_name__sys": "Ann", "last_name__sys": "Lee", "phone__v": "4930 12345"}
    assert find(**typed)[0] == ("Ann Lee", ("name", "phone"))
    assert len(find(**typed)) == MOST_SHOWN


def test_each_text_of_an_import_is_folded_once_whatever_many_share(monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(10):
        create("Ann", f"Lee{number}", phone="+49 30 12345", email=f"ann{number}@example.org")
    texts: list[str | None] = []

    def note(text: str | None) -> str | None:
        texts.append(text)
        return fold_text(text)

    monkeypatch.setattr(duplicates, "fold_text", note)
    access = open_object(user=get_admin_user(), object_name=PERSON)
    drafts = list(Person.objects.order_by("pk"))
    found = duplicates.find_stored(access=access, records=drafts)
    assert [each.record for each in found.values()] == drafts
    assert len(texts) <= 4 * 5 * len(drafts)  # twice what is typed and once what is stored, of five fields


@pytest.mark.parametrize(
    ("field", "typed"),
    [("phone__v", "+49 (0)30 123-45"), ("npi__v", "12 34 56"), ("person_identifier__v", "de-0815")],
)
def test_phone_and_identifiers_are_compared_as_people_write_them(field: str, typed: str) -> None:
    create("Ann", "Lee", phone="+49 30 12345", npi="123456", person_identifier="DE-0815")
    assert [name for name, _ in find(**{field: typed})] == ["Ann Lee"]


@pytest.mark.parametrize("typed", [{}, {"last_name__sys": "Lee"}, {"phone__v": "1"}, {"email__sys": " "}])
def test_too_little_is_no_likeness(typed: dict[str, str]) -> None:
    create("Ann", "Lee", phone="1")
    assert find(**typed) == []


def test_who_does_not_see_a_person_is_not_told_of_it() -> None:
    hidden = create("Ann", "Lee", email="ann@example.org")
    profile = SecurityProfileFactory.create(permissions=[f"{PERSON}:read", "study_person__clin:read"])
    user = UserFactory.create(security_profile=profile)
    typed = {"first_name__sys": "Ann", "last_name__sys": "Lee", "email__sys": "ann@example.org"}
    assert find(user, **typed) == []
    role = StudyPersonFactory.create(person=hidden)
    StudyAssignmentFactory.create(user=user, study=role.study)
    assert [name for name, _ in find(user, **typed)] == ["Ann Lee"]


def test_the_form_asks_while_one_types(client: Client) -> None:
    client.force_login(get_admin_user())
    person = create("Ann", "Lee", email="ann@example.org")
    site = StudySiteFactory.create(name="04001", city="Graz")
    StudyPersonFactory.create(person=person, site=site, study_country=site.study_country, study=site.study)
    address = reverse("record_duplicates", args=(PERSON,))
    form = client.get(reverse("record_create", args=(PERSON,)), {"object_type__v": "person__v"}).content.decode()
    assert f'data-duplicates="{address}"' in form
    told = client.get(address, {"email__sys": "ann@example.org"}).content.decode()
    assert "Same email" in told
    assert "04001, Graz" in told
    assert f'data-use-uid="{person.uid}"' in told
    assert (
        client.get(address, {"email__sys": "ann@example.org", "record": str(person.uid)}).content.decode().strip() == ""
    )


def test_objects_without_such_fields_have_no_such_page(client: Client) -> None:
    client.force_login(get_admin_user())
    assert client.get(reverse("record_duplicates", args=("study__v",))).status_code == 404


def test_the_type_ahead_tells_namesakes_apart(client: Client) -> None:
    client.force_login(get_admin_user())
    first, second = create("Ann", "Lee", person_identifier="DE-1"), create("Ann", "Lee")
    site = StudySiteFactory.create(name="04001", city="Graz")
    StudyPersonFactory.create(
        person=second, site=site, study_country=site.study_country, study=site.study, team_role="pharmacist__v"
    )
    results = client.get("/records/crm_activity__v/lookup/person__v/", {"q": "ann lee"}).json()["results"]
    told = {each["uid"]: each["detail"] for each in results}
    assert told[str(first.uid)].endswith("DE-1")
    assert told[str(second.uid)].endswith(f"Pharmacist, 04001, Graz, {site.study}")


def test_an_import_warns_of_the_likely_ones_and_writes_what_was_confirmed(client: Client) -> None:
    client.force_login(get_admin_user())
    there = create("Ann", "Lee", email="ann@example.org")
    create("Bob", "Ray")
    content = (
        "Object type,First name,Last name,Email\nPerson,Ann,Lee,Ann@example.org\nPerson,Bob,Ray,bob@example.org\n"
        "Person,Cat,Fox,\n"
    )
    operation = do_import(client, PERSON, content, key="none")
    assert operation.counts == {"created": 3}
    ((line, uid, message),) = operation.problems.values_list("position", "record_uid", "message")
    assert (line, uid) == (2, there.uid)
    assert message == "Ann Lee (ann@example.org) is there already: same name, email."
