"""S1: an answer about a record that the user does not see equals the answer about one that does not exist.

Doors and references are found through the URL configuration and the registry, so that new ones are covered. Both
answers are compared byte for byte once the uids are replaced, and by the number of their SQL statements.
"""

from __future__ import annotations

import difflib
import re
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest
import time_machine
from django.conf import settings
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection, transaction
from django.test import Client
from django.test.utils import CaptureQueriesContext

from ctms.accounts.models import User
from ctms.audit.services import delete_record
from ctms.clinical.models import Study
from ctms.configuration.fields import ObjectField
from ctms.configuration.registry import get_object, get_object_of_model
from ctms.configuration.snapshot import load_configuration
from ctms.core.clock import get_now
from ctms.records.choices import OperationKind
from ctms.records.models import BulkOperation, SavedView
from tests.factories.base import build_admin_actor
from tests.factories.clinical import PersonFactory, StudyAssignmentFactory, StudyFactory
from tests.record_rows import OBJECTS, create_record
from tests.security.test_every_address import METHODS, WITH_RECORD, create_member, fill, find_field

pytestmark = pytest.mark.django_db
# Thousands of requests, generated from the URL configuration and the registry.
generated = pytest.mark.system

_UID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}|[0-9a-f]{32}")
# Another one in each answer, by chance.
_DRAWN = re.compile(r'(csrfmiddlewaretoken" value="|name="form_token"\s+value="|X-CSRFToken": "|nonce=")[^"]+')

# Objects of which a user sees some records and not others: those of studies, and persons.
HIDEABLE = [name for name in OBJECTS if getattr(get_object(name).scope, "limit", True)]

Answer = tuple[int, str, str, int]
Door = Callable[[Client, str], Any]


@pytest.fixture(autouse=True)
def _stopped_clock() -> Iterator[None]:
    """Stop the time: the use of a session is written down once a minute, by whichever answer comes then."""
    with time_machine.travel(get_now(), tick=False):
        yield


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """A member of one study, who is logged in, a record of another study, and a uid that no record has."""

    member: User
    session: str
    own_study: Study
    hidden: Any
    missing: uuid.UUID

    def compare(self, door: Door) -> list[str]:
        """Return where the answers of a door about the hidden and about the missing record differ."""
        return list_differences(self.ask(door, str(self.hidden.uid)), self.ask(door, str(self.missing)))

    def compare_names(self, door: Door) -> list[str]:
        """Return where the answers of a door about the name of the hidden record and about one that none has differ."""
        unused = self.hidden.name.translate(
            {each: each + 1 for each in map(ord, set(self.hidden.name)) if chr(each).isalpha()}
        )
        return list_differences(self.ask(door, self.hidden.name), self.ask(door, unused))

    def ask(self, door: Door, value: str) -> Answer:
        """Return status, address, content and number of statements of an answer. What it writes is taken back."""
        client = Client()
        client.cookies[settings.SESSION_COOKIE_NAME] = self.session
        with transaction.atomic(), CaptureQueriesContext(connection) as statements:
            response = door(client, value)
            content = b"".join(response.streaming_content) if response.streaming else response.content
            transaction.set_rollback(True)
        # What is drawn goes first: a short name may stand in it by chance.
        text = _DRAWN.sub(r"\1", _UID.sub("UID", content.decode("utf-8-sig", "replace"))).replace(value, "UID")
        return (response.status_code, _UID.sub("UID", response.headers.get("Location", "")), text, len(statements))


def list_differences(hidden: Answer, missing: Answer) -> list[str]:
    """Return the lines that stand in one of two answers alone."""
    if hidden == missing:
        return []
    first, second = ("\n".join(map(str, answer)).splitlines() for answer in (hidden, missing))
    lines = difflib.ndiff(first, second)
    return [line for line in lines if not line.startswith("  ")]


def build_scene(object_name: str) -> Scene:
    """Build a scene whose hidden record is of that object."""
    member, client = create_member(), Client()
    client.force_login(member)
    load_configuration()  # read once in a process, by whichever answer comes first
    return Scene(
        member=member,
        session=client.cookies[settings.SESSION_COOKIE_NAME].value,
        own_study=member.study_assignments.get().study,
        hidden=create_record(object_name, StudyFactory.create()),
        missing=uuid.uuid4(),
    )


def send_json(client: Client, method: str, url: str, body: Any) -> Any:
    return getattr(client, method)(url, body, content_type="application/json", headers={"If-Match": "*"})


@generated
@pytest.mark.parametrize("object_name", HIDEABLE)
def test_every_address_of_a_record(object_name: str) -> None:
    scene = build_scene(object_name)
    for route in WITH_RECORD:
        for method in METHODS:

            def ask(client: Client, uid: str, route: str = route, method: str = method) -> Any:
                url = fill(route, object_name=object_name, uid=uid, field_name=find_field(object_name))
                return getattr(client, method)(url)

            assert scene.compare(ask) == [], (route, method)


# What rows of a batch ask for beside the key of the record.
BATCH_ROWS: dict[str, dict[str, Any]] = {
    "change": {"operation": "change", "values": {"status__v": "inactive__v"}},
    "delete": {"operation": "delete"},
}


@generated
@pytest.mark.parametrize("object_name", HIDEABLE)
def test_writing_and_choosing_a_record(object_name: str) -> None:
    scene = build_scene(object_name)
    own = create_record(object_name, scene.own_study if object_name != "person__sys" else None)
    page, api = f"/records/{object_name}", f"/api/v1/{object_name}"
    doors: dict[str, Door] = {
        "edit": lambda client, uid: client.post(f"{page}/{uid}/edit/", {"expected_version": 1}),
        "patch": lambda client, uid: send_json(client, "patch", f"{api}/{uid}/", {"status__v": "inactive__v"}),
        "delete": lambda client, uid: client.delete(f"{api}/{uid}/", headers={"If-Match": "1"}),
        **{
            f"batch, {operation}": lambda client, uid, row=row: send_json(  # type: ignore[misc]
                client, "post", f"{api}/batch/", {"rows": [row | {"key": {"uid__sys": uid}, "version": "*"}]}
            )
            for operation, row in BATCH_ROWS.items()
        },
        "bulk": lambda client, uid: client.post(f"{page}/bulk/", {"uids": [str(own.uid), uid]}),
        "bulk, only it": lambda client, uid: client.post(f"{page}/bulk/", {"uids": [uid]}),
        "import by uid": lambda client, uid: import_file(client, object_name, f"UID,Status\n{uid},Inactive\n"),
        "search": lambda client, uid: client.get(f"/search/?q={uid}"),
        "list": lambda client, uid: client.get(f"{page}/?q={uid}"),
    }
    for name, door in doors.items():
        assert scene.compare(door) == [], name


REFERENCES = [
    (name, field_name, target.api_name)
    for name in OBJECTS
    for field_name in get_object(name).fields
    if (field := get_object(name).get_field(field_name)).reference
    and (target := get_object_of_model(field.reference)) is not None
    and target.api_name in OBJECTS
]


@generated
@pytest.mark.parametrize(("object_name", "field_name", "target"), REFERENCES)
def test_naming_a_record_in_a_reference(object_name: str, field_name: str, target: str) -> None:
    scene = build_scene(target)
    field = load_configuration().get(object_name).fields[field_name]
    own = create_record(object_name, scene.own_study)
    for name, door in list_reference_doors(object_name=object_name, field=field, own=own).items():
        assert scene.compare(door) == [], name
    if not type(scene.hidden).objects.filter(name=scene.hidden.name).exclude(pk=scene.hidden.pk).exists():
        by_text = import_text(object_name, field)
        assert scene.compare_names(by_text) == []


def list_reference_doors(*, object_name: str, field: ObjectField, own: Any) -> dict[str, Door]:
    """Return every door at which a reference can be named."""
    page, api, name = f"/records/{object_name}", f"/api/v1/{object_name}", field.api_name
    others = [each for each in get_object(object_name).fields if get_object(object_name).get_field(each).reference]
    doors: dict[str, Door] = {
        "list": lambda client, uid: client.get(f"{page}/?{name}={uid}"),
        "filter form": lambda client, uid: client.get(f"{page}/filters/{name}/?{name}={uid}"),
        "typed filter": lambda client, uid: client.get(f"{page}/?{name}__add={uid}"),
        "export": lambda client, uid: client.get(f"{page}/export.csv?{name}={uid}"),
        "save view": lambda client, uid: client.get(f"{page}/views/?{name}={uid}"),
        "API list": lambda client, uid: client.get(f"{api}/?{name}={uid}"),
        "look-up": lambda client, uid: client.get(f"{page}/lookup/{name}/?uid={uid}"),
        "look-up, any": lambda client, uid: client.get(f"{page}/lookup/{name}/?any=1&uid={uid}"),
        "form": lambda client, uid: client.get(f"{page}/create/?{name}={uid}"),
        "create": lambda client, uid: client.post(f"{page}/create/", {name: uid}),
        "edit": lambda client, uid: client.post(f"{page}/{own.uid}/edit/", {name: uid, "expected_version": 1}),
        "inline edit": lambda client, uid: client.post(
            f"{page}/{own.uid}/fields/{name}/", {name: uid, "expected_version": 1}
        ),
        "API create": lambda client, uid: send_json(client, "post", f"{api}/", {name: uid}),
        "API change": lambda client, uid: send_json(client, "patch", f"{api}/{own.uid}/", {name: uid}),
        "API batch": lambda client, uid: send_json(
            client, "post", f"{api}/batch/", {"rows": [{"operation": "create", "values": {name: uid}}]}
        ),
        "bulk edit": lambda client, uid: client.post(
            f"{page}/bulk/", {"uids": [str(own.uid)], "step": "preview", "change": name, name: uid}
        ),
        "import": import_text(object_name, field),
    }
    for other in others:
        doors[f"look-up of {other} beside it"] = lambda client, uid, other=other: client.get(  # type: ignore[misc]
            f"{page}/lookup/{other}/?{name}={uid}"
        )
    return doors


def import_text(object_name: str, field: ObjectField) -> Door:
    """Return a door that imports one row whose reference is a text."""
    return lambda client, text: import_file(client, object_name, f"{field.api_name}\n{text}\n")


def import_file(client: Client, object_name: str, lines: str) -> Any:
    """Import a file and return the page that says what it would do."""
    upload = SimpleUploadedFile("rows.csv", lines.encode(), content_type="text/csv")
    key = "uid__sys" if lines.startswith("UID") else "none"
    sent = client.post(f"/records/{object_name}/import/", {"file": upload, "key": key, "update_existing": "on"})
    assert sent.status_code == 302, sent.context["form"].errors
    return client.get(sent.headers["Location"], follow=True)


def test_operations_and_views_of_others() -> None:
    scene, other = build_scene("site__v"), create_member()
    operation = BulkOperation.objects.create(
        user=other, of_object="site__v", kind=OperationKind.EDIT, plan={"values": {}}, content="", total=1
    )
    view = SavedView.objects.create(user=other, of_object="site__v", name="Mine")
    routes = {
        "operations/<uuid:uid>/": operation.uid,
        "operations/<uuid:uid>/problems.csv": operation.uid,
        "operations/<uuid:uid>/resume/": operation.uid,
        "operations/<uuid:uid>/discard/": operation.uid,
        "records/site__v/bulk/<uuid:uid>/": operation.uid,
        "records/site__v/import/<uuid:uid>/": operation.uid,
        "records/site__v/views/<uuid:uid>/": view.uid,
        "records/site__v/?view=<uuid:uid>": view.uid,
    }
    for route, hidden in routes.items():
        for method in METHODS:

            def ask(client: Client, uid: str, route: str = route, method: str = method) -> Any:
                return getattr(client, method)(fill(route, uid=uid))

            differences = list_differences(scene.ask(ask, str(hidden)), scene.ask(ask, str(scene.missing)))
            assert differences == [], (route, method)


def test_an_identifier_that_is_taken_out_of_sight_is_refused_in_one_way() -> None:
    """Whether by a hidden record, a record of another object, or one that was deleted."""
    scene = build_scene("study__v")
    deleted = StudyFactory.create()
    uid_of_deleted = str(deleted.uid)
    delete_record(record=deleted, actor=build_admin_actor())
    hidden = StudyFactory.create(external_id="E-1")

    def by_uid(client: Client, uid: str) -> Any:
        return send_json(client, "post", "/api/v1/study__v/", {"uid__sys": uid, "name__v": "S-1"})

    def by_external_id(client: Client, text: str) -> Any:
        return send_json(client, "post", "/api/v1/study__v/", {"external_id__v": text, "name__v": "S-1"})

    by_uids = {
        scene.ask(by_uid, str(hidden.uid))[:3],
        scene.ask(by_uid, str(PersonFactory.create().uid))[:3],
        scene.ask(by_uid, uid_of_deleted)[:3],
    }
    taken = scene.ask(by_external_id, "E-1")
    assert [status for status, _, _ in by_uids] == [409]
    # They differ in the field that was sent alone.
    assert by_uids == {(409, taken[1], taken[2].replace('"field": "external_id__v"', '"field": "uid__sys"'))}
    assert scene.ask(by_external_id, "E-2")[0] == 201


@pytest.mark.parametrize("name", ["external_id__v", "name__v"])
def test_a_unique_value_is_refused_in_one_way_whoever_has_it(name: str) -> None:
    """A form and an import do not tell whether the record that has it is visible; the API names one that is."""
    scene = build_scene("study__v")
    StudyFactory.create(name="S-1", external_id="S-1")
    visible = StudyFactory.create(name="S-2", external_id="S-2")
    StudyAssignmentFactory.create(user=scene.member, study=visible)
    own, page = scene.own_study, "/records/study__v"
    values = {"name__v": "S-3", "external_id__v": "S-3", "status__v": "active__v", "state__v": "active__v"}
    doors: dict[str, Door] = {
        "create": lambda client, text: client.post(f"{page}/create/", values | {name: text}),
        "inline edit": lambda client, text: client.post(
            f"{page}/{own.uid}/fields/{name}/", {name: text, "expected_version": 1}
        ),
        "API change": lambda client, text: send_json(client, "patch", f"/api/v1/study__v/{own.uid}/", {name: text}),
        "import": lambda client, text: import_file(
            client, "study__v", "name__v,external_id__v\n{name__v},{external_id__v}\n".format(**values | {name: text})
        ),
    }
    for what, door in doors.items():
        hidden, taken = scene.ask(door, "S-1"), scene.ask(door, "S-2")
        assert hidden[0] != 302, what
        if what == "API change":
            named = f', "existing": "/api/v1/study__v/{visible.uid}/"'
            assert named.replace(str(visible.uid), "UID") in taken[2]
            taken = (*taken[:2], taken[2].replace(named.replace(str(visible.uid), "UID"), ""), taken[3])
        assert list_differences(hidden, taken) == [], what
