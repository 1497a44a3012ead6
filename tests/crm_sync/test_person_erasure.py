"""A person is erased on request: no copy of the values stays but in the audit trail, and the transfer goes on."""

from __future__ import annotations

import json
from typing import Any
from uuid import uuid4

import pytest
from django.apps import apps
from django.core.management import CommandError, call_command
from django.core.serializers.json import DjangoJSONEncoder
from django.db import models

from activities.models import Activity
from crm_sync.models import AccountMatch, TransferAttempt
from ctms.accounts.models import User
from ctms.audit.actors import Actor
from ctms.audit.models import AuditEntry
from ctms.audit.services import delete_record, save_record
from ctms.clinical.erasure import ErasedPerson, ErasureRefusedError, erase_person
from ctms.clinical.models import Person, StudyPerson
from ctms.core.choices import RecordStatus
from ctms.core.clock import get_now
from ctms.records.choices import OperationKind, OperationState
from ctms.records.models import BulkOperation, OperationProblem
from exceptions_log.models import ExceptionItem
from tests.crm_sync.world import World
from tests.factories.accounts import SecurityProfileFactory, UserFactory
from tests.factories.activities import ActivityFactory
from tests.factories.base import build_admin_actor
from tests.factories.clinical import PersonFactory, StudyPersonFactory

pytestmark = [pytest.mark.django_db, pytest.mark.both_databases]

VALUES = {
    "first_name": "Zebedea",
    "last_name": "Quillfeather",
    "email": "zebedea@quill.example",
    "phone": "+44 20 7946 0999",
    "npi": "1999999976",
    "person_identifier": "SP-777123",
    "external_id": "EXT-777123",
}
REASON = "Asked for by letter of 1 March"


def build_eraser() -> Actor:
    profile = SecurityProfileFactory.create(permissions=["person__sys:delete"])
    return Actor(user=UserFactory.create(security_profile=profile), source="command", reference="erase_person")


def find_copies() -> set[str]:
    """The models in whose rows one of the values stands, the audit trail aside."""
    found = set()
    for model in apps.get_models():
        if model is not AuditEntry:
            rows = json.dumps(list(model._base_manager.values()), cls=DjangoJSONEncoder, default=str)
            if any(value in rows for value in VALUES.values()):
                found.add(model._meta.label)
    return found


def test_no_copy_of_a_value_stays_and_the_transfer_goes_on(world: World) -> None:
    person, other = PersonFactory.create(**VALUES), PersonFactory.create(external_id="P-2")
    StudyPersonFactory.create(person=person)
    [account, _] = world.add_accounts([person, other])
    sent = ActivityFactory.create(person=person)
    world.transfer()
    save_record(record=sent, actor=build_admin_actor())
    AccountMatch.objects.filter(person=person).update(value=VALUES["external_id"])
    TransferAttempt.objects.bulk_create(
        [
            TransferAttempt(
                run=attempt.run,
                integration=attempt.integration,
                record_uid=sent.uid,
                outcome=attempt.outcome,
                values={"To__c": f"Zebedea Quillfeather ({VALUES['email']})", "Subject": "Call"},
            )
            for attempt in TransferAttempt.objects.filter(record_uid=sent.uid)[:1]
        ]
    )
    assert {"clinical.Person", "clinical.StudyPerson", "crm_sync.AccountMatch", "crm_sync.TransferAttempt"} <= (
        find_copies()
    )

    erasure = erase_person(person=Person.objects.get(pk=person.pk), actor=build_eraser(), reason=REASON)

    assert find_copies() == set()
    person.refresh_from_db()
    assert (person.name, person.status) == (f"Erased {str(person.uid)[:8]}", RecordStatus.INACTIVE)
    assert StudyPerson.objects.get(person=person).name.startswith("Erased ")
    [values] = TransferAttempt.objects.filter(values__has_key="To__c").values_list("values", flat=True)
    assert values == {"To__c": "Erased (Erased)", "Subject": "Call"}
    entry = AuditEntry.objects.get(record_uid=person.uid, reference="erase_person")
    assert (entry.reason, entry.id in erasure.entry_ids) == (REASON, True)

    ActivityFactory.create(person=other)
    world.transfer()
    assert len(world.list_interactions()) == 2
    items = world.list_exceptions()
    assert {item.record_uid for item in items} == {sent.uid}
    assert {row["Account_vod__c"] for row in world.list_interactions()} >= {account}
    assert Activity.objects.get(pk=sent.pk).status == RecordStatus.ACTIVE


def test_what_failed_of_the_person_no_longer_names_them(world: World) -> None:
    person = PersonFactory.create(**VALUES)
    ActivityFactory.create(person=person)
    world.transfer()
    [item] = world.list_exceptions()
    assert VALUES["external_id"] in item.error_message
    erase_person(person=Person.objects.get(pk=person.pk), actor=build_eraser(), reason=REASON)
    item = ExceptionItem.objects.get(pk=item.pk)
    assert item.error_message.startswith("No account in NA has the External_ID_vod__c 'Erased'")
    assert find_copies() == set()


@pytest.mark.parametrize(
    ("value", "cleaned"),
    [
        ("Call with May Li", "Call with Erased"),
        ("MAY LI", "Erased"),
        ("Mayor Lister", "Mayor Lister"),
        ("ask may@li.example.", "ask Erased."),
        ({"a": ["Li", 5, None, {"b": "no Li."}]}, {"a": ["Erased", 5, None, {"b": "no Erased."}]}),
        (r"a\1", r"a\1"),
    ],
)
def test_values_are_replaced_as_whole_words_wherever_they_stand(value: Any, cleaned: Any) -> None:
    erased = ErasedPerson(pk=1, record_uids=(), texts=("may@li.example", "May Li", "Li"))
    assert erased.clean(value) == cleaned


def test_who_may_not_delete_persons_may_not_erase_them_either() -> None:
    person = PersonFactory.create(**VALUES)
    with pytest.raises(ErasureRefusedError, match="takes the permission person__sys:delete"):
        erase_person(person=person, actor=Actor(user=UserFactory.create(), source="command"), reason=REASON)
    with pytest.raises(ErasureRefusedError, match="Give a reason"):
        erase_person(person=person, actor=build_eraser(), reason=" ")
    assert Person.objects.get(pk=person.pk).last_name == "Quillfeather"


def test_the_command_names_who_answers_for_it_and_what_is_left(capsys: pytest.CaptureFixture[str]) -> None:
    person = PersonFactory.create(**VALUES)
    user: User = build_eraser().user
    call_command("erase_person", str(person.uid), by=user.username, reason=REASON)
    said = capsys.readouterr().out
    entry = AuditEntry.objects.get(record_uid=person.uid, reference="erase_person")
    assert f"The person is now Erased {str(person.uid)[:8]}." in said
    assert (str(entry.id) in said, entry.actor) == (True, user)


@pytest.mark.parametrize(
    ("uid", "by", "message"),
    [("no-uid", "", "There is no person of the UID"), (None, "nobody", "There is no active user 'nobody'.")],
)
def test_the_command_says_what_is_wrong(uid: str | None, by: str, message: str) -> None:
    person = PersonFactory.create(**VALUES)
    user = build_eraser().user
    with pytest.raises(CommandError, match=message):
        call_command("erase_person", uid or str(person.uid), by=by or user.username, reason=REASON)


def test_entries_that_name_the_person_are_listed_also_if_their_record_does_not_any_more() -> None:
    person, other = PersonFactory.create(last_name="Ada"), PersonFactory.create(last_name="Bo")
    moved, gone = ActivityFactory.create(person=person), ActivityFactory.create(person=person)
    moved.person = other
    save_record(record=moved, actor=build_admin_actor())
    delete_record(record=gone, actor=build_admin_actor())
    erasure = erase_person(person=person, actor=build_eraser(), reason="Asked for")
    listed = AuditEntry.objects.filter(pk__in=erasure.entry_ids).values_list("record_uid", "action")
    assert {(moved.uid, "created"), (moved.uid, "changed"), (gone.uid, "created"), (gone.uid, "deleted")} <= set(listed)


def test_operations_of_many_records_forget_the_person() -> None:
    person = PersonFactory.create(**VALUES)
    made = {
        state: BulkOperation.objects.create(
            user=build_admin_actor().user,
            of_object="person__sys",
            kind=kind,
            state=state,
            plan={"list": "q=Zebedea Quillfeather"},
            content="Name\nQuillfeather\n" if state == OperationState.DRAFT else "",
            message="1 changed.",
            finished_at=get_now() if state == OperationState.DONE else None,
        )
        for state, kind in [(OperationState.DRAFT, OperationKind.IMPORT), (OperationState.DONE, OperationKind.EDIT)]
    }
    OperationProblem.objects.create(
        operation=made[OperationState.DONE], position=2, value=VALUES["email"], message="E-mail: taken."
    )
    erase_person(person=Person.objects.get(pk=person.pk), actor=build_eraser(), reason=REASON)
    assert find_copies() == set()
    assert [each.state for each in BulkOperation.objects.all()] == [OperationState.DONE]


def test_what_is_kept_of_calls_that_no_record_came_from_forgets_the_person_too(world: World) -> None:
    person = PersonFactory.create(**VALUES | {"person_identifier": "Ü-777123", "last_name": "Quillfeather"})
    ActivityFactory.create(person=person)
    world.transfer()
    [item] = world.list_exceptions()
    data = {"Account": "Ü-777123", "Subject": "Call with Zebedea Quillfeather"}
    ExceptionItem.objects.filter(pk=item.pk).update(record_uid=None, item_data=data, error_message="Ü-777123 is new")
    about_others = {"Account": "Ü-7771234", "Subject": "Call with another Quillfeather"}
    other = ExceptionItem.objects.get(pk=item.pk)
    other.pk, other.uid, other.key, other.item_data = None, uuid4(), "other", about_others
    other.error_message = other.name = other.item = other.cause = "unmatched"
    models.Model.save_base(other, raw=True, force_insert=True)
    erase_person(person=Person.objects.get(pk=person.pk), actor=build_eraser(), reason=REASON)
    cleaned = ExceptionItem.objects.get(pk=item.pk)
    assert (cleaned.error_message, cleaned.item_data) == (
        "Erased is new",
        {"Account": "Erased", "Subject": "Call with Erased"},
    )
    assert ExceptionItem.objects.get(key="other").item_data == about_others
